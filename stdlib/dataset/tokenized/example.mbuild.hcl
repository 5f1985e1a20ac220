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

# Each word's tag goes to its first token.
dataset "tokenized" "names" {
  from       = dataset.conll.names.data
  vocab      = tokenizer.wordpiece.words.vocab
  max_length = 32
}

output "names" { value = dataset.tokenized.names.data }
