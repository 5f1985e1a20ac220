# Two towers: each makes a vector of length 1 of its sequence of ids, by the mean of their embeddings and dense layers; the model
# gives scale times the cosine of both, and the two vectors. Train it with binary_cross_entropy on pairs that belong together or
# do not. A sequence of length 1 is a user, a product, or whatever has a number.

variable "towers" {
  type        = list(object({ name = string, vocabulary = number, length = number }))
  description = "The two sides: the name of each, which its input NAME_input_ids and its layers bear, the number of different ids, and how many a sequence has at most."
  validation {
    condition     = length(var.towers) == 2
    error_message = "there are two towers"
  }
}

variable "embedding" {
  type        = number
  default     = 64
  description = "Features of an id."
  validation {
    condition     = var.embedding >= 1 && floor(var.embedding) == var.embedding
    error_message = "embedding must be a whole number of 1 or more"
  }
}

variable "units" {
  type        = number
  default     = 64
  description = "Size of the vectors."
  validation {
    condition     = var.units >= 1 && floor(var.units) == var.units
    error_message = "units must be a whole number of 1 or more"
  }
}

variable "hidden" {
  type        = list(number)
  default     = []
  description = "Units of the dense layers before the last one of each tower."
}

variable "activation" {
  type        = string
  default     = "relu"
  description = "Activation of these."
}

variable "scale" {
  type        = number
  default     = 10
  description = "Factor on the cosine: how sure the model can be."
  validation {
    condition     = var.scale > 0
    error_message = "scale must be above 0"
  }
}

variable "pad" {
  type        = number
  default     = 0
  description = "Token that stands for padding: 0 of tokenizer wordpiece, 1 of tokenizer bpe. Training refuses another than the tokenizer's."
  validation {
    condition     = var.pad >= 0 && floor(var.pad) == var.pad
    error_message = "pad must be a whole number of 0 or more"
  }
}

variable "shared" {
  type        = bool
  default     = false
  description = "Whether the second tower has the weights of the first, whose vocabulary is then that of both."
}

locals {
  layers = flatten([for t in var.towers : concat(
    [{ type = "padding_mask", name = "${t.name}_mask", body = { inputs = ["${t.name}_input_ids"], pad = var.pad } }],
    [{ type = "embedding", name = "${t.name}_tokens", body = { inputs = ["${t.name}_input_ids"], vocabulary = t.vocabulary, units = var.embedding, init = "glorot_uniform" } }],
    [{ type = "sequence_pool", name = "${t.name}_pool", body = { inputs = ["${t.name}_tokens", "${t.name}_mask"], mode = "mean" } }],
    [for i, units in var.hidden : { type = "dense", name = "${t.name}_hidden${i + 1}", body = { units = units, activation = var.activation } }],
    [{ type = "dense", name = "${t.name}_dense", body = { units = var.units } }],
    [{ type = "l2_normalize", name = "${t.name}_embedding", body = {} }],
  )])
  # with shared weights, what has weights in the second tower is a layer of the first once more
  first = var.towers[0].name
  built = [for l in concat(local.layers, local.score) : {
    type    = var.shared && startswith(l.name, "${var.towers[1].name}_") && contains(["embedding", "dense"], l.type) ? "shared" : l.type
    name    = l.name
    body    = l.body
    weights = "${local.first}${trimprefix(l.name, var.towers[1].name)}"
  }]
  score = [{ type = "dot", name = "score", body = { inputs = [for t in var.towers : "${t.name}_embedding"], scale = var.scale } }]
}

model "layers" "net" {
  dynamic "input" {
    for_each = var.towers
    labels   = ["${input.value.name}_input_ids"]
    content {
      shape = [input.value.length]
      dtype = "int32"
    }
  }
  dynamic "layer" {
    for_each = local.built
    labels   = [layer.value.type, layer.value.name]
    content {
      inputs     = try(layer.value.body.inputs, null)
      vocabulary = layer.value.type == "shared" ? null : try(layer.value.body.vocabulary, null)
      units      = layer.value.type == "shared" ? null : try(layer.value.body.units, null)
      activation = layer.value.type == "shared" ? null : try(layer.value.body.activation, null)
      init       = layer.value.type == "shared" ? null : try(layer.value.body.init, null)
      pad        = try(layer.value.body.pad, null)
      mode       = try(layer.value.body.mode, null)
      scale      = try(layer.value.body.scale, null)
      weights    = layer.value.type == "shared" ? layer.value.weights : null
    }
  }
  outputs = concat(["score"], [for t in var.towers : "${t.name}_embedding"])
}

output "graph" {
  value       = model.layers.net.graph
  description = "The architecture: give it to train."
}
