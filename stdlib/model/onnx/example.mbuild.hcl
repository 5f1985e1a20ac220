# A convolutional network that PyTorch has exported, in half the bytes. Its image is [14, 10, 2] here: channels are last.
model "onnx" "net" { file = "example.onnx" }

pass "cast" "half" {
  from  = model.onnx.net.model
  dtype = "float16"
}

output "model" { value = pass.cast.half.model }
