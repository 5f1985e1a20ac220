# A BERT that transformers has saved, with a classifier of three classes in the place of its own head.
model "pretrained" "bert" {
  files  = fileset("example.bert/*")
  length = 10
  head "classification" {
    outputs = 3
    dropout = 0.1
  }
}

output "bert" { value = model.pretrained.bert.model }
