# Sentiment of English sentences: a BERT is fine-tuned, half of its blocks and a quarter of the units between its dense layers are
# taken out, what is left learns from it, is quantized to int8, and exported only if it is still good enough.
#
# As it stands the BERT is a tiny one that is pre-trained here, on the same sentences. With -var-file minilm.mbvars it is a real
# one, all-MiniLM-L6-v2 (README.md says how to fetch it).
# Run: mbuild -C examples/bert-finetune apply

variable "checkpoint" {
  type        = string
  default     = ""
  description = "Directory of a checkpoint, with model, tokenizer and what belongs to them; without it a tiny BERT is pre-trained."
}

variable "pretrain_epochs" {
  type        = number
  default     = 3
  description = "Passes of the tiny BERT over the sentences while it learns to guess hidden tokens."
}

variable "epochs" {
  type        = number
  default     = 6
  description = "Passes over the labelled sentences, of the BERT and of what is left of it. A real checkpoint needs 2."
}

variable "lr" {
  type        = number
  default     = 0.001
  description = "Learning rate of both. A real checkpoint wants a fifth."
}

variable "blocks" {
  type        = number
  default     = 1
  description = "Blocks that stay, of the tiny BERT's 2; of MiniLM's 6 those are 3."
}

variable "lengths" {
  type        = number
  default     = 12
  description = "Lengths that batches are padded to, for each of which XLA compiles each step: 12 keep padding below a tenth, 6 do not."
}

variable "min_accuracy" {
  type        = number
  default     = 0.75
  description = "Accuracy on the test split that a model must have to be exported. MiniLM allows 0.87."
}

variable "seed" {
  type        = number
  default     = 1
  description = "Seed of new weights, order of rows, dropout and hidden tokens. That of the split is fixed."
}

locals {
  real = var.checkpoint != ""
}

# 3,000 sentences of reviews from three sites; equal sentences stay in one part.
dataset "jsonl" "reviews" {
  files   = ["data/reviews.jsonl.gz"]
  text    = ["text", "site"]
  label   = "label"
  classes = ["negative", "positive"]

  split {
    train    = 0.7
    valid    = 0.1
    test     = 0.2
    seed     = 1
    by       = "content"
    stratify = true
  }
}

tokenizer "pretrained" "real" {
  enabled = local.real
  file    = "${var.checkpoint}/tokenizer.json"
  config  = "${var.checkpoint}/tokenizer_config.json"
}

tokenizer "wordpiece" "tiny" {
  enabled    = !local.real
  data       = dataset.jsonl.reviews.data
  columns    = ["text"]
  vocab_size = 1500
}

dataset "tokenized" "reviews" {
  from       = dataset.jsonl.reviews.data
  vocab      = local.real ? tokenizer.pretrained.real.vocab : tokenizer.wordpiece.tiny.vocab
  text       = "text"
  keep       = ["site"]
  max_length = 64
  lengths    = var.lengths
}

model "pretrained" "real" {
  enabled = local.real
  files   = ["${var.checkpoint}/config.json", "${var.checkpoint}/model.safetensors"]
  length  = 64
  head "classification" { outputs = 2 }
}

# The tiny BERT, once with logits of hidden tokens and once with a classifier on it.
module "masked" {
  source     = "std/bert"
  vocabulary = 1500
  length     = 64
  positions  = 64
  units      = 64
  blocks     = 2
  heads      = 4
  inner      = 128
  head       = "language_model"
}

module "classifier" {
  source     = "std/bert"
  vocabulary = 1500
  length     = 64
  positions  = 64
  units      = 64
  blocks     = 2
  heads      = 4
  inner      = 128
  outputs    = 2
}

# A small one that begins from nothing: a block of 32, with the vocabulary of the checkpoint.
module "small" {
  enabled    = local.real
  source     = "std/bert"
  vocabulary = 30522
  length     = 64
  positions  = 64
  units      = 32
  blocks     = 1
  heads      = 2
  inner      = 64
  outputs    = 2
}

train "pretrain" "tiny" {
  enabled   = !local.real
  graph     = module.masked.graph
  data      = dataset.tokenized.reviews.data
  objective = "masked_lm"
  epochs    = var.pretrain_epochs
  batch     = 32
  seed      = var.seed
  optimizer "adamw" { lr = 0.001 }
  schedule "constant" { warmup_steps = 100 }
}

# A checkpoint keeps its embeddings and the lower half of its blocks as they are: that is a third of the work less, and no worse.
train "supervised" "teacher" {
  graph     = local.real ? null : module.classifier.graph
  from      = local.real ? model.pretrained.real.model : train.pretrain.tiny.model
  data      = dataset.tokenized.reviews.data
  loss      = "cross_entropy"
  epochs    = var.epochs
  batch     = 32
  seed      = var.seed
  clip_norm = 1

  optimizer "adamw" { lr = var.lr }
  schedule "linear" {
    warmup_epochs = 0.25
    epochs        = var.epochs
  }
  group {
    match  = local.real ? ["tokens", "positions", "types", "embeddings_norm", "layer0_*", "layer1_*", "layer2_*"] : ["types"]
    freeze = true
  }
}

pass "drop_layers" "short" {
  from     = train.supervised.teacher.model
  blocks   = var.blocks
  strategy = "alternate"
}

pass "prune_channels" "narrow" {
  from  = pass.drop_layers.short.model
  ratio = 0.25
  skip  = ["pooler"]
}

# What is left of it learns from the labels and from the whole.
train "distill" "student" {
  teacher     = train.supervised.teacher.model
  from        = pass.prune_channels.narrow.model
  data        = dataset.tokenized.reviews.data
  temperature = 2
  alpha       = 0.5
  epochs      = var.epochs
  batch       = 32
  seed        = var.seed
  clip_norm   = 1

  optimizer "adamw" { lr = var.lr }
  schedule "linear" {
    warmup_epochs = 0.25
    epochs        = var.epochs
  }
  group {
    match  = local.real ? ["tokens", "positions", "types", "embeddings_norm"] : ["types"]
    freeze = true
  }
}

# It learns from the checkpoint alone, which knows more of words than these labels teach. The tiny BERT does not, and is no teacher for it.
train "distill" "small" {
  enabled     = local.real
  teacher     = train.supervised.teacher.model
  graph       = local.real ? module.small.graph : null
  data        = dataset.tokenized.reviews.data
  temperature = 2
  alpha       = 0
  epochs      = 6
  batch       = 32
  seed        = var.seed
  clip_norm   = 1

  optimizer "adamw" { lr = 0.003 }
  schedule "linear" {
    warmup_epochs = 0.25
    epochs        = 6
  }
}

pass "quantize" "int8" {
  from   = train.distill.student.model
  scheme = "dynamic_int8"
}

eval "classification" "teacher" {
  from = train.supervised.teacher.model
  data = dataset.tokenized.reviews.data
  slice { column = "site" }
}

eval "classification" "student" {
  from = train.distill.student.model
  data = dataset.tokenized.reviews.data
  slice { column = "site" }
  gate "accuracy" { min = var.min_accuracy }
  gate "accuracy_drop" {
    baseline = eval.classification.teacher.report
    max      = 0.05
  }
}

eval "classification" "small" {
  enabled = local.real
  from    = train.distill.small.model
  data    = dataset.tokenized.reviews.data
  slice { column = "site" }
}

eval "classification" "int8" {
  from = pass.quantize.int8.model
  data = dataset.tokenized.reviews.data
  slice { column = "site" }
  gate "accuracy" { min = var.min_accuracy }
  gate "accuracy_drop" {
    baseline = eval.classification.student.report
    max      = 0.01
  }
}

# config.json and model.safetensors, and the files of the tokenizer that belongs to them: what transformers loads by the directory's name.
target "huggingface" "student" {
  from   = train.distill.student.model
  vocab  = local.real ? tokenizer.pretrained.real.vocab : tokenizer.wordpiece.tiny.vocab
  labels = ["negative", "positive"]
  gates  = [eval.classification.student.report]
  path   = "dist/student"
}

target "onnx" "int8" {
  from  = pass.quantize.int8.model
  gates = [eval.classification.int8.report]
  path  = "dist/reviews-int8.onnx"
}
