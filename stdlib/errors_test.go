package stdlib

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/lang"
	"mbuild.dev/mbuild/planner"
)

// TestErrors loads every section of testdata/spec/errors*.txtar as a spec of its own. A mistake is marked on the line that makes
// it with `# want "regexp"` (`// want` in CUE), matched against "summary: detail"; `replaces "text"` after it is the suggestion
// that machines may apply. A diagnostic that is not wanted and a wanted one that does not come both fail. A section is named
// CASE.hcl, CASE.cue or CASE.json (CASE alone is HCL; in JSON a member "//": "want regexp" marks the line); sections prelude.hcl and prelude.cue are a second file of every case of
// that syntax after them. `# var: name=value` gives a variable, `# file: name` begins another file of the same directory.
func TestErrors(t *testing.T) {
	files, err := filepath.Glob("../testdata/spec/errors*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	table := executor.NewTable(Kinds()...).Planner
	cases := map[string]map[string]bool{"hcl": {}, "cue": {}, "json": {}}
	for _, f := range files {
		ar, err := txtar.ParseFile(f)
		if err != nil {
			t.Fatal(err)
		}
		prelude := map[string][]byte{}
		for _, sec := range ar.Files {
			name, syntax, ok := strings.Cut(sec.Name, ".")
			if !ok {
				syntax = "hcl"
			}
			if name == "prelude" {
				prelude[syntax] = sec.Data
				continue
			}
			if cases[syntax][name] {
				t.Errorf("%s: there are two cases %s.%s", f, name, syntax)
			}
			cases[syntax][name] = true
			t.Run(sec.Name, func(t *testing.T) { checkErrors(t, table, syntax, prelude[syntax], string(sec.Data)) })
		}
	}
	pairs := 0
	for name := range cases["cue"] {
		if cases["hcl"][name] {
			pairs++
		}
	}
	if pairs < 150 {
		t.Errorf("only %d mistakes are there in both syntaxes", pairs)
	}
	t.Logf("%d mistakes in HCL, %d in CUE, %d in JSON", len(cases["hcl"]), len(cases["cue"]), len(cases["json"]))
}

var (
	wantRE     = regexp.MustCompile(`(?:#|//) want ("(?:[^"\\]|\\.)*")(?: replaces ("(?:[^"\\]|\\.)*"))?`)
	jsonWantRE = regexp.MustCompile(`"//": "want (.*)"`)
	varRE      = regexp.MustCompile(`(?m)^(?:#|//) var: (\w+)=(.*)$`)
	fileRE     = regexp.MustCompile(`(?m)^(?:#|//) file: (\S+)\n`)
)

// place is a line of a file.
type place struct {
	file string
	line int
}

func checkErrors(t *testing.T, table *planner.Table, syntax string, prelude []byte, src string) {
	suffix := map[string]string{"hcl": ".mbuild.hcl", "cue": ".mbuild.cue", "json": ".mbuild.hcl.json"}[syntax]
	dir := t.TempDir()
	texts := map[string]string{}
	if prelude != nil {
		texts["Prelude"+suffix] = string(prelude)
	}
	name := "a" + suffix
	for at := 0; ; {
		m := fileRE.FindStringSubmatchIndex(src[at:])
		if m == nil {
			texts[name] = src[at:]
			break
		}
		texts[name] = src[at : at+m[0]]
		name, at = src[at+m[2]:at+m[3]], at+m[1]
	}
	wants := map[place][]string{}
	for name, text := range texts {
		p := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(text, "\n") {
			if m := wantRE.FindStringSubmatch(line); m != nil {
				wants[place{name, i + 1}] = m[1:]
			}
			if m := jsonWantRE.FindStringSubmatch(line); m != nil {
				wants[place{name, i + 1}] = []string{m[1], ""}
			}
		}
	}
	if len(wants) == 0 {
		t.Fatal("the case wants nothing")
	}
	req := lang.Request{Dir: dir, Kinds: table, Std: Modules}
	for _, m := range varRE.FindAllStringSubmatch(src, -1) {
		req.Vars = append(req.Vars, lang.VarArg{Name: m[1], Value: m[2]})
	}
	spec, diags := lang.Load(context.Background(), req)
	if !diags.HasErrors() {
		_, d := planner.Lower(spec, table)
		diags = append(diags, d...)
	}
	for _, d := range diags {
		var at place
		if d.Subject != nil {
			at = place{d.Subject.Filename, d.Subject.Start.Line}
		}
		if strings.HasPrefix(at.file, "<-var") {
			at = place{"a" + suffix, 1}
		}
		text := d.Summary + ": " + d.Detail
		want, ok := wants[at]
		if !ok {
			t.Errorf("%s:%d: unexpected: %s", at.file, at.line, text)
			continue
		}
		delete(wants, at)
		if re := regexp.MustCompile(unquote(want[0])); !re.MatchString(text) {
			t.Errorf("%s:%d: got %s\nwant %s", at.file, at.line, text, re)
		}
		if want[1] != "" && lang.ExtraOf(d).Suggestion != unquote(want[1]) {
			t.Errorf("%s:%d: the suggestion is %q, want %s", at.file, at.line, lang.ExtraOf(d).Suggestion, want[1])
		}
		if lang.Explain(lang.ExtraOf(d).Code) == "" {
			t.Errorf("%s:%d: code %q is explained nowhere", at.file, at.line, lang.ExtraOf(d).Code)
		}
	}
	for at, want := range wants {
		t.Errorf("%s:%d: wanted %s; it did not come", at.file, at.line, want[0])
	}
}

// unquote undoes the quotes of a want, if it has any; within them only quotes are escaped, the rest is a regular expression.
func unquote(s string) string {
	if !strings.HasPrefix(s, `"`) {
		return s
	}
	return strings.ReplaceAll(s[1:len(s)-1], `\"`, `"`)
}
