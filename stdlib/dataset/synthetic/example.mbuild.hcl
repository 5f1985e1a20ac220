# Two spirals of 500 points each: the same rows on every machine, for the seed says which.
dataset "synthetic" "spirals" {
  shape = "spirals"
  rows  = 1000
  noise = 0.05
  seed  = 3

  split {
    train = 0.8
    test  = 0.2
  }
}

output "spirals" { value = dataset.synthetic.spirals.data }
