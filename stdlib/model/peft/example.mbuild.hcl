# A BERT, and an adapter that the PEFT library has trained on it; the two as one model, merged.
model "pretrained" "bert" {
  files  = fileset("example.bert/*")
  length = 16
}

model "peft" "tuned" {
  from  = model.pretrained.bert.model
  files = fileset("example.adapter/*")
}

pass "merge" "plain" {
  from    = model.pretrained.bert.model
  adapter = model.peft.tuned.adapter
}

output "model" { value = pass.merge.plain.model }
