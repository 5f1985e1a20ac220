package text

//go:generate go run mbuild.dev/mbuild/lang/schema/gen/cmd -family dataset -type text
