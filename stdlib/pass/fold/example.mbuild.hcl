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
    units    = 16
    use_bias = false
  }
  layer "batch_norm" "norm" {}
  layer "activation" "bend" { function = "relu" }
  layer "dense" "logits" { units = 3 }
}

train "supervised" "base" {
  graph  = model.layers.net.graph
  data   = dataset.synthetic.blobs.data
  loss   = "cross_entropy"
  epochs = 5
  optimizer "adam" {}
}

# "hidden" does what "hidden" and "norm" did; fold before quantizing, so that int8 sees the weights that compute.
pass "fold" "deploy" { from = train.supervised.base.model }

output "model" { value = pass.fold.deploy.model }
