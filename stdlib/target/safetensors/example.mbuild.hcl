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

eval "classification" "test" {
  from = train.supervised.base.model
  data = dataset.synthetic.blobs.data
  gate "accuracy" { min = 0.8 }
}

# Written once the gate has passed, and only then.
target "safetensors" "model" {
  from  = train.supervised.base.model
  gates = [eval.classification.test.report]
  path  = "dist/model.safetensors"
}
