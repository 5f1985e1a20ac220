# Names of people, places and organisations in text: train a recurrent tagger and a transformer on the same tokens, hold each type
# of entity against a gate, and export what passes. Run: mbuild -C examples/ner apply

variable "files" {
  type        = list(string)
  default     = ["data/train.conll"]
  description = "Files in CoNLL's columns, a token and its tag on a line, to train on."
}

variable "test_files" {
  type        = list(string)
  default     = ["data/test.conll"]
  description = "Files to test on; with none, a tenth of the documents of files is kept for it."
}

variable "group" {
  type        = string
  default     = "document"
  nullable    = true
  description = "What stays in one part of the data: a document (between lines of -DOCSTART-). null where files do not say where one begins."
}

variable "max_sentences" {
  type        = number
  default     = null
  nullable    = true
  description = "Take so many sentences of the files at most."
}

variable "vocabulary" {
  type        = number
  default     = 400
  description = "Tokens of the vocabulary. Names that it does not have are spelt out."
}

variable "types" {
  type        = list(string)
  default     = ["LOC", "ORG", "PER"]
  description = "Types of entities in the files."
}

variable "min_f1" {
  type = map(map(number))
  default = {
    lstm        = { LOC = 0.8, ORG = 0.75, PER = 0.7 }
    transformer = { LOC = 0.75, ORG = 0.8, PER = 0.6 }
  }
  description = "F1 of each type on the test split below which a model is not exported, by model."
}

variable "epochs" {
  type = map(number)
  default = {
    lstm        = 6
    transformer = 6
  }
  description = "Passes over the training data by model."
}

locals {
  tags   = concat(["O"], flatten([for t in var.types : ["B-${t}", "I-${t}"]]))
  length = 64
  models = {
    lstm        = { graph = module.lstm.graph, lr = 0.005 }
    transformer = { graph = module.transformer.graph, lr = 0.002 }
  }
}

dataset "conll" "names" {
  files         = var.files
  test_files    = length(var.test_files) > 0 ? var.test_files : null
  classes       = local.tags
  max_sentences = var.max_sentences
  leaks         = "error" # a sentence that is trained on tests nothing

  split {
    train = length(var.test_files) > 0 ? 0.9 : 0.8
    valid = 0.1
    test  = length(var.test_files) > 0 ? 0 : 0.1
    seed  = 1
    group = var.group
  }
}

tokenizer "wordpiece" "pieces" {
  data       = dataset.conll.names.data
  vocab_size = var.vocabulary
  lowercase  = false # capitals tell names
}

dataset "tokenized" "names" {
  from       = dataset.conll.names.data
  vocab      = tokenizer.wordpiece.pieces.vocab
  max_length = local.length
}

module "lstm" {
  source     = "std/lstm_tagger"
  vocabulary = var.vocabulary
  length     = local.length
  outputs    = length(local.tags)
  embedding  = 48
  units      = 48
}

module "transformer" {
  source     = "std/transformer_encoder"
  vocabulary = var.vocabulary
  length     = local.length
  outputs    = length(local.tags)
  pool       = "none"
  units      = 64
  blocks     = 3
  heads      = 4
  inner      = 128
  position   = "rotary"
  dropout    = 0.2
}

train "supervised" "tagger" {
  for_each = local.models

  graph  = each.value.graph
  data   = dataset.tokenized.names.data
  loss   = "cross_entropy"
  epochs = var.epochs[each.key]
  batch  = 32
  seed   = 42
  select = "best"

  optimizer "adamw" { lr = each.value.lr }
  schedule "wsd" {
    warmup_steps = 20
    decay_epochs = 2
  }
}

eval "tagging" "test" {
  for_each = local.models

  from = train.supervised.tagger[each.key].model
  data = dataset.tokenized.names.data

  dynamic "gate" {
    for_each = var.min_f1[each.key]
    labels   = ["f1_${gate.key}"]
    content { min = gate.value }
  }
}

target "onnx" "tagger" {
  for_each = local.models

  from  = train.supervised.tagger[each.key].model
  gates = [eval.tagging.test[each.key].report]
  path  = "dist/${each.key}.onnx"
}

target "hf_tokenizer" "pieces" {
  from = tokenizer.wordpiece.pieces.vocab
  path = "dist/tokenizer"
}
