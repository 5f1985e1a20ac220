package languagemodel

//go:generate go run mbuild.dev/mbuild/lang/schema/gen/cmd -family eval -type language_model
