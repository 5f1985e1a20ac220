dataset "synthetic" "line" {
  shape    = "linear"
  features = 4
  split {
    train = 0.8
    test  = 0.2
  }
}

model "layers" "linear" {
  input "features" { shape = [4] }
  layer "dense" "score" { units = 1 }
}

train "supervised" "fit" {
  graph  = model.layers.linear.graph
  data   = dataset.synthetic.line.data
  loss   = "mse"
  epochs = 20
  optimizer "adam" { lr = 0.05 }
}

# The order of the scores counts, not their size.
eval "similarity" "test" {
  from = train.supervised.fit.model
  data = dataset.synthetic.line.data
  gate "spearman" { min = 0.9 }
}

target "onnx" "line" {
  from  = train.supervised.fit.model
  gates = [eval.similarity.test.report]
  path  = "dist/line.onnx"
}
