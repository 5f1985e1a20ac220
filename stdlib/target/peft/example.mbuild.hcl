# An adapter goes out as it came in. Training stands between the two, most often: train "lora" has an adapter to give out.
model "pretrained" "bert" {
  files  = fileset("example.bert/*")
  length = 16
}

model "peft" "tuned" {
  from  = model.pretrained.bert.model
  files = fileset("example.adapter/*")
}

target "peft" "directory" {
  from       = model.peft.tuned.adapter
  base_model = "bert"
  path       = "dist/adapter"
}
