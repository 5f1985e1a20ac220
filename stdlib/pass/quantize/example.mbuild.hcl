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

# Weights as int8, one scale a channel; activations are quantized as they come.
pass "quantize" "int8" {
  from   = train.supervised.base.model
  scheme = "dynamic_int8"
  skip   = ["logits"]
}

target "onnx" "small" {
  from = pass.quantize.int8.model
  path = "dist/small.onnx"
}
