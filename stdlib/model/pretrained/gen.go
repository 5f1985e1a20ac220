package pretrained

//go:generate go run mbuild.dev/mbuild/lang/schema/gen/cmd -family model -type pretrained
