package mbuild_test

import (
	"testing"

	"mbuild.dev/mbuild/stdlib"
)

// TestPages: the generated pages are what the sources say. MBUILD_UPDATE=1 go test . writes them.
func TestPages(t *testing.T) {
	golden(t, "docs/kinds.md", stdlib.KindsMarkdown())
	golden(t, "docs/modules.md", stdlib.ModulesMarkdown())
}
