# Names in sentences; sentences of one document stay in one part, and tags are rewritten as BIOES.
dataset "conll" "names" {
  files         = ["example.conll"]
  columns       = ["token", "ner"]
  tag_column    = "ner"
  scheme        = "iob2"
  output_scheme = "bioes"

  split {
    train = 0.5
    test  = 0.5
    group = "document"
  }
}

output "names" { value = dataset.conll.names.data }
