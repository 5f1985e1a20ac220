# Fashion-MNIST, small grey images of ten kinds of clothes: train a convolutional network on augmented images, fold its normalisation
# away, cut a quarter of its channels out and mend it, quantize it to int8, and export it only if it is still good enough.
# Run: mbuild -C examples/fashion-cnn apply

variable "data" {
  type        = string
  default     = "data"
  description = "Directory of the data. The one here holds a subset; for the whole set, put a link to its directory beside it."
}

variable "epochs" {
  type        = number
  default     = 5
  description = "Passes over the training data; in the last third of them the learning rate falls."

  validation {
    condition     = var.epochs >= 3
    error_message = "epochs must be at least 3"
  }
}

variable "min_accuracy" {
  type        = number
  default     = 0.85
  description = "Accuracy on the test set that a model must have to be exported; the whole set allows 0.9."
}

dataset "idx" "fashion" {
  images  = "${var.data}/train-images-idx3-ubyte.gz"
  labels  = "${var.data}/train-labels-idx1-ubyte.gz"
  classes = ["t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"]

  test {
    images = "${var.data}/t10k-images-idx3-ubyte.gz"
    labels = "${var.data}/t10k-labels-idx1-ubyte.gz"
  }

  split {
    train    = 0.9
    valid    = 0.1
    seed     = 1
    stratify = true
  }
}

# Two blocks of convolution, batch normalisation, relu and pooling, and a hidden layer.
module "net" {
  source  = "std/cnn"
  image   = [28, 28, 1]
  outputs = 10
  filters = [16, 32]
  hidden  = [64]
  scale   = 1 / 255
}

train "supervised" "base" {
  graph  = module.net.graph
  data   = dataset.idx.fashion.data
  loss   = "cross_entropy"
  epochs = var.epochs
  batch  = 64
  seed   = 42

  optimizer "adamw" { lr = 0.002 }
  schedule "wsd" {
    warmup_steps = 50
    decay_epochs = floor(var.epochs / 3)
    shape        = "sqrt"
  }

  # a shoe may point either way, and stand a little off the centre
  augment "flip" {}
  augment "crop" { padding = 1 }
}

pass "fold" "plain" { from = train.supervised.base.model }

pass "prune_channels" "narrow" {
  from  = pass.fold.plain.model
  ratio = 0.25
}

train "supervised" "mended" {
  from   = pass.prune_channels.narrow.model
  data   = dataset.idx.fashion.data
  loss   = "cross_entropy"
  epochs = 2
  batch  = 64
  seed   = 43

  optimizer "adamw" { lr = 0.001 }
  schedule "wsd" { decay_epochs = 1 }
  augment "flip" {}
}

pass "quantize" "int8" {
  from   = train.supervised.mended.model
  scheme = "dynamic_int8"
}

eval "classification" "float" {
  from = pass.fold.plain.model
  data = dataset.idx.fashion.data
  gate "accuracy" { min = var.min_accuracy }
}

eval "classification" "small" {
  from = pass.quantize.int8.model
  data = dataset.idx.fashion.data
  gate "accuracy" { min = var.min_accuracy }
  gate "accuracy_drop" {
    baseline = eval.classification.float.report
    max      = 0.02
  }
}

target "safetensors" "float" {
  from  = pass.fold.plain.model
  gates = [eval.classification.float.report]
  path  = "dist/fashion.safetensors"
}

target "onnx" "edge" {
  from  = pass.quantize.int8.model
  gates = [eval.classification.small.report]
  path  = "dist/fashion-int8.onnx"
}
