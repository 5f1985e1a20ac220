# Counts the lines of a file. The command runs in a directory of its own, which holds the inputs and nothing else; what it sees
# of the environment stands here.
step "exec" "count" {
  command = ["sh", "-c", "wc -l < notes.txt > $NAME"]
  inputs  = { "notes.txt" = "example.txt" }
  outputs = ["lines.txt"]
  env     = { NAME = "lines.txt" }
  timeout = "1m"
}
