# Fashion-MNIST: small grey images of ten kinds of clothes. The directory data holds a subset; for the whole set, put a link to its
# directory beside it and name that.
variable "data" {
  type    = string
  default = "data"
}

dataset "idx" "fashion" {
  images  = "${var.data}/train-images-idx3-ubyte.gz"
  labels  = "${var.data}/train-labels-idx1-ubyte.gz"
  classes = ["t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"]

  test {
    images = "${var.data}/t10k-images-idx3-ubyte.gz"
    labels = "${var.data}/t10k-labels-idx1-ubyte.gz"
  }

  split {
    train    = 0.9
    valid    = 0.1
    seed     = 1
    stratify = true
  }
}

output "data" { value = dataset.idx.fashion.data }
