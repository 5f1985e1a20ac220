dataset "synthetic" "blobs" {
  shape   = "blobs"
  rows    = 600
  classes = 3
  split {
    train = 0.7
    valid = 0.1
    test  = 0.2
  }
}

model "layers" "net" {
  input "features" { shape = [2] }
  layer "dense" "hidden" {
    units      = 16
    activation = "relu"
  }
  layer "dense" "logits" { units = 3 }
}

# 40 epochs, each cached: with epochs = 50 ten more stable ones run on top of the 35, and the decay of the rate after them. A
# moving average of the weights is kept, and given out. Biases are not decayed; the first layer learns at half the rate.
train "supervised" "base" {
  graph           = model.layers.net.graph
  data            = dataset.synthetic.blobs.data
  loss            = "cross_entropy"
  label_smoothing = 0.05
  class_weights   = { "2" = 1.5 }
  epochs          = 40
  batch           = 64
  accumulate      = 2
  seed            = 1
  clip_norm       = 1
  log_every       = 5
  select          = "ema"

  optimizer "adamw" {
    lr           = 0.003
    weight_decay = 0.01
  }
  schedule "wsd" {
    warmup_steps = 10
    decay_epochs = 5
    shape        = "sqrt"
  }
  group {
    match        = ["*/bias"]
    weight_decay = 0
  }
  group {
    match    = ["hidden"]
    lr_scale = 0.5
  }
  ema { decay = 0.99 }
}

# A sweep: what its members share is trained once, and `mbuild show train.supervised.sweep` compares them in one table. Rows are
# augmented with noise, and mixed. The best epoch is given out, and training ends early when the loss on the valid split has not
# fallen for five.
train "supervised" "sweep" {
  for_each = {
    slow = 0.001
    fast = 0.01
  }

  graph  = model.layers.net.graph
  data   = dataset.synthetic.blobs.data
  loss   = "focal"
  epochs = 20
  select = "best"

  optimizer "lion" { lr = each.value }
  augment "noise" { deviation = 0.1 }
  augment "mixup" { alpha = 0.2 }
  early_stopping { patience = 5 }
}

output "model" { value = train.supervised.base.model }
output "fast" { value = train.supervised.sweep["fast"].model }
output "slow" { value = train.supervised.sweep["slow"].model }
