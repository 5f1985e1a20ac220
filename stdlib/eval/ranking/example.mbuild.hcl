# Five candidates for each query, one of which was clicked; all of a query are in one part.
dataset "jsonl" "clicks" {
  files    = ["example.jsonl"]
  features = ["price", "match"]
  text     = ["query"]
  label    = "clicked"
  classes  = ["no", "yes"]

  split {
    train = 0.7
    test  = 0.3
    group = "query"
  }
}

model "layers" "score" {
  input "features" { shape = [2] }
  layer "dense" "logits" { units = 2 }
}

train "supervised" "fit" {
  graph  = model.layers.score.graph
  data   = dataset.jsonl.clicks.data
  loss   = "cross_entropy"
  epochs = 20
  optimizer "adam" { lr = 0.05 }
}

eval "ranking" "test" {
  from  = train.supervised.fit.model
  data  = dataset.jsonl.clicks.data
  query = "query"
  k     = [1, 3]
  gate "mrr" { min = 0.6 }
  gate "recall_at_3" { min = 0.8 }
}

target "onnx" "score" {
  from  = train.supervised.fit.model
  gates = [eval.ranking.test.report]
  path  = "dist/score.onnx"
}
