package template

//go:generate go run mbuild.dev/mbuild/lang/schema/gen/cmd -family step -type template
