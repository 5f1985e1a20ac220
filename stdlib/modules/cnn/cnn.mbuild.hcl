# A convolutional network for images: blocks of convolution, batch normalisation, activation and pooling, each of which halves the
# image, and a head of dense layers.

variable "image" {
  type        = list(number)
  description = "Height, width and channels of an image."
  validation {
    condition     = length(var.image) == 3 && alltrue([for n in var.image : n >= 1 && floor(n) == n])
    error_message = "image must be three whole numbers of 1 or more: height, width, channels"
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

variable "filters" {
  type        = list(number)
  default     = [16, 32]
  description = "Channels of each block, from the input on."
  validation {
    condition     = length(var.filters) >= 1
    error_message = "filters must name at least one block"
  }
}

variable "kernel" {
  type        = number
  default     = 3
  description = "Size of the convolutions' kernels."
}

variable "norm" {
  type        = bool
  default     = true
  description = "Whether each convolution is followed by batch normalisation, in which case it has no bias."
}

variable "activation" {
  type        = string
  default     = "relu"
  description = "Activation of each block and hidden layer."
}

variable "head" {
  type        = string
  default     = "flatten"
  description = "What the dense layers see: \"flatten\" for every position, \"average\" for the mean of each channel."
  validation {
    condition     = contains(["flatten", "average"], var.head)
    error_message = "head must be \"flatten\" or \"average\""
  }
}

variable "hidden" {
  type        = list(number)
  default     = []
  description = "Units of dense layers between the blocks and the last one."
}

variable "dropout" {
  type        = number
  default     = 0
  description = "Probability to drop what the last layer sees while training; 0 leaves dropout out."
  validation {
    condition     = var.dropout >= 0 && var.dropout < 1
    error_message = "dropout must be at least 0 and below 1"
  }
}

variable "scale" {
  type        = number
  default     = 1
  description = "Factor on the input: 1/255 for pixels from 0 to 255."
}

variable "shift" {
  type        = number
  default     = 0
  description = "What is added to the input after that."
}

locals {
  blocks = flatten([for i, n in var.filters : concat(
    [{ type = "conv2d", name = "conv${i + 1}", body = { filters = n, kernel = var.kernel, padding = "same", use_bias = !var.norm } }],
    [for l in [{ type = "batch_norm", name = "norm${i + 1}", body = {} }] : l if var.norm],
    [{ type = "activation", name = "act${i + 1}", body = { function = var.activation } }],
    [{ type = "max_pool", name = "pool${i + 1}", body = { kernel = 2 } }],
  )])
  head   = [{ type = var.head == "flatten" ? "flatten" : "global_avg_pool", name = "head", body = {} }]
  hidden = [for i, n in var.hidden : { type = "dense", name = "hidden${i + 1}", body = { units = n, activation = var.activation } }]
  drop   = [for l in [{ type = "dropout", name = "drop", body = { rate = var.dropout } }] : l if var.dropout > 0]
}

model "layers" "net" {
  input "image" {
    shape = var.image
    scale = var.scale
    shift = var.shift
  }
  dynamic "layer" {
    for_each = concat(local.blocks, local.head, local.hidden, local.drop)
    labels   = [layer.value.type, layer.value.name]
    content {
      filters    = try(layer.value.body.filters, null)
      kernel     = try(layer.value.body.kernel, null)
      padding    = try(layer.value.body.padding, null)
      use_bias   = try(layer.value.body.use_bias, null)
      function   = try(layer.value.body.function, null)
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
