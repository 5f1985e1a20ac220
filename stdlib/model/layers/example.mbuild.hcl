# A small convolutional network for images of 28 x 28 grey values, with a residual block: "sum" adds what went around the two
# convolutions to what came through them.
model "layers" "net" {
  input "image" {
    shape = [28, 28, 1]
    scale = 1 / 255
  }

  layer "conv2d" "stem" {
    filters    = 16
    kernel     = 3
    padding    = "same"
    activation = "relu"
  }
  layer "max_pool" "half" { kernel = 2 }
  layer "conv2d" "wide" {
    filters  = 16
    kernel   = 3
    padding  = "same"
    use_bias = false
  }
  layer "batch_norm" "norm" {}
  layer "activation" "bend" { function = "relu" }
  layer "conv2d" "deep" {
    filters = 16
    kernel  = 3
    padding = "same"
  }
  layer "add" "sum" { inputs = ["half", "deep"] }
  layer "global_avg_pool" "pool" {}
  layer "dropout" "drop" { rate = 0.1 }
  layer "dense" "logits" { units = 10 }
}

output "graph" { value = model.layers.net.graph }
