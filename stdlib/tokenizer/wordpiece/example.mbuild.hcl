dataset "text" "lines" { files = ["example.txt"] }

tokenizer "wordpiece" "words" {
  data       = dataset.text.lines.data
  vocab_size = 64
}

output "words" { value = tokenizer.wordpiece.words.vocab }
