dataset "conll" "names" {
  files = ["example.conll"]
  split {
    train = 0.5
    test  = 0.5
  }
}

tokenizer "wordpiece" "words" {
  data       = dataset.conll.names.data
  vocab_size = 80
}

dataset "tokenized" "names" {
  from       = dataset.conll.names.data
  vocab      = tokenizer.wordpiece.words.vocab
  max_length = 32
}

module "tagger" {
  source     = "std/lstm_tagger"
  vocabulary = 80
  length     = 32
  outputs    = 4
}

train "supervised" "tagger" {
  graph  = module.tagger.graph
  data   = dataset.tokenized.names.data
  loss   = "cross_entropy"
  epochs = 2
  optimizer "adam" {}
}

eval "tagging" "test" {
  from = train.supervised.tagger.model
  data = dataset.tokenized.names.data
}

output "entities" { value = eval.tagging.test.report }
