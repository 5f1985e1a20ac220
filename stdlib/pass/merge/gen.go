package merge

//go:generate go run mbuild.dev/mbuild/lang/schema/gen/cmd -family pass -type merge
