dataset "jsonl" "answers" {
  files = ["example.jsonl"]
  text  = ["answer"]
  label = "topic"
}

tokenizer "wordpiece" "words" {
  data       = dataset.jsonl.answers.data
  vocab_size = 80
}

dataset "tokenized" "answers" {
  from       = dataset.jsonl.answers.data
  vocab      = tokenizer.wordpiece.words.vocab
  keep       = ["answer"]
  max_length = 32
}

model "layers" "net" {
  input "input_ids" {
    shape = [32]
    dtype = "int32"
  }
  layer "padding_mask" "mask" {}
  layer "embedding" "tokens" {
    inputs     = ["input_ids"]
    vocabulary = 80
    units      = 16
  }
  layer "sequence_pool" "meaning" {
    inputs = ["tokens", "mask"]
    mode   = "mean"
  }
  layer "dense" "logits" { units = 3 }
}

train "supervised" "topics" {
  graph  = model.layers.net.graph
  data   = dataset.tokenized.answers.data
  loss   = "cross_entropy"
  epochs = 2
  optimizer "adam" {}
}

# The vector of each answer is what the layer in front of the classifier gives.
target "index" "answers" {
  from   = train.supervised.topics.model
  data   = dataset.tokenized.answers.data
  output = "meaning"
  path   = "dist/answers"
}
