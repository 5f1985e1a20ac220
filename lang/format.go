package lang

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclwrite"

	"mbuild.dev/mbuild/lang/cuefile"
)

// Format returns the canonical layout of a spec file or a file of variables: it moves white space only. JSON is returned as it
// is. A file that does not parse is not formatted, and why is reported.
func Format(name string, src []byte) ([]byte, hcl.Diagnostics) {
	switch {
	case strings.HasSuffix(name, suffixJSON):
		return src, nil
	case strings.HasSuffix(name, suffixCUE):
		if d := refuse(src, name, syntaxCUE); d != nil {
			return nil, hcl.Diagnostics{d}
		}
		out, problems := cuefile.Format(name, src)
		return out, cueDiagnostics(problems)
	}
	if strings.HasPrefix(strings.TrimSpace(string(src[:min(len(src), 256)])), "{") {
		return src, nil // variables in JSON
	}
	if d := refuse(src, name, syntaxHCL); d != nil {
		return nil, hcl.Diagnostics{d}
	}
	if _, diags := parseHCL(src, name); diags.HasErrors() {
		return nil, diags
	}
	return hclwrite.Format(src), nil
}

// IsFormatted reports whether Format has a layout for files of that name.
func IsFormatted(name string) bool {
	return strings.HasSuffix(name, suffixHCL) || strings.HasSuffix(name, suffixCUE) || strings.HasSuffix(name, ".mbvars")
}
