# A multi-layer perceptron: dense layers with one activation between them, and a last layer without.

variable "features" {
  type        = number
  description = "Numbers in one example."
  validation {
    condition     = var.features >= 1 && floor(var.features) == var.features
    error_message = "features must be a whole number of 1 or more"
  }
}

variable "outputs" {
  type        = number
  description = "Numbers that the model gives: classes of a classifier, 1 for a regression."
  validation {
    condition     = var.outputs >= 1 && floor(var.outputs) == var.outputs
    error_message = "outputs must be a whole number of 1 or more"
  }
}

variable "hidden" {
  type        = list(number)
  default     = [128, 64]
  description = "Units of each hidden layer, from the input on; none makes a linear model."
}

variable "activation" {
  type        = string
  default     = "relu"
  description = "Activation after each hidden layer."
}

variable "dropout" {
  type        = number
  default     = 0
  description = "Probability to drop an output of a hidden layer while training; 0 leaves dropout out."
  validation {
    condition     = var.dropout >= 0 && var.dropout < 1
    error_message = "dropout must be at least 0 and below 1"
  }
}

variable "scale" {
  type        = number
  default     = 1
  description = "Factor on the input: 1/16 for pixels from 0 to 16."
}

locals {
  hidden = [for i, units in var.hidden : { name = "hidden${i + 1}", units = units, drop = "drop${i + 1}" }]
  layers = flatten([for l in local.hidden : concat(
    [{ type = "dense", name = l.name, body = { units = l.units, activation = var.activation } }],
    var.dropout > 0 ? [{ type = "dropout", name = l.drop, body = { rate = var.dropout } }] : [],
  )])
}

model "layers" "net" {
  input "features" {
    shape = [var.features]
    scale = var.scale
  }
  dynamic "layer" {
    for_each = local.layers
    labels   = [layer.value.type, layer.value.name]
    content {
      units      = try(layer.value.body.units, null)
      activation = try(layer.value.body.activation, null)
      rate       = try(layer.value.body.rate, null)
    }
  }
  layer "dense" "logits" { units = var.outputs }
}

output "graph" {
  value       = model.layers.net.graph
  description = "The architecture: give it to train."
}
