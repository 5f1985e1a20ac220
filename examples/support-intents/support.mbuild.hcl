# What customers of a shop want, in English and Chinese: a classifier of intents that rejects what it does not know, and an index of
# canned answers to search in. Run: mbuild -C examples/support-intents apply

variable "confidence" {
  type        = number
  default     = 0.5
  description = "Probability of an intent below which an utterance is taken to be out of scope."
}

variable "epochs" {
  type        = object({ intents = number, answers = number })
  default     = { intents = 12, answers = 12 }
  description = "Passes over the utterances, and over pairs of an utterance and an answer."
}

variable "seed" {
  type        = number
  default     = 42
  description = "Decides initial weights, the order of rows and what is dropped out."
}

locals {
  intents    = ["cancel_order", "change_address", "discount_code", "human_agent", "invoice", "order_status", "payment_failed", "refund_status", "reset_password", "return_item"]
  vocabulary = 700
  length     = 48
}

dataset "jsonl" "utterances" {
  files       = ["data/train.jsonl"]
  valid_files = ["data/valid.jsonl"] # other sentences than either of the others: settings are chosen by them
  test_files  = ["data/test.jsonl"]
  text        = ["utterance", "language"]
  label       = "intent"
  classes     = local.intents
  leaks       = "error" # an utterance that is trained on tests nothing
}

tokenizer "wordpiece" "pieces" {
  data       = dataset.jsonl.pairs.data
  columns    = ["utterance", "answer"]
  vocab_size = local.vocabulary
}

dataset "tokenized" "utterances" {
  from       = dataset.jsonl.utterances.data
  vocab      = tokenizer.wordpiece.pieces.vocab
  text       = "utterance"
  keep       = ["language"]
  max_length = local.length
}

module "classifier" {
  source     = "std/transformer_encoder"
  vocabulary = local.vocabulary
  length     = local.length
  outputs    = length(local.intents)
  units      = 48
  blocks     = 1
  inner      = 96
  dropout    = 0.2
}

train "supervised" "intents" {
  graph           = module.classifier.graph
  data            = dataset.tokenized.utterances.data
  loss            = "cross_entropy"
  label_smoothing = 0.3 # a model that is never quite sure can be asked how sure it is
  epochs          = var.epochs.intents
  batch           = 32
  seed            = var.seed
  select          = "best"

  optimizer "adamw" { lr = 0.003 }
  schedule "wsd" {
    warmup_steps = 20
    decay_epochs = 3
  }
}

eval "classification" "intents" {
  from = train.supervised.intents.model
  data = dataset.tokenized.utterances.data
  slice { column = "language" }
  gate "accuracy" { min = 0.95 }
  gate "lowest_accuracy" { min = 0.9 }
}

# What customers write in truth: what the classifier knows, and what nobody has told it of. The threshold is chosen by the valid
# files, and measured with the others.
dataset "jsonl" "traffic_valid" {
  files   = ["data/valid.jsonl", "data/valid_outside.jsonl"]
  text    = ["utterance", "language"]
  label   = "intent"
  classes = concat(local.intents, ["out_of_scope"])
}

dataset "jsonl" "traffic_test" {
  files   = ["data/test.jsonl", "data/test_outside.jsonl"]
  text    = ["utterance", "language"]
  label   = "intent"
  classes = concat(local.intents, ["out_of_scope"])
}

dataset "tokenized" "traffic_valid" {
  from       = dataset.jsonl.traffic_valid.data
  vocab      = tokenizer.wordpiece.pieces.vocab
  text       = "utterance"
  keep       = ["language"]
  max_length = local.length
}

dataset "tokenized" "traffic_test" {
  from       = dataset.jsonl.traffic_test.data
  vocab      = tokenizer.wordpiece.pieces.vocab
  text       = "utterance"
  keep       = ["language"]
  max_length = local.length
}

eval "classification" "choice" {
  from = train.supervised.intents.model
  data = dataset.tokenized.traffic_valid.data
  reject {
    class     = "out_of_scope"
    threshold = var.confidence
  }
}

eval "classification" "traffic" {
  from = train.supervised.intents.model
  data = dataset.tokenized.traffic_test.data
  reject {
    class     = "out_of_scope"
    threshold = var.confidence
  }
  gate "recall_out_of_scope" { min = 0.85 }
  gate "precision_out_of_scope" { min = 0.8 }
  gate "accuracy" { min = 0.9 }
}

# Two towers: one reads what the customer writes, the other an answer; they learn to point the same way.
dataset "jsonl" "pairs" {
  files       = ["data/train_pairs.jsonl"]
  valid_files = ["data/valid_pairs.jsonl"]
  test_files  = ["data/test_pairs.jsonl"]
  text        = ["utterance", "answer"]
  label       = "right"
  classes     = ["no", "yes"]
  leaks       = "error"
}

dataset "tokenized" "pairs" {
  from       = dataset.jsonl.pairs.data
  vocab      = tokenizer.wordpiece.pieces.vocab
  text       = "utterance"
  second     = "answer"
  keep       = ["utterance"]
  max_length = local.length
}

module "towers" {
  source    = "std/two_tower"
  towers    = [for side in ["utterance", "answer"] : { name = side, vocabulary = local.vocabulary, length = local.length }]
  embedding = 48
  units     = 48
}

train "supervised" "answers" {
  graph  = module.towers.graph
  data   = dataset.tokenized.pairs.data
  loss   = "binary_cross_entropy"
  epochs = var.epochs.answers
  batch  = 32
  seed   = var.seed
  select = "best"

  optimizer "adamw" { lr = 0.004 }
  schedule "wsd" {
    warmup_steps = 20
    decay_epochs = 3
  }
}

# Of each utterance all 20 answers are ranked.
eval "ranking" "choice" {
  from  = train.supervised.answers.model
  data  = dataset.tokenized.pairs.data
  split = "valid"
  query = "utterance"
  k     = [1, 3]
}

eval "ranking" "answers" {
  from  = train.supervised.answers.model
  data  = dataset.tokenized.pairs.data
  query = "utterance"
  k     = [1, 3]
  gate "recall_at_1" { min = 0.9 }
  gate "recall_at_3" { min = 0.95 }
}

dataset "jsonl" "answers" {
  files = ["data/answers.jsonl"]
  text  = ["answer", "language"]
  label = "intent"
}

dataset "tokenized" "answers" {
  from       = dataset.jsonl.answers.data
  vocab      = tokenizer.wordpiece.pieces.vocab
  text       = "answer"
  keep       = ["answer", "language"]
  max_length = local.length
}

target "index" "answers" {
  from   = train.supervised.answers.model
  data   = dataset.tokenized.answers.data
  output = "answer_embedding"
  gates  = [eval.ranking.answers.report]
  path   = "dist/answers"
}

target "onnx" "intents" {
  from  = train.supervised.intents.model
  gates = [eval.classification.intents.report, eval.classification.traffic.report]
  path  = "dist/intents.onnx"
}

target "onnx" "towers" {
  from  = train.supervised.answers.model
  gates = [eval.ranking.answers.report]
  path  = "dist/towers.onnx"
}

target "hf_tokenizer" "pieces" {
  from = tokenizer.wordpiece.pieces.vocab
  path = "dist/tokenizer"
}
