dataset "text" "lines" {
  files           = ["example.txt"]
  label_delimiter = "\t"
}

tokenizer "wordpiece" "words" {
  data       = dataset.text.lines.data
  vocab_size = 64
}

dataset "tokenized" "lines" {
  from       = dataset.text.lines.data
  vocab      = tokenizer.wordpiece.words.vocab
  max_length = 16
}

module "bert" {
  source     = "std/bert"
  vocabulary = 64
  length     = 16
  positions  = 16
  units      = 16
  blocks     = 4
  heads      = 2
}

train "supervised" "base" {
  graph  = module.bert.graph
  data   = dataset.tokenized.lines.data
  loss   = "cross_entropy"
  epochs = 2
  optimizer "adamw" {}
}

# Blocks 0 and 2 stay, and an epoch of training mends what that broke.
pass "drop_layers" "half" {
  from     = train.supervised.base.model
  blocks   = 2
  strategy = "alternate"
}

train "supervised" "mended" {
  from   = pass.drop_layers.half.model
  data   = dataset.tokenized.lines.data
  loss   = "cross_entropy"
  epochs = 1
  optimizer "adamw" {}
}

output "model" { value = train.supervised.mended.model }
