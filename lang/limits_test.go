package lang

import (
	"context"
	"io/fs"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// TestEndless: evaluations that would not end, or fill the memory, are given up with a diagnostic at a place.
func TestEndless(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	for name, c := range map[string]struct{ file, src string }{
		"hcl loops":    {"a.mbuild.hcl", "locals {\n  x = length([for a in sequence(1000000) : length([for b in sequence(1000000) : a + b])])\n}\n"},
		"cue doubling": {"a.mbuild.cue", "_a0: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\n_a: [for x in _a0 for y in _a0 for z in _a0 for u in _a0 for v in _a0 for w in _a0 for s in _a0 for r in _a0 {x}]\ndataset: csv: d: {files: [\"a\"], seed: len(_a)}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := context.WithValue(context.Background(), limitsKey{}, limits{time: 2 * time.Second, memory: 2 << 30})
			_, diags := Load(ctx, Request{Dir: files(t, map[string]string{c.file: c.src}), Kinds: catalog{}})
			if len(diags) != 1 || ExtraOf(diags[0]).Code != "endless" || diags[0].Subject == nil || diags[0].Subject.Filename != c.file {
				t.Errorf("%s", render(diags))
			}
		})
	}
}

// TestGrowing: text that doubles from local to local is refused before it fills the memory.
func TestGrowing(t *testing.T) {
	var b strings.Builder
	b.WriteString("locals {\n  l0 = \"0123456789abcdef\"\n")
	for i := 1; i < 40; i++ {
		b.WriteString("  l" + strconv.Itoa(i) + " = \"${local.l" + strconv.Itoa(i-1) + "}${local.l" + strconv.Itoa(i-1) + "}\"\n")
	}
	b.WriteString("}\noutput \"o\" { value = local.l39 }\n")
	_, diags := load(t, b.String())
	if text := render(diags); len(diags) != 1 || !strings.Contains(text, "[too-large] String too long") {
		t.Error(text)
	}
}

// TestRefusesCUE: what would exhaust the CUE parser's stack is refused, and what only looks like it is not.
func TestRefusesCUE(t *testing.T) {
	n := 10_000
	for name, src := range map[string]string{
		"braces":         "a: " + strings.Repeat("{b: ", n) + "1" + strings.Repeat("}", n),
		"brackets":       "a: " + strings.Repeat("[", n) + strings.Repeat("]", n),
		"parentheses":    "a: " + strings.Repeat("(", n) + "1" + strings.Repeat(")", n),
		"signs":          "a: " + strings.Repeat("!", 2*n) + "true",
		"operators":      "a: 1" + strings.Repeat("+1", 2*n),
		"interpolations": "a: " + strings.Repeat(`"\(`, n) + "1" + strings.Repeat(`)"`, n),
	} {
		t.Run(name, func(t *testing.T) {
			_, diags := Load(context.Background(), Request{Dir: files(t, map[string]string{"a.mbuild.cue": src}), Kinds: catalog{}})
			if len(diags) == 0 || ExtraOf(diags[0]).Code != "too-deep" {
				t.Error(render(diags))
			}
		})
	}
	flat := "_a: \"" + strings.Repeat("{[(", n) + "\"\n_b: #\"\"\"\n" + strings.Repeat("\t{{{ \\(x) \"\" \n", 300) + "\t\"\"\"#\n// " + strings.Repeat("{", n) + "\n_c: '''\n" + strings.Repeat("[", n) + "\n\\('a')\n'''\n"
	if d, c, _ := measureCUE([]byte(flat)); d > 3 || c > 10 {
		t.Errorf("strings and comments count as depth %d, chain %d", d, c)
	}
	long := "_a: \"" + strings.Repeat("x", 10<<20) + "\"\ndataset: csv: d: files: [\"a\"]\n"
	if _, diags := Load(context.Background(), Request{Dir: files(t, map[string]string{"a.mbuild.cue": long}), Kinds: catalog{}}); diags.HasErrors() {
		t.Errorf("a line of 10 MB: %s", render(diags)[:300])
	}
}

// TestCUESelf: a definition that contains itself, and a value that needs itself, end with a diagnostic.
func TestCUESelf(t *testing.T) {
	for _, src := range []string{
		"#A: {a: #A}\ndataset: csv: d: {files: [\"a\"], rename: #A}\n",
		"dataset: csv: d: {files: [\"a\"], seed: label + 1, label: seed + 1}\n",
		"_x: {_x, a: 1}\ndataset: csv: d: {files: [\"a\"], rename: _x}\n",
	} {
		_, diags := Load(context.Background(), Request{Dir: files(t, map[string]string{"a.mbuild.cue": src}), Kinds: catalog{}})
		if !diags.HasErrors() && !strings.HasPrefix(src, "_x") {
			t.Errorf("%s is fine?", src)
		}
		for _, d := range diags {
			if ExtraOf(d).Code == "internal" || d.Subject == nil {
				t.Errorf("%s: %s", src, render(diags))
			}
		}
	}
}

// TestVanished: a spec file that is gone between listing and reading is reported by name.
func TestVanished(t *testing.T) {
	l := newLoader(Request{Dir: t.TempDir(), Kinds: catalog{}})
	l.parse(&source{}, fstest.MapFS{"a.mbuild.hcl": {Data: []byte("locals {}")}, "c.mbuild.hcl": {Mode: fs.ModeDir | 0o755}}, []string{"a.mbuild.hcl", "b.mbuild.hcl", "c.mbuild.hcl"})
	text := render(l.diags)
	if len(l.diags) != 2 || !strings.Contains(text, "b.mbuild.hcl: file does not exist") || !strings.Contains(text, "no regular file") {
		t.Error(text)
	}
}
