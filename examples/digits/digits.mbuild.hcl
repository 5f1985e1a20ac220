# Handwritten digits, 8x8 pixels: train a small network, prune half of it, quantize it to int8, and export it only if it is
# still good enough. Run: mbuild -C examples/digits apply

variable "epochs" {
  type        = number
  default     = 30
  description = "Passes over the training data."

  validation {
    condition     = var.epochs > 0
    error_message = "epochs must be positive"
  }
}

dataset "csv" "digits" {
  files  = ["digits.csv.gz"]
  header = false
  label  = -1 # the last of 65 columns; the other 64 are pixels from 0 to 16

  split {
    train = 0.7
    valid = 0.1
    test  = 0.2
    seed  = 7
  }
}

model "layers" "mlp" {
  input "pixels" {
    shape = [64]
    scale = 1 / 16
  }
  layer "dense" "hidden1" {
    units      = 128
    activation = "relu"
  }
  layer "dense" "hidden2" {
    units      = 64
    activation = "relu"
  }
  layer "dense" "logits" { units = 10 }
}

train "supervised" "base" {
  graph  = model.layers.mlp.graph
  data   = dataset.csv.digits.data
  loss   = "cross_entropy"
  epochs = var.epochs
  batch  = 64
  seed   = 42
  optimizer "adamw" { lr = 0.001 }
}

pass "prune" "half" {
  from     = train.supervised.base.model
  sparsity = 0.5
  finetune {
    data   = dataset.csv.digits.data
    loss   = "cross_entropy"
    epochs = 5
    batch  = 64
    optimizer "adamw" { lr = 0.0005 }
  }
}

pass "quantize" "int8" {
  from   = pass.prune.half.model
  scheme = "dynamic_int8"
}

eval "classification" "float" {
  from = train.supervised.base.model
  data = dataset.csv.digits.data
  gate "accuracy" { min = 0.95 }
}

eval "classification" "small" {
  from = pass.quantize.int8.model
  data = dataset.csv.digits.data
  gate "accuracy" { min = 0.95 }
  gate "accuracy_drop" {
    baseline = eval.classification.float.report
    max      = 0.01
  }
}

target "safetensors" "float" {
  from  = train.supervised.base.model
  gates = [eval.classification.float.report]
  path  = "dist/digits.safetensors"
}

target "onnx" "edge" {
  from  = pass.quantize.int8.model
  gates = [eval.classification.small.report]
  path  = "dist/digits-int8.onnx"
}
