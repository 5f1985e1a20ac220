package lang

import (
	"fmt"

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

// warning makes a warning at a range.
func warning(code string, rng hcl.Range, summary, format string, args ...any) *hcl.Diagnostic {
	d := problem(code, rng, summary, format, args...)
	d.Severity = hcl.DiagWarning
	return d
}

func suggest(d *hcl.Diagnostic, s string) *hcl.Diagnostic {
	d.Extra.(*Extra).Suggestion = s
	return d
}

// libraryDiagnostic gives a diagnostic of the HCL library a code of ours, and leaves out what only the library needs.
func libraryDiagnostic(d *hcl.Diagnostic, code string) *hcl.Diagnostic {
	d.Context, d.Expression, d.EvalContext = nil, nil, nil
	if d.Extra == nil {
		d.Extra = &Extra{Code: code}
	}
	if _, ok := d.Extra.(*Extra); !ok {
		d.Extra = &Extra{Code: code}
	}
	return d
}

// libraryProblem is a diagnostic of the HCL library about an expression.
func libraryProblem(d *hcl.Diagnostic) *hcl.Diagnostic {
	code := "expression"
	if d.Summary == "Call to unknown function" {
		code = "unknown-function"
	}
	return libraryDiagnostic(d, code)
}

// ExtraOf returns what a diagnostic carries for machines.
func ExtraOf(d *hcl.Diagnostic) Extra {
	if e, ok := d.Extra.(*Extra); ok {
		return *e
	}
	return Extra{Code: "syntax"}
}

// Hidden stands where a sensitive value would be shown.
const Hidden = "(sensitive)"
