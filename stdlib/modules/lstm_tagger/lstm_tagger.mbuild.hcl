# A tagger of sequences (Huang, Xu and Yu 2015, without the conditional random field): embeddings, recurrent layers in both
# directions, and of each position the logits of its tag.

variable "vocabulary" {
  type        = number
  description = "Number of different tokens."
  validation {
    condition     = var.vocabulary >= 1 && floor(var.vocabulary) == var.vocabulary
    error_message = "vocabulary must be a whole number of 1 or more"
  }
}

variable "length" {
  type        = number
  description = "Number of positions of a sequence, at most."
  validation {
    condition     = var.length >= 1 && floor(var.length) == var.length
    error_message = "length must be a whole number of 1 or more"
  }
}

variable "outputs" {
  type        = number
  description = "Number of tags."
  validation {
    condition     = var.outputs >= 1 && floor(var.outputs) == var.outputs
    error_message = "outputs must be a whole number of 1 or more"
  }
}

variable "embedding" {
  type        = number
  default     = 100
  description = "Features of a token."
  validation {
    condition     = var.embedding >= 1 && floor(var.embedding) == var.embedding
    error_message = "embedding must be a whole number of 1 or more"
  }
}

variable "units" {
  type        = number
  default     = 128
  description = "Size of the state in each direction."
  validation {
    condition     = var.units >= 1 && floor(var.units) == var.units
    error_message = "units must be a whole number of 1 or more"
  }
}

variable "layers" {
  type        = number
  default     = 1
  description = "Recurrent layers, one on the other."
  validation {
    condition     = var.layers >= 1 && floor(var.layers) == var.layers
    error_message = "layers must be a whole number of 1 or more"
  }
}

variable "cell" {
  type        = string
  default     = "lstm"
  description = "Kind of the recurrent layers."
  validation {
    condition     = contains(["lstm", "gru"], var.cell)
    error_message = "cell must be lstm or gru"
  }
}

variable "bidirectional" {
  type        = bool
  default     = true
  description = "Whether layers go both ways."
}

variable "dropout" {
  type        = number
  default     = 0.3
  description = "Probability to drop an output of embeddings and recurrent layers while training; 0 leaves dropout out."
  validation {
    condition     = var.dropout >= 0 && var.dropout < 1
    error_message = "dropout must be at least 0 and below 1"
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

locals {
  start = concat(
    [{ type = "padding_mask", name = "mask", body = { inputs = ["input_ids"], pad = var.pad } }],
    [{ type = "embedding", name = "tokens", body = { inputs = ["input_ids"], vocabulary = var.vocabulary, units = var.embedding, init = "glorot_uniform" } }],
    [for l in [{ type = "dropout", name = "embeddings_dropout", body = { rate = var.dropout } }] : l if var.dropout > 0],
  )
  body = flatten([for i in sequence(var.layers) : concat(
    [{ type = var.cell, name = "layer${i}", body = {
      inputs        = [i == 0 ? local.start[length(local.start) - 1].name : var.dropout > 0 ? "layer${i - 1}_dropout" : "layer${i - 1}", "mask"]
      units         = var.units
      bidirectional = var.bidirectional
    } }],
    [for l in [{ type = "dropout", name = "layer${i}_dropout", body = { rate = var.dropout } }] : l if var.dropout > 0],
  )])
  head = [{ type = "dense", name = "logits", body = { units = var.outputs } }]
}

model "layers" "net" {
  input "input_ids" {
    shape = [var.length]
    dtype = "int32"
  }
  dynamic "layer" {
    for_each = concat(local.start, local.body, local.head)
    labels   = [layer.value.type, layer.value.name]
    content {
      inputs        = try(layer.value.body.inputs, null)
      vocabulary    = try(layer.value.body.vocabulary, null)
      units         = try(layer.value.body.units, null)
      bidirectional = try(layer.value.body.bidirectional, null)
      init          = try(layer.value.body.init, null)
      pad           = try(layer.value.body.pad, null)
      rate          = try(layer.value.body.rate, null)
    }
  }
}

output "graph" {
  value       = model.layers.net.graph
  description = "The architecture: give it to train."
}
