package layers

//go:generate go run mbuild.dev/mbuild/lang/schema/gen/cmd -family model -type layers
