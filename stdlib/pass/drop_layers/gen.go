package droplayers

//go:generate go run mbuild.dev/mbuild/lang/schema/gen/cmd -family pass -type drop_layers
