# Lines of text; equal lines stay in one part.
dataset "text" "lines" {
  files = ["example.txt"]

  split {
    train = 0.75
    valid = 0.25
    by    = "content"
  }
}

output "lines" { value = dataset.text.lines.data }
