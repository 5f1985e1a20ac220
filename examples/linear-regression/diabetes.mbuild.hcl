# Linear regression by gradient descent: with all rows in one batch and features scaled to deviation 1, it reaches the least-squares
# solution that linear algebra gives in closed form. Run: mbuild -C examples/linear-regression apply

dataset "csv" "diabetes" {
  files       = ["diabetes.csv.gz"]
  label       = "target"
  label_kind  = "number"
  standardize = true
}

model "layers" "linear" {
  input "features" { shape = [10] }
  layer "dense" "y" {
    units = 1
    init  = "zeros"
  }
}

train "supervised" "gd" {
  graph   = model.layers.linear.graph
  data    = dataset.csv.diabetes.data
  loss    = "mse"
  epochs  = 300
  batch   = 442
  shuffle = false
  optimizer "momentum" {
    lr       = 0.4
    momentum = 0.85
  }
}

eval "regression" "fit" {
  from = train.supervised.gd.model
  data = dataset.csv.diabetes.data
  gate "r2" { min = 0.517 }
}

target "safetensors" "weights" {
  from  = train.supervised.gd.model
  gates = [eval.regression.fit.report]
  path  = "dist/diabetes.safetensors"
}

target "onnx" "model" {
  from  = train.supervised.gd.model
  gates = [eval.regression.fit.report]
  path  = "dist/diabetes.onnx"
}
