# Reviews with a verdict; those of one author stay in one part.
dataset "jsonl" "reviews" {
  files   = ["example.jsonl"]
  text    = ["review.text"]
  label   = "verdict"
  classes = ["bad", "good"]
  rename  = { "review.text" = "review" }
  leaks   = "error"

  split {
    train = 0.7
    test  = 0.3
    group = "author"
  }
}

output "reviews" { value = dataset.jsonl.reviews.data }
