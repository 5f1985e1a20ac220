package lang

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRefuses: what would exhaust the stack of a recursive parser or evaluator, and what is no text, is refused with its place.
func TestRefuses(t *testing.T) {
	for _, c := range []struct{ src, code, place string }{
		{"a = \"x\xff\"\n", "not-utf8", "a.mbuild.hcl:1,7-8"},
		{"locals {\n a = " + strings.Repeat("[", 10_000), "too-deep", "a.mbuild.hcl:2,205-206"},
		{strings.Repeat("a {\n", 10_000), "too-deep", "a.mbuild.hcl:201,3-4"},
		{"a = 1" + strings.Repeat("+1", 2_000_000) + "\n", "too-deep", "a.mbuild.hcl:1,20004-20005"},
		{"a = " + strings.Repeat("!", 4_000_000) + "true\n", "too-deep", ""},
		{"a = x" + strings.Repeat("[*]", 50_000) + "\n", "too-deep", ""},
		{"a = x" + strings.Repeat("[y]", 50_000) + "\n", "too-deep", ""},
		{"a = " + strings.Repeat("x ? y : ", 50_000) + "z\n", "too-deep", ""},
		{"a = \"" + strings.Repeat("%{if true}", 50_000) + "\"\n", "too-deep", ""},
		{"a = \"" + strings.Repeat("${\"", 50_000) + "\n", "too-deep", ""},
		{"a = <<E\n" + strings.Repeat("${<<E\n", 50_000), "too-deep", ""},
	} {
		s, diags := load(t, c.src)
		if len(diags) != 1 || ExtraOf(diags[0]).Code != c.code {
			t.Errorf("%.40q: got %swant %s", c.src, render(diags), c.code)
			continue
		}
		if got := diags[0].Subject.String(); c.place != "" && got != c.place {
			t.Errorf("%.40q: at %s, want %s", c.src, got, c.place)
		}
		if f := s.Files["a.mbuild.hcl"]; f == nil || string(f.Bytes) != c.src {
			t.Errorf("%.40q: the source is not kept for printing", c.src)
		}
	}
}

// TestLongIsNotDeep: limits are of nesting, not of length; brackets in strings and comments are none.
func TestLongIsNotDeep(t *testing.T) {
	src := "locals {\n a = [" + strings.Repeat("1 + 1, ", 20_000) + "]\n b = \"" + strings.Repeat("+/(", 20_000) + "\"\n}\n" + strings.Repeat("# ((((\n", 1000)
	mustLoad(t, src)
}

// TestVariableTextIsGuarded: text from outside the spec goes through the same gate.
func TestVariableTextIsGuarded(t *testing.T) {
	deep := strings.Repeat("[", 100_000)
	dir := files(t, map[string]string{
		"a.mbuild.hcl": "variable \"v\" { default = [] }\n",
		"deep.mbvars":  "v = " + deep + "\n",
		"deep.json":    `{"v": ` + deep,
		"long.json":    `{"v": "${` + strings.Repeat("!", 4_000_000) + `true}"}`,
		"bad.mbvars":   "v = \"\xff\"\n",
	})
	for name, want := range map[string]string{"deep.mbvars": "too-deep", "deep.json": "too-deep", "long.json": "too-large", "bad.mbvars": "not-utf8", "none": "missing-file", ".": "missing-file"} {
		_, diags := Load(context.Background(), Request{Dir: dir, Kinds: catalog{}, VarFiles: []string{filepath.Join(dir, name)}})
		if len(diags) != 1 || ExtraOf(diags[0]).Code != want {
			t.Errorf("%s: got %s, want %s", name, render(diags), want)
		}
	}
	_, diags := Load(context.Background(), Request{Dir: dir, Kinds: catalog{}, Vars: []VarArg{{"v", deep}}})
	if len(diags) != 1 || ExtraOf(diags[0]).Code != "too-deep" {
		t.Errorf("-var: got %s", render(diags))
	}
}

func TestNoSpec(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct{ dir, code string }{{dir, "no-spec"}, {filepath.Join(dir, "none"), "unreadable"}} {
		if _, diags := Load(context.Background(), Request{Dir: c.dir, Kinds: catalog{}}); len(diags) != 1 || ExtraOf(diags[0]).Code != c.code {
			t.Errorf("got %s, want %s", render(diags), c.code)
		}
	}
	if err := os.Symlink(filepath.Join(dir, "none"), filepath.Join(dir, "a.mbuild.hcl")); err != nil {
		t.Fatal(err)
	}
	if _, diags := Load(context.Background(), Request{Dir: dir, Kinds: catalog{}}); len(diags) != 1 || ExtraOf(diags[0]).Code != "unreadable" {
		t.Errorf("a broken link: got %s", render(diags))
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	dir := files(t, map[string]string{"a.mbuild.hcl": "dataset \"csv\" \"d\" { files = [\"a\"] }\n"})
	if _, diags := Load(ctx, Request{Dir: dir, Kinds: catalog{}}); !diags.HasErrors() {
		t.Error("a cancelled load reports success")
	}
}
