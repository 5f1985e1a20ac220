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

pass "quantize" "int8" {
  from   = train.supervised.base.model
  scheme = "dynamic_int8"
}

eval "classification" "float" {
  from = train.supervised.base.model
  data = dataset.synthetic.blobs.data
}

# Two gates: one on the report itself, one on what was lost against another report.
eval "classification" "small" {
  from = pass.quantize.int8.model
  data = dataset.synthetic.blobs.data
  gate "macro_f1" { min = 0.8 }
  gate "accuracy_drop" {
    baseline = eval.classification.float.report
    max      = 0.01
  }
}

target "onnx" "small" {
  from  = pass.quantize.int8.model
  gates = [eval.classification.small.report]
  path  = "dist/small.onnx"
}
