# A directory for each class, images of any size brought to 8 x 8.
dataset "images" "pets" {
  files    = fileset("example.pets/*/*.png")
  size     = [8, 8]
  resize   = "crop"
  channels = 1

  split {
    train    = 0.75
    test     = 0.25
    seed     = 1
    stratify = true
  }
}

output "pets" { value = dataset.images.pets.data }
