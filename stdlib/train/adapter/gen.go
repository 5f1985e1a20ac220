package adapter

//go:generate go run mbuild.dev/mbuild/lang/schema/gen/cmd -family train -type adapter
