# Sentiment of headlines about companies: train a classifier, hold it against gates for each thing that is hard about headlines, and
# watch a batch of new ones: a gate on the share that is predicted negative is the alarm. Run: mbuild -C examples/financial-sentiment apply

variable "batch" {
  type        = string
  default     = "data/monday.jsonl"
  description = "Headlines of the day, without labels."
}

variable "max_negative" {
  type        = number
  default     = 0.4
  description = "Share of the day's headlines predicted negative above which the alarm is given."
}

variable "epochs" {
  type        = number
  default     = 9
  description = "Passes over the training data."
}

variable "seed" {
  type        = number
  default     = 42
  description = "Decides initial weights, the order of rows and what is dropped out."
}

locals {
  classes    = ["negative", "neutral", "positive"]
  vocabulary = 500
  length     = 40
}

dataset "jsonl" "headlines" {
  files       = ["data/train.jsonl"]
  valid_files = ["data/valid.jsonl"] # other sentences and companies than either of the others: settings are chosen by them
  test_files  = ["data/test.jsonl"]
  text        = ["headline", "kind"]
  label       = "sentiment"
  classes     = local.classes
  leaks       = "error" # a headline that is trained on tests nothing
}

tokenizer "wordpiece" "pieces" {
  data       = dataset.jsonl.headlines.data
  columns    = ["headline"]
  vocab_size = local.vocabulary
}

dataset "tokenized" "headlines" {
  from       = dataset.jsonl.headlines.data
  vocab      = tokenizer.wordpiece.pieces.vocab
  text       = "headline"
  keep       = ["kind"]
  max_length = local.length
}

# A recurrent network reads the words in order, which negations and comparisons need.
model "layers" "net" {
  input "input_ids" {
    shape = [local.length]
    dtype = "int32"
  }
  layer "padding_mask" "mask" { pad = 0 }
  layer "embedding" "tokens" {
    inputs     = ["input_ids"]
    vocabulary = local.vocabulary
    units      = 32
    init       = "glorot_uniform"
  }
  layer "dropout" "dropped" { rate = 0.3 }
  layer "gru" "read" {
    inputs        = ["dropped", "mask"]
    units         = 48
    bidirectional = true
  }
  layer "sequence_pool" "pool" {
    inputs = ["read", "mask"]
    mode   = "max"
  }
  layer "dropout" "pooled" { rate = 0.2 }
  layer "dense" "logits" { units = length(local.classes) }
}

train "supervised" "classifier" {
  graph  = model.layers.net.graph
  data   = dataset.tokenized.headlines.data
  loss   = "cross_entropy"
  epochs = var.epochs
  batch  = 32
  seed   = var.seed
  select = "best"

  optimizer "adamw" { lr = 0.004 }
  schedule "wsd" {
    warmup_steps = 20
    decay_epochs = 2
  }
}

# Kinds of headlines: plain, polarity (more of it is bad), negation, numbers (which is the greater), none. Settings are chosen by the first,
# of the valid headlines; the gates judge by the second.
eval "classification" "choice" {
  from  = train.supervised.classifier.model
  data  = dataset.tokenized.headlines.data
  split = "valid"
  slice { column = "kind" }
}

eval "classification" "test" {
  from = train.supervised.classifier.model
  data = dataset.tokenized.headlines.data
  slice { column = "kind" }
  gate "accuracy" { min = 0.8 }
  gate "recall_negative" { min = 0.75 }
  gate "lowest_accuracy" { min = 0.5 }
}

dataset "jsonl" "day" {
  files = [var.batch]
  text  = ["headline"]
}

dataset "tokenized" "day" {
  from       = dataset.jsonl.day.data
  vocab      = tokenizer.wordpiece.pieces.vocab
  max_length = local.length
}

eval "classification" "monitor" {
  from    = train.supervised.classifier.model
  data    = dataset.tokenized.day.data
  classes = local.classes
  gate "share_negative" { max = var.max_negative }
}

target "onnx" "classifier" {
  from  = train.supervised.classifier.model
  gates = [eval.classification.test.report]
  path  = "dist/headlines.onnx"
}

target "hf_tokenizer" "pieces" {
  from = tokenizer.wordpiece.pieces.vocab
  path = "dist/tokenizer"
}

output "alarm" { value = eval.classification.monitor.report }
