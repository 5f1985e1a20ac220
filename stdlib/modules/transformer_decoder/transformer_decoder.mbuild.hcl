# A transformer decoder: of each position, logits of the token after it. No position sees those that come later; the output has
# the weight of the token embedding.

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

variable "units" {
  type        = number
  default     = 128
  description = "Features of a position."
  validation {
    condition     = var.units >= 1 && floor(var.units) == var.units
    error_message = "units must be a whole number of 1 or more"
  }
}

variable "blocks" {
  type        = number
  default     = 2
  description = "Blocks of attention and two dense layers."
  validation {
    condition     = var.blocks >= 1 && floor(var.blocks) == var.blocks
    error_message = "blocks must be a whole number of 1 or more"
  }
}

variable "heads" {
  type        = number
  default     = 4
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

variable "position" {
  type        = string
  default     = "learned"
  description = "How positions are told apart: a table that is learned, or attention that turns features by position."
  validation {
    condition     = contains(["learned", "rotary"], var.position)
    error_message = "position must be learned or rotary"
  }
}

variable "norm" {
  type        = string
  default     = "pre"
  description = "Where norms stand: in front of attention and dense layers, which trains more easily (GPT-2), or behind the sums (Vaswani et al. 2017, GPT)."
  validation {
    condition     = contains(["pre", "post"], var.norm)
    error_message = "norm must be pre or post"
  }
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
  inner             = var.inner > 0 ? var.inner : 4 * var.units
  attention_dropout = var.attention_dropout > 0 ? var.attention_dropout : null
  start = concat(
    [{ type = "padding_mask", name = "mask", body = { inputs = ["input_ids"], pad = var.pad } }],
    [{ type = "embedding", name = "tokens", body = { inputs = ["input_ids"], vocabulary = var.vocabulary, units = var.units } }],
    [for l in [{ type = "position_embedding", name = "positions", body = { positions = var.length } }] : l if var.position == "learned"],
    [for l in [{ type = "dropout", name = "embeddings_dropout", body = { rate = var.dropout } }] : l if var.dropout > 0],
  )
  # every block: its name and what it takes
  blocks = [for i in sequence(var.blocks) : {
    name = "layer${i}"
    from = i == 0 ? local.start[length(local.start) - 1].name : var.norm == "pre" ? "layer${i - 1}_sum" : "layer${i - 1}_norm"
  }]
  body = flatten([for b in local.blocks : concat(
    [for l in [{ type = "layer_norm", name = "${b.name}_attention_norm", body = { inputs = [b.from] } }] : l if var.norm == "pre"],
    [for part in ["query", "key", "value"] : { type = "dense", name = "${b.name}_${part}", body = { inputs = [var.norm == "pre" ? "${b.name}_attention_norm" : b.from], units = var.units, init = "normal" } }],
    [{ type = "attention", name = "${b.name}_attention", body = { inputs = ["${b.name}_query", "${b.name}_key", "${b.name}_value", "mask"], heads = var.heads, dropout = local.attention_dropout, causal = true, rotary = var.position == "rotary" } }],
    [{ type = "dense", name = "${b.name}_output", body = { units = var.units, init = "normal" } }],
    [for l in [{ type = "dropout", name = "${b.name}_output_dropout", body = { rate = var.dropout } }] : l if var.dropout > 0],
    [{ type = "add", name = "${b.name}_attention_sum", body = { inputs = [var.dropout > 0 ? "${b.name}_output_dropout" : "${b.name}_output", b.from] } }],
    [{ type = "layer_norm", name = var.norm == "pre" ? "${b.name}_norm" : "${b.name}_attention_norm", body = {} }],
    [{ type = "dense", name = "${b.name}_inner", body = { units = local.inner, activation = var.activation, init = "normal" } }],
    [{ type = "dense", name = "${b.name}_outer", body = { units = var.units, init = "normal" } }],
    [for l in [{ type = "dropout", name = "${b.name}_outer_dropout", body = { rate = var.dropout } }] : l if var.dropout > 0],
    [{ type = "add", name = "${b.name}_sum", body = { inputs = [var.dropout > 0 ? "${b.name}_outer_dropout" : "${b.name}_outer", var.norm == "pre" ? "${b.name}_attention_sum" : "${b.name}_attention_norm"] } }],
    [for l in [{ type = "layer_norm", name = "${b.name}_norm", body = {} }] : l if var.norm == "post"],
  )])
  head = concat(
    [for l in [{ type = "layer_norm", name = "final_norm", body = {} }] : l if var.norm == "pre"],
    [{ type = "tied_dense", name = "predictions", body = { embedding = "tokens", use_bias = false } }],
  )
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
      inputs     = try(layer.value.body.inputs, null)
      vocabulary = try(layer.value.body.vocabulary, null)
      units      = try(layer.value.body.units, null)
      positions  = try(layer.value.body.positions, null)
      embedding  = try(layer.value.body.embedding, null)
      pad        = try(layer.value.body.pad, null)
      heads      = try(layer.value.body.heads, null)
      dropout    = try(layer.value.body.dropout, null)
      causal     = try(layer.value.body.causal, null)
      rotary     = try(layer.value.body.rotary, null)
      activation = try(layer.value.body.activation, null)
      use_bias   = try(layer.value.body.use_bias, null)
      init       = try(layer.value.body.init, null)
      epsilon    = try(layer.value.body.epsilon, null)
      rate       = try(layer.value.body.rate, null)
    }
  }
}

output "graph" {
  value       = model.layers.net.graph
  description = "The architecture: give it to train."
}
