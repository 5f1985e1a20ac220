# A residual network for images (He et al. 2016, basic blocks): a stem, then stages of blocks of two convolutions, around which the
# input is added. Each stage but the first halves the image and projects what goes around.

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
  default     = [16, 32, 64]
  description = "Channels of each stage; the stem has those of the first."
  validation {
    condition     = length(var.filters) >= 1
    error_message = "filters must name at least one stage"
  }
}

variable "blocks" {
  type        = number
  default     = 2
  description = "Blocks in each stage: [16, 32, 64] with 3 is ResNet-20, [64, 128, 256, 512] with 2 is ResNet-18."
  validation {
    condition     = var.blocks >= 1 && floor(var.blocks) == var.blocks
    error_message = "blocks must be a whole number of 1 or more"
  }
}

variable "stem" {
  type        = object({ kernel = number, stride = number, pool = bool })
  default     = { kernel = 3, stride = 1, pool = false }
  description = "The first convolution, and whether a pooling of 3 with stride 2 follows: { kernel = 7, stride = 2, pool = true } for large images."
}

variable "activation" {
  type        = string
  default     = "relu"
  description = "Activation after each normalisation, and after each addition."
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
  stem = concat(
    [{ type = "conv2d", name = "stem", body = { filters = var.filters[0], kernel = var.stem.kernel, stride = var.stem.stride, padding = "same", use_bias = false } }],
    [{ type = "batch_norm", name = "stem_norm", body = {} }],
    [{ type = "activation", name = "stem_act", body = { function = var.activation } }],
    [for l in [{ type = "max_pool", name = "stem_pool", body = { kernel = 3, stride = 2, padding = "same" } }] : l if var.stem.pool],
  )
  # every block: its name, what it takes, its channels and stride
  blocks = flatten([for s, n in var.filters : [for b in sequence(var.blocks) : {
    name    = "s${s + 1}b${b + 1}"
    from    = b > 0 ? "s${s + 1}b${b}" : s > 0 ? "s${s}b${var.blocks}" : var.stem.pool ? "stem_pool" : "stem_act"
    filters = n
    stride  = s > 0 && b == 0 ? 2 : 1
  }]])
  body = flatten([for b in local.blocks : concat(
    [{ type = "conv2d", name = "${b.name}_conv1", body = { inputs = [b.from], filters = b.filters, kernel = 3, stride = b.stride, padding = "same", use_bias = false } }],
    [{ type = "batch_norm", name = "${b.name}_norm1", body = {} }],
    [{ type = "activation", name = "${b.name}_act1", body = { function = var.activation } }],
    [{ type = "conv2d", name = "${b.name}_conv2", body = { filters = b.filters, kernel = 3, padding = "same", use_bias = false } }],
    [{ type = "batch_norm", name = "${b.name}_norm2", body = {} }],
    [for l in [{ type = "conv2d", name = "${b.name}_around", body = { inputs = [b.from], filters = b.filters, kernel = 1, stride = b.stride, padding = "same", use_bias = false } }] : l if b.stride > 1],
    [for l in [{ type = "batch_norm", name = "${b.name}_around_norm", body = {} }] : l if b.stride > 1],
    [{ type = "add", name = "${b.name}_sum", body = { inputs = ["${b.name}_norm2", b.stride > 1 ? "${b.name}_around_norm" : b.from] } }],
    [{ type = "activation", name = b.name, body = { function = var.activation } }],
  )])
  head = concat(
    [{ type = "global_avg_pool", name = "pool", body = {} }],
    [for l in [{ type = "dropout", name = "drop", body = { rate = var.dropout } }] : l if var.dropout > 0],
  )
}

model "layers" "net" {
  input "image" {
    shape = var.image
    scale = var.scale
    shift = var.shift
  }
  dynamic "layer" {
    for_each = concat(local.stem, local.body, local.head)
    labels   = [layer.value.type, layer.value.name]
    content {
      inputs   = try(layer.value.body.inputs, null)
      filters  = try(layer.value.body.filters, null)
      kernel   = try(layer.value.body.kernel, null)
      stride   = try(layer.value.body.stride, null)
      padding  = try(layer.value.body.padding, null)
      use_bias = try(layer.value.body.use_bias, null)
      function = try(layer.value.body.function, null)
      rate     = try(layer.value.body.rate, null)
    }
  }
  layer "dense" "logits" { units = var.outputs }
}

output "graph" {
  value       = model.layers.net.graph
  description = "The architecture: give it to train."
}
