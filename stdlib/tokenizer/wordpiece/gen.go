package wordpiece

//go:generate go run mbuild.dev/mbuild/lang/schema/gen/cmd -family tokenizer -type wordpiece
