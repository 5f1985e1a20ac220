# A residual block: "sum" adds what went around the two layers to what came through them.
model "layers" "net" {
  input "features" { shape = [16] }

  layer "dense" "wide" {
    units      = 32
    activation = "relu"
  }
  layer "dense" "deep" { units = 32 }
  layer "add" "sum" { inputs = ["wide", "deep"] }
  layer "layer_norm" "norm" {}
  layer "dropout" "drop" { rate = 0.1 }
  layer "dense" "logits" { units = 3 }
}

output "graph" { value = model.layers.net.graph }
