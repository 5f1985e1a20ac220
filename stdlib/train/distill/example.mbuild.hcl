dataset "synthetic" "spirals" {
  shape = "spirals"
  rows  = 600
  split {
    train = 0.8
    test  = 0.2
  }
}

model "layers" "large" {
  input "features" { shape = [2] }
  layer "dense" "hidden1" {
    units      = 128
    activation = "tanh"
  }
  layer "dense" "hidden2" {
    units      = 64
    activation = "tanh"
  }
  layer "dense" "logits" { units = 2 }
}

model "layers" "small" {
  input "features" { shape = [2] }
  layer "dense" "hidden" {
    units      = 16
    activation = "tanh"
  }
  layer "dense" "logits" { units = 2 }
}

train "supervised" "teacher" {
  graph  = model.layers.large.graph
  data   = dataset.synthetic.spirals.data
  loss   = "cross_entropy"
  epochs = 60
  optimizer "adamw" { lr = 0.005 }
}

# Students of two temperatures; the teacher is asked once. The hidden layer of 16 units is held against one of 64, through a projection.
train "distill" "student" {
  for_each = {
    cool = 1
    warm = 4
  }

  teacher       = train.supervised.teacher.model
  graph         = model.layers.small.graph
  data          = dataset.synthetic.spirals.data
  temperature   = each.value
  alpha         = 0.3
  hidden        = { hidden = "hidden2" }
  hidden_weight = 0.1
  epochs        = 40
  optimizer "adamw" { lr = 0.01 }
}

eval "classification" "test" {
  from = train.distill.student["warm"].model
  data = dataset.synthetic.spirals.data
}

output "student" { value = train.distill.student["warm"].model }
output "cool" { value = train.distill.student["cool"].model }
output "report" { value = eval.classification.test.report }
