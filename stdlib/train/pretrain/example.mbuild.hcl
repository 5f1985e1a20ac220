dataset "text" "corpus" { files = ["example.txt"] }

tokenizer "wordpiece" "words" {
  data       = dataset.text.corpus.data
  vocab_size = 120
}

dataset "tokenized" "corpus" {
  from       = dataset.text.corpus.data
  vocab      = tokenizer.wordpiece.words.vocab
  max_length = 32
}

# A body with logits of tokens on it, to be pre-trained; and the same body with a classifier, which takes it over.
module "body" {
  source     = "std/bert"
  vocabulary = 120
  length     = 32
  units      = 64
  blocks     = 2
  heads      = 4
  head       = "language_model"
}

module "classifier" {
  source     = "std/bert"
  vocabulary = 120
  length     = 32
  units      = 64
  blocks     = 2
  heads      = 4
  outputs    = 2
}

train "pretrain" "body" {
  graph     = module.body.graph
  data      = dataset.tokenized.corpus.data
  objective = "masked_lm"
  epochs    = 3
  batch     = 8
  optimizer "adamw" { lr = 0.002 }
  schedule "constant" { warmup_epochs = 1 }
}

dataset "text" "labelled" {
  files           = ["example.tsv"]
  label_delimiter = "\t"
}

dataset "tokenized" "labelled" {
  from       = dataset.text.labelled.data
  vocab      = tokenizer.wordpiece.words.vocab
  max_length = 32
}

train "supervised" "classifier" {
  graph  = module.classifier.graph
  from   = train.pretrain.body.model
  data   = dataset.tokenized.labelled.data
  loss   = "cross_entropy"
  epochs = 2
  batch  = 4
  optimizer "adamw" { lr = 0.0005 }
}

output "model" { value = train.supervised.classifier.model }
