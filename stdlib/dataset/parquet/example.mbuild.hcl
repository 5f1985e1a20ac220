# Columns of a table; flats of one street stay in one part.
dataset "parquet" "flats" {
  files      = ["example.parquet"]
  features   = ["rooms", "area"]
  label      = "price"
  label_kind = "number"

  split {
    train = 0.5
    test  = 0.5
    seed  = 2
    group = "street"
  }
}

output "flats" { value = dataset.parquet.flats.data }
