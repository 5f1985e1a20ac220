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

# 40 epochs, each cached: with epochs = 50 ten more run on top of them. The best of them is given out, and training ends early
# when the loss on the valid split has not fallen for five.
train "supervised" "base" {
  graph     = model.layers.net.graph
  data      = dataset.synthetic.blobs.data
  loss      = "cross_entropy"
  epochs    = 40
  batch     = 64
  seed      = 1
  clip_norm = 1
  select    = "best"

  optimizer "adamw" {
    lr           = 0.003
    weight_decay = 0.01
  }
  early_stopping { patience = 5 }
}

output "model" { value = train.supervised.base.model }
