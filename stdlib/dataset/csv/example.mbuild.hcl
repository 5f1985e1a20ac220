# A table with a header line: every column but the label is a feature.
dataset "csv" "houses" {
  files    = ["example.csv"]
  label    = "sold"
  features = ["rooms", "quarter", "price"]

  split {
    train    = 0.5
    test     = 0.5
    seed     = 7
    stratify = true
  }
}

output "houses" { value = dataset.csv.houses.data }
