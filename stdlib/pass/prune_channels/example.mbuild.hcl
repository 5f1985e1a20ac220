dataset "synthetic" "blobs" {
  shape   = "blobs"
  rows    = 600
  classes = 3
  split {
    train = 0.7
    valid = 0.1
    test  = 0.2
  }
}

model "layers" "net" {
  input "features" { shape = [2] }
  layer "dense" "hidden" {
    units      = 16
    activation = "relu"
  }
  layer "dense" "logits" { units = 3 }
}

train "supervised" "base" {
  graph  = model.layers.net.graph
  data   = dataset.synthetic.blobs.data
  loss   = "cross_entropy"
  epochs = 5
  optimizer "adam" {}
}

# Half of the 16 units go, and three epochs of training mend what that broke.
pass "prune_channels" "half" {
  from  = train.supervised.base.model
  ratio = 0.5
}

train "supervised" "mended" {
  from   = pass.prune_channels.half.model
  data   = dataset.synthetic.blobs.data
  loss   = "cross_entropy"
  epochs = 3
  optimizer "adam" { lr = 0.0005 }
}

output "model" { value = train.supervised.mended.model }
