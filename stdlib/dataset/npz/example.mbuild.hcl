# Two arrays of an archive: x with a row of 4 x 3 numbers each, y with a class for each row.
dataset "npz" "motions" {
  files    = ["example.npz"]
  features = "x"
  label    = "y"
  classes  = ["rest", "walk"]

  split {
    train    = 0.75
    test     = 0.25
    stratify = true
  }
}

output "motions" { value = dataset.npz.motions.data }
