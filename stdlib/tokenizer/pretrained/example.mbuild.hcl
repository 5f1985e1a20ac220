# The vocabulary of a BERT model, and what its authors say of it.
tokenizer "pretrained" "bert" {
  file   = "example.vocab.txt"
  config = "example.config.json"
}

output "bert" { value = tokenizer.pretrained.bert.vocab }
