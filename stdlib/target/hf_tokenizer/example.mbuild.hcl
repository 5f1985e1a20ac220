dataset "text" "lines" { files = ["example.txt"] }

tokenizer "wordpiece" "words" {
  data       = dataset.text.lines.data
  vocab_size = 64
}

target "hf_tokenizer" "words" {
  from = tokenizer.wordpiece.words.vocab
  path = "dist/tokenizer"
}
