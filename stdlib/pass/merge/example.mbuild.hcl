# A network that is trained on one set of points, and taken further on another.
dataset "synthetic" "first" {
  shape   = "blobs"
  rows    = 300
  classes = 3
  split {
    train = 0.8
    test  = 0.2
  }
}

dataset "synthetic" "second" {
  shape   = "blobs"
  rows    = 300
  classes = 3
  seed    = 7
  split {
    train = 0.8
    test  = 0.2
  }
}

model "layers" "net" {
  input "features" { shape = [2] }
  layer "dense" "inner" {
    units      = 16
    activation = "relu"
  }
  layer "dense" "outer" { units = 16 }
  layer "dense" "logits" { units = 3 }
}

train "supervised" "base" {
  graph  = model.layers.net.graph
  data   = dataset.synthetic.first.data
  loss   = "cross_entropy"
  epochs = 5
  optimizer "adamw" { lr = 0.01 }
}

# Matrices of rank 2 beside two layers, and the last layer as a whole. The second matrices learn faster (Hayou et al. 2024).
train "lora" "tuned" {
  from            = train.supervised.base.model
  targets         = ["inner", "outer"]
  rank            = 2
  alpha           = 4
  modules_to_save = ["logits"]
  data            = dataset.synthetic.second.data
  loss            = "cross_entropy"
  epochs          = 5
  optimizer "adamw" { lr = 0.01 }
  group {
    match    = ["*_lora_b"]
    lr_scale = 4
  }
}

pass "merge" "plain" {
  from    = train.supervised.base.model
  adapter = train.lora.tuned.adapter
}

output "model" { value = pass.merge.plain.model }
