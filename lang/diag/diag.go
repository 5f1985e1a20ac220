// Package diag makes the diagnostics of the language: an hcl.Diagnostic whose summary is constant for its code, whose detail says
// what was found, what is allowed and what to do, and which carries what machines want beside the words.
//
// It does not know where a mistake comes from or how it is printed.
//
// The nouns: Code (what sort of mistake, from a closed list), Extra (code, address and suggestion, in hcl.Diagnostic.Extra),
// List (what a phase found, with one entry for one cause).
//
// The invariant: every diagnostic has a subject range, a summary that is the same for all mistakes of its code, and a code.
package diag

import (
	"fmt"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// Extra is what a diagnostic carries for machines, beside its words.
type Extra struct {
	Code       string
	Address    string // of the block that the mistake is in; "" outside blocks
	Suggestion string // replacement of the subject that a machine may apply; "" when there is none
}

// New makes an error of the language at a range. The summary is the code's.
func New(code Code, rng hcl.Range, format string, args ...any) *hcl.Diagnostic {
	return Custom(string(code), rng, code.Summary(), format, args...)
}

// Custom makes an error with a code that is not of the list here: the codes of schemas, kinds and the executor.
func Custom(code string, rng hcl.Range, summary, format string, args ...any) *hcl.Diagnostic {
	return &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  summary,
		Detail:   fmt.Sprintf(format, args...),
		Subject:  rng.Ptr(),
		Extra:    &Extra{Code: code},
	}
}

// Suggest adds a replacement of the subject. It returns d.
func Suggest(d *hcl.Diagnostic, replacement string) *hcl.Diagnostic {
	if e, ok := d.Extra.(*Extra); ok {
		e.Suggestion = replacement
	}
	return d
}

// In adds the address of the block that the mistake is in. It returns d.
func In(d *hcl.Diagnostic, address string) *hcl.Diagnostic {
	if e, ok := d.Extra.(*Extra); ok {
		e.Address = address
	}
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

// List collects diagnostics; a second one with the same place and words is left out. The zero List is empty.
type List struct {
	diags hcl.Diagnostics
	seen  map[key]bool
	fatal bool
}

type key struct {
	file            string
	from            int
	summary, detail string
}

// Add appends diagnostics.
func (l *List) Add(diags ...*hcl.Diagnostic) {
	for _, d := range diags {
		k := key{summary: d.Summary, detail: d.Detail}
		if d.Subject != nil {
			k.file, k.from = d.Subject.Filename, d.Subject.Start.Byte
		}
		if l.seen[k] {
			continue
		}
		if l.seen == nil {
			l.seen = map[key]bool{}
		}
		l.seen[k] = true
		l.diags = append(l.diags, d)
		l.fatal = l.fatal || d.Severity == hcl.DiagError
	}
}

// HasErrors reports whether an error was added.
func (l *List) HasErrors() bool { return l.fatal }

// Len is the number of diagnostics.
func (l *List) Len() int { return len(l.diags) }

// Sorted returns the diagnostics in the order of files and places, whatever order they were found in.
func (l *List) Sorted() hcl.Diagnostics {
	out := append(hcl.Diagnostics(nil), l.diags...)
	sort.SliceStable(out, func(i, j int) bool {
		a, b := out[i].Subject, out[j].Subject
		switch {
		case a == nil || b == nil:
			return a != nil
		case a.Filename != b.Filename:
			return a.Filename < b.Filename
		}
		return a.Start.Byte < b.Start.Byte
	})
	return out
}
