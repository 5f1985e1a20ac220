# A network that is trained on one set of points, and taken further on another.
dataset "synthetic" "first" {
  shape   = "blobs"
  rows    = 300
  classes = 3
  split {
    train = 0.8
    test  = 0.2
  }
}

dataset "synthetic" "second" {
  shape   = "blobs"
  rows    = 300
  classes = 3
  seed    = 7
  split {
    train = 0.8
    test  = 0.2
  }
}

model "layers" "net" {
  input "features" { shape = [2] }
  layer "dense" "inner" {
    units      = 16
    activation = "relu"
  }
  layer "dense" "outer" { units = 16 }
  layer "dense" "logits" { units = 3 }
}

train "supervised" "base" {
  graph  = model.layers.net.graph
  data   = dataset.synthetic.first.data
  loss   = "cross_entropy"
  epochs = 5
  optimizer "adamw" { lr = 0.01 }
}

# Behind the second layer, whatever it is called; in a transformer, placement says where.
train "adapter" "tuned" {
  from            = train.supervised.base.model
  targets         = ["outer"]
  width           = 4
  modules_to_save = ["logits"]
  data            = dataset.synthetic.second.data
  loss            = "cross_entropy"
  epochs          = 5
  optimizer "adamw" { lr = 0.01 }
}

output "adapter" { value = train.adapter.tuned.adapter }
output "model" { value = train.adapter.tuned.model }
