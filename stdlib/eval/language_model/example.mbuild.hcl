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

module "decoder" {
  source     = "std/transformer_decoder"
  vocabulary = 120
  length     = 32
  units      = 32
}

train "pretrain" "decoder" {
  graph     = module.decoder.graph
  data      = dataset.tokenized.corpus.data
  objective = "causal_lm"
  epochs    = 2
  batch     = 8
  optimizer "adamw" { lr = 0.003 }
}

eval "language_model" "test" {
  from      = train.pretrain.decoder.model
  data      = dataset.tokenized.corpus.data
  objective = "causal_lm"
}

output "report" { value = eval.language_model.test.report }
