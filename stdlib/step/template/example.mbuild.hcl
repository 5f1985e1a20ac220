# A model card: text with values, and with what another block has made.
step "template" "card" {
  template = "# {{ .values.name }}\n\n{{ .inputs.notes }}"
  values   = { name = "digits" }
  inputs   = { notes = step.template.notes.file }
}

step "template" "notes" {
  template = "Trained on {{ .inputs.source }}"
  inputs   = { source = "example.txt" }
}
