# A classifier from a graph and data to files: it is trained, evaluated on the test split, held against a gate, and exported as
# safetensors and ONNX once the gate has passed.

variable "graph" {
  description = "Architecture whose outputs are logits, one a class (a reference to a graph)."
}

variable "data" {
  description = "Dataset with classes as labels and a test split (a reference to data)."
}

variable "epochs" {
  type        = number
  description = "Passes over the training data."
}

variable "batch" {
  type        = number
  default     = 64
  description = "Rows in a step."
}

variable "lr" {
  type        = number
  default     = 0.001
  description = "Learning rate of AdamW."
}

variable "weight_decay" {
  type        = number
  default     = 0.01
  description = "Weight decay of AdamW."
}

variable "seed" {
  type        = number
  default     = 0
  description = "Seed of initial weights, order of rows and dropout."
}

variable "min_accuracy" {
  type        = number
  description = "Accuracy on the test split below which nothing is exported."
  validation {
    condition     = var.min_accuracy >= 0 && var.min_accuracy <= 1
    error_message = "min_accuracy must be between 0 and 1"
  }
}

variable "path" {
  type        = string
  description = "Where the files go, without suffix: \"dist/model\" makes dist/model.safetensors and dist/model.onnx."
}

train "supervised" "fit" {
  graph  = var.graph
  data   = var.data
  loss   = "cross_entropy"
  epochs = var.epochs
  batch  = var.batch
  seed   = var.seed
  optimizer "adamw" {
    lr           = var.lr
    weight_decay = var.weight_decay
  }
}

eval "classification" "test" {
  from = train.supervised.fit.model
  data = var.data
  gate "accuracy" { min = var.min_accuracy }
}

target "safetensors" "weights" {
  from  = train.supervised.fit.model
  gates = [eval.classification.test.report]
  path  = "${var.path}.safetensors"
}

target "onnx" "model" {
  from  = train.supervised.fit.model
  gates = [eval.classification.test.report]
  path  = "${var.path}.onnx"
}

output "model" {
  value       = train.supervised.fit.model
  description = "The trained model: give it to passes and evals."
}

output "report" {
  value       = eval.classification.test.report
  description = "The evaluation on the test split: a baseline for gates."
}
