dataset "text" "lines" { files = ["example.txt"] }

# For a decoder: </s> stands after each text.
tokenizer "bpe" "pieces" {
  data       = dataset.text.lines.data
  vocab_size = 300
  template   = "gpt2"
}

output "pieces" { value = tokenizer.bpe.pieces.vocab }
