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

// TestErrors loads every file of testdata/spec/errors*.txtar as a spec of its own. A mistake is marked on the line that makes it
// with `# want "regexp"`, matched against "summary: detail"; a diagnostic that is not wanted and a wanted one that does not come
// both fail. `# replaces "text"` is the suggestion that machines may apply. A file named x.prelude is put before the files x-*.
func TestErrors(t *testing.T) {
	files, err := filepath.Glob("../testdata/spec/errors*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	table := executor.NewTable(Kinds()...).Planner
	cases := 0
	for _, f := range files {
		ar, err := txtar.ParseFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, sec := range ar.Files {
			cases++
			t.Run(sec.Name, func(t *testing.T) { checkErrors(t, table, string(sec.Data)) })
		}
	}
	if cases < 50 {
		t.Errorf("only %d cases", cases)
	}
}

var wantRE = regexp.MustCompile(`# want ("(?:[^"\\]|\\.)*")`)

func checkErrors(t *testing.T, table *planner.Table, src string) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.mbuild.hcl"), []byte(src), 0o644); err != nil {
		t.Fatal(err)
	}
	want := map[int]*regexp.Regexp{}
	for i, line := range strings.Split(src, "\n") {
		if m := wantRE.FindStringSubmatch(line); m != nil {
			want[i+1] = regexp.MustCompile(strings.ReplaceAll(m[1][1:len(m[1])-1], `\"`, `"`))
		}
	}
	if len(want) == 0 {
		t.Fatal("the case wants nothing")
	}
	spec, diags := lang.Load(context.Background(), lang.Request{Dir: dir, Kinds: table})
	if !diags.HasErrors() {
		_, d := planner.Lower(spec, table)
		diags = append(diags, d...)
	}
	for _, d := range diags {
		line := 0
		if d.Subject != nil {
			line = d.Subject.Start.Line
		}
		text := d.Summary + ": " + d.Detail
		re := want[line]
		if re == nil {
			t.Errorf("line %d: unexpected: %s", line, text)
			continue
		}
		if !re.MatchString(text) {
			t.Errorf("line %d: got %s\nwant %s", line, text, re)
		}
		delete(want, line)
	}
	for line, re := range want {
		t.Errorf("line %d: wanted %s; it did not come", line, re)
	}
}
