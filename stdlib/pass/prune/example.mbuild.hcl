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

# The smallest half of all weights becomes zero, and three epochs of training, on rows with a little noise, mend what that broke; zeros
# stay zero.
pass "prune" "half" {
  from     = train.supervised.base.model
  sparsity = 0.5

  finetune {
    data   = dataset.synthetic.blobs.data
    loss   = "cross_entropy"
    epochs = 3
    optimizer "adam" { lr = 0.0005 }
    augment "noise" { deviation = 0.05 }
  }
}

output "model" { value = pass.prune.half.model }
