package tokenized

//go:generate go run mbuild.dev/mbuild/lang/schema/gen/cmd -family dataset -type tokenized
