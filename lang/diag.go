package lang

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// Extra is what a diagnostic carries for machines, beside its words.
type Extra struct {
	Code       string
	Address    string
	Suggestion string // replacement of the subject that a machine may apply
}

// Errorf makes an error at a range of a block. summary is constant for the code; the detail says what was found, what is
// allowed and what to do.
func Errorf(code string, at Addr, rng hcl.Range, summary, format string, args ...any) *hcl.Diagnostic {
	d := problem(code, rng, summary, format, args...)
	if at != (Addr{}) {
		d.Extra.(*Extra).Address = at.String()
	}
	return d
}

func problem(code string, rng hcl.Range, summary, format string, args ...any) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(format, args...), Subject: rng.Ptr(), Extra: &Extra{Code: code}}
}

func suggest(d *hcl.Diagnostic, s string) *hcl.Diagnostic {
	d.Extra.(*Extra).Suggestion = s
	return d
}

// ExtraOf returns what a diagnostic carries for machines. Diagnostics of the HCL library get a code made of their summary.
func ExtraOf(d *hcl.Diagnostic) Extra {
	if e, ok := d.Extra.(*Extra); ok {
		return *e
	}
	words := strings.FieldsFunc(strings.ToLower(d.Summary), func(r rune) bool { return r < 'a' || r > 'z' })
	return Extra{Code: strings.Join(words, "-")}
}
