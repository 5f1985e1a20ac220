# Small images in files of their own for training and testing; a part of the first is kept for validation.
dataset "idx" "fashion" {
  images  = "example.images.gz"
  labels  = "example.labels.gz"
  classes = ["shirt", "shoe"]

  test {
    images = "example.t10k-images.gz"
    labels = "example.t10k-labels.gz"
  }

  split {
    train    = 0.9
    valid    = 0.1
    stratify = true
  }
}

output "fashion" { value = dataset.idx.fashion.data }
