package diag

import (
	"testing"

	"github.com/hashicorp/hcl/v2"
)

func at(file string, b int) hcl.Range {
	return hcl.Range{Filename: file, Start: hcl.Pos{Line: 1, Column: b + 1, Byte: b}, End: hcl.Pos{Line: 1, Column: b + 2, Byte: b + 1}}
}

func TestSummaryIsAPhraseOfItsOwn(t *testing.T) {
	seen := map[string]Code{}
	for _, c := range Codes() {
		s := c.Summary()
		if other, dup := seen[s]; dup {
			t.Errorf("%s and %s share the summary %q", c, other, s)
		}
		seen[s] = c
		if last := s[len(s)-1]; last == '.' || s[0] < 'A' || s[0] > 'Z' {
			t.Errorf("%s: %q is no noun phrase", c, s)
		}
	}
	if got := Code("odd-thing").Summary(); got != "Odd thing" {
		t.Errorf("summary of a foreign code: %q", got)
	}
}

func TestListKeepsOneOfEach(t *testing.T) {
	var l List
	l.Add(New(Cycle, at("b", 5), "one"), New(Cycle, at("b", 5), "one"), New(Cycle, at("b", 5), "two"))
	l.Add(New(BadName, at("b", 2), "x"), New(BadName, at("a", 9), "x"))
	var got []string
	for _, d := range l.Sorted() {
		got = append(got, d.Subject.Filename+" "+d.Detail)
	}
	want := []string{"a x", "b x", "b one", "b two"}
	if len(got) != len(want) || !l.HasErrors() || l.Len() != 4 {
		t.Fatalf("got %q", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%d: got %q, want %q", i, got[i], want[i])
		}
	}
}

func TestExtraOf(t *testing.T) {
	d := In(Suggest(New(UnknownBlock, at("a", 0), "no %q", "x"), "y"), "train.supervised.t")
	if e := ExtraOf(d); e != (Extra{Code: "unknown-block", Address: "train.supervised.t", Suggestion: "y"}) {
		t.Errorf("got %+v", e)
	}
	foreign := &hcl.Diagnostic{Summary: "Missing newline after argument"}
	if e := ExtraOf(Suggest(In(foreign, "a"), "b")); e != (Extra{Code: "missing-newline-after-argument"}) {
		t.Errorf("got %+v", e)
	}
}
