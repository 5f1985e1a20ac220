# A checkpoint with another head, written as a directory that transformers loads. Training stands between the two, most often.
model "pretrained" "bert" {
  files = fileset("example.bert/*")
  head "classification" { outputs = 2 }
}

target "huggingface" "directory" {
  from   = model.pretrained.bert.model
  labels = ["no", "yes"]
  path   = "dist/bert"
}
