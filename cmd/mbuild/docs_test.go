package main

import (
	"os"
	"testing"

	"mbuild.dev/mbuild/cmd/mbuild/internal/cli"
)

// TestCommandsPage: docs/cli.md is the commands' help. MBUILD_UPDATE=1 writes it.
func TestCommandsPage(t *testing.T) {
	const file = "../../docs/cli.md"
	text := cli.Markdown()
	if os.Getenv("MBUILD_UPDATE") != "" {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil || string(got) != text {
		t.Errorf("%s is stale: run MBUILD_UPDATE=1 go test ./cmd/mbuild -run TestCommandsPage (%v)", file, err)
	}
}
