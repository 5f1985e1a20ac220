# BERT (Devlin et al. 2019), from scratch; its layers are called as those of a model "pretrained", so that groups and passes
# are written alike. The sizes that are there without saying are those of the base model.

variable "vocabulary" {
  type        = number
  default     = 30522
  description = "Number of different tokens."
  validation {
    condition     = var.vocabulary >= 1 && floor(var.vocabulary) == var.vocabulary
    error_message = "vocabulary must be a whole number of 1 or more"
  }
}

variable "length" {
  type        = number
  default     = 512
  description = "Number of positions of a sequence, at most."
  validation {
    condition     = var.length >= 1 && floor(var.length) == var.length
    error_message = "length must be a whole number of 1 or more"
  }
}

variable "positions" {
  type        = number
  default     = 512
  description = "Rows of the table of positions, at least length."
  validation {
    condition     = var.positions >= 1 && floor(var.positions) == var.positions
    error_message = "positions must be a whole number of 1 or more"
  }
}

variable "types" {
  type        = number
  default     = 2
  description = "Types of tokens."
  validation {
    condition     = var.types >= 1 && floor(var.types) == var.types
    error_message = "types must be a whole number of 1 or more"
  }
}

variable "token_types" {
  type        = bool
  default     = false
  description = "Whether an input token_type_ids says which of two texts a token is of."
}

variable "units" {
  type        = number
  default     = 768
  description = "Features of a position."
  validation {
    condition     = var.units >= 1 && floor(var.units) == var.units
    error_message = "units must be a whole number of 1 or more"
  }
}

variable "blocks" {
  type        = number
  default     = 12
  description = "Blocks of attention and two dense layers."
  validation {
    condition     = var.blocks >= 1 && floor(var.blocks) == var.blocks
    error_message = "blocks must be a whole number of 1 or more"
  }
}

variable "heads" {
  type        = number
  default     = 12
  description = "Heads of attention; they divide units."
  validation {
    condition     = var.heads >= 1 && floor(var.heads) == var.heads
    error_message = "heads must be a whole number of 1 or more"
  }
}

variable "inner" {
  type        = number
  default     = 0
  description = "Units between the two dense layers of a block; 0 for four times units."
}

variable "activation" {
  type        = string
  default     = "gelu"
  description = "Activation between the two dense layers of a block."
}

variable "epsilon" {
  type        = number
  default     = 1e-12
  description = "Epsilon of the norms."
}

variable "attention_dropout" {
  type        = number
  default     = 0
  description = "Probability to drop a weight of the attention while training."
  validation {
    condition     = var.attention_dropout >= 0 && var.attention_dropout < 1
    error_message = "attention_dropout must be at least 0 and below 1"
  }
}

variable "dropout" {
  type        = number
  default     = 0.1
  description = "Probability to drop an output of embeddings, attention and dense layers while training; 0 leaves dropout out."
  validation {
    condition     = var.dropout >= 0 && var.dropout < 1
    error_message = "dropout must be at least 0 and below 1"
  }
}

variable "head" {
  type        = string
  default     = "classification"
  description = "What stands on the blocks: nothing, the mean of all positions, a classifier of the first, a classifier of each, or logits of tokens."
  validation {
    condition     = contains(["hidden", "embedding", "classification", "tagging", "language_model"], var.head)
    error_message = "head must be hidden, embedding, classification, tagging or language_model"
  }
}

variable "outputs" {
  type        = number
  default     = 2
  description = "Numbers that a head classification or tagging gives."
  validation {
    condition     = var.outputs >= 1 && floor(var.outputs) == var.outputs
    error_message = "outputs must be a whole number of 1 or more"
  }
}

locals {
  inner             = var.inner > 0 ? var.inner : 4 * var.units
  attention_dropout = var.attention_dropout > 0 ? var.attention_dropout : null
  start = concat(
    [{ type = "embedding", name = "tokens", body = { inputs = ["input_ids"], vocabulary = var.vocabulary, units = var.units } }],
    [{ type = "type_embedding", name = "types", body = { inputs = var.token_types ? ["tokens", "token_type_ids"] : ["tokens"], types = var.types } }],
    [{ type = "position_embedding", name = "positions", body = { positions = var.positions } }],
    [{ type = "layer_norm", name = "embeddings_norm", body = { epsilon = var.epsilon } }],
    [for l in [{ type = "dropout", name = "embeddings_dropout", body = { rate = var.dropout } }] : l if var.dropout > 0],
  )
  # every block: its name and what it takes
  blocks = [for i in sequence(var.blocks) : {
    name = "layer${i}"
    from = i > 0 ? "layer${i - 1}_norm" : var.dropout > 0 ? "embeddings_dropout" : "embeddings_norm"
  }]
  body = flatten([for b in local.blocks : concat(
    [for part in ["query", "key", "value"] : { type = "dense", name = "${b.name}_${part}", body = { inputs = [b.from], units = var.units, init = "normal" } }],
    [{ type = "attention", name = "${b.name}_attention", body = { inputs = ["${b.name}_query", "${b.name}_key", "${b.name}_value", "attention_mask"], heads = var.heads, dropout = local.attention_dropout } }],
    [{ type = "dense", name = "${b.name}_output", body = { units = var.units, init = "normal" } }],
    [for l in [{ type = "dropout", name = "${b.name}_output_dropout", body = { rate = var.dropout } }] : l if var.dropout > 0],
    [{ type = "add", name = "${b.name}_attention_sum", body = { inputs = [var.dropout > 0 ? "${b.name}_output_dropout" : "${b.name}_output", b.from] } }],
    [{ type = "layer_norm", name = "${b.name}_attention_norm", body = { epsilon = var.epsilon } }],
    [{ type = "dense", name = "${b.name}_inner", body = { units = local.inner, activation = var.activation, init = "normal" } }],
    [{ type = "dense", name = "${b.name}_outer", body = { units = var.units, init = "normal" } }],
    [for l in [{ type = "dropout", name = "${b.name}_outer_dropout", body = { rate = var.dropout } }] : l if var.dropout > 0],
    [{ type = "add", name = "${b.name}_sum", body = { inputs = [var.dropout > 0 ? "${b.name}_outer_dropout" : "${b.name}_outer", "${b.name}_attention_norm"] } }],
    [{ type = "layer_norm", name = "${b.name}_norm", body = { epsilon = var.epsilon } }],
  )])
  last    = "layer${var.blocks - 1}_norm"
  dropped = [for l in [{ type = "dropout", name = "classifier_dropout", body = { rate = var.dropout } }] : l if var.dropout > 0]
  heads = {
    hidden    = []
    embedding = [{ type = "sequence_pool", name = "pool", body = { inputs = [local.last, "attention_mask"], mode = "mean" } }]
    classification = concat(
      [{ type = "sequence_pool", name = "pool", body = { mode = "first" } }],
      [{ type = "dense", name = "pooler", body = { units = var.units, activation = "tanh", init = "normal" } }],
      local.dropped,
      [{ type = "dense", name = "classifier", body = { units = var.outputs, init = "normal" } }],
    )
    tagging = concat(local.dropped, [{ type = "dense", name = "classifier", body = { units = var.outputs, init = "normal" } }])
    language_model = [
      { type = "dense", name = "transform", body = { units = var.units, activation = var.activation, init = "normal" } },
      { type = "layer_norm", name = "transform_norm", body = { epsilon = var.epsilon } },
      { type = "tied_dense", name = "predictions", body = { embedding = "tokens" } },
    ]
  }
}

model "layers" "net" {
  input "input_ids" {
    shape = [var.length]
    dtype = "int64"
  }
  input "attention_mask" {
    shape = [var.length]
    dtype = "int64"
  }
  dynamic "input" {
    for_each = var.token_types ? ["token_type_ids"] : []
    labels   = [input.value]
    content {
      shape = [var.length]
      dtype = "int64"
    }
  }
  dynamic "layer" {
    for_each = concat(local.start, local.body, local.heads[var.head])
    labels   = [layer.value.type, layer.value.name]
    content {
      inputs     = try(layer.value.body.inputs, null)
      vocabulary = try(layer.value.body.vocabulary, null)
      units      = try(layer.value.body.units, null)
      positions  = try(layer.value.body.positions, null)
      types      = try(layer.value.body.types, null)
      embedding  = try(layer.value.body.embedding, null)
      heads      = try(layer.value.body.heads, null)
      dropout    = try(layer.value.body.dropout, null)
      activation = try(layer.value.body.activation, null)
      init       = try(layer.value.body.init, null)
      epsilon    = try(layer.value.body.epsilon, null)
      rate       = try(layer.value.body.rate, null)
      mode       = try(layer.value.body.mode, null)
    }
  }
}

output "graph" {
  value       = model.layers.net.graph
  description = "The architecture: give it to train."
}
