package mbuild_test

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const module = "mbuild.dev/mbuild/"

// layers lists the layers from the bottom up: a package may import packages of its own layer and of those below it. cache and
// lang do not know each other.
var layers = []struct {
	name  string
	below []string
}{
	{"cache", nil},
	{"lang", nil},
	{"examples", nil},
	{"planner", []string{"cache", "lang"}},
	{"executor", []string{"cache", "lang", "planner"}},
	{"stdlib", []string{"cache", "lang", "planner", "executor"}},
	{"cmd", []string{"cache", "lang", "planner", "executor", "stdlib", "examples"}},
}

// leaves know nothing of the program: packages of every layer may import them.
var leaves = map[string]bool{"cache/vfs": true}

// owners says which packages may import a module at all, tests left aside.
var owners = map[string][]string{
	"github.com/gomlx/":                   {"executor/mlx", "stdlib"},
	"github.com/gomlx/go-xla":             {"executor/mlx"},
	"cuelang.org/go":                      {"lang/cuefile", "lang/schema/gen"},
	"google.golang.org/protobuf":          {"cache/remote", "stdlib/graph/onnx", "stdlib/token"},
	"golang.org/x/text":                   {"stdlib/token"},
	"github.com/zclconf/go-cty":           {"lang"},
	"github.com/hashicorp/hcl/v2":         {"lang", "planner", "executor", "stdlib", "cmd"},
	"github.com/spf13/":                   {"cmd"},
	"github.com/opencontainers/go-digest": {"cache"},
	"golang.org/x/term":                   {"cmd"},
	"github.com/parquet-go/":              {"stdlib/dataset/parquet"},
	"github.com/agext/levenshtein":        {"lang/schema"},
}

// pkg is what go list says of a package.
type pkg struct {
	ImportPath string
	Doc        string
	Imports    []string
	GoFiles    []string
	Dir        string
}

func packages(t *testing.T) []pkg {
	cmd := exec.Command("go", "list", "-json", "./...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		if len(p.GoFiles) > 0 {
			all = append(all, p)
		}
	}
}

// TestLayers holds the imports of every package against the lattice of docs/architecture.md.
func TestLayers(t *testing.T) {
	allowed := map[string]map[string]bool{}
	for _, l := range layers {
		allowed[l.name] = map[string]bool{l.name: true}
		for _, b := range l.below {
			allowed[l.name][b] = true
		}
	}
	for _, p := range packages(t) {
		rel := strings.TrimPrefix(p.ImportPath, module)
		layer, _, _ := strings.Cut(rel, "/")
		if allowed[layer] == nil {
			t.Errorf("%s is in no layer", p.ImportPath)
			continue
		}
		for _, imp := range p.Imports {
			if in, ok := strings.CutPrefix(imp, module); ok {
				to, _, _ := strings.Cut(in, "/")
				if !allowed[layer][to] && !leaves[in] {
					t.Errorf("%s imports %s: %s may not know %s", rel, in, layer, to)
				}
			}
			for mod, who := range owners {
				if strings.HasPrefix(imp, mod) && !within(rel, who) {
					t.Errorf("%s imports %s; only %v may", rel, imp, who)
				}
			}
		}
		if p.Doc == "" {
			t.Errorf("%s has no package comment", rel)
		}
		switch filepath.Base(rel) {
		case "util", "common", "helpers", "types":
			t.Errorf("%s: a package name that says nothing", rel)
		}
	}
}

func within(rel string, who []string) bool {
	for _, w := range who {
		if rel == w || strings.HasPrefix(rel, w+"/") {
			return true
		}
	}
	return false
}

// TestAddKind proves docs/development.md: a kind is one folder and one line. It adds the kind of testdata/newkind to a copy of
// the table, through the compiler's overlay, and plans and applies a spec with it.
func TestAddKind(t *testing.T) {
	dir := t.TempDir()
	overlay := map[string]string{}
	abs := func(p string) string {
		a, err := filepath.Abs(p)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	for _, f := range []string{"kind.go", "schema_gen.go"} {
		overlay[abs("stdlib/step/note/"+f)] = abs("testdata/newkind/" + f + ".txt")
	}
	table, err := os.ReadFile("stdlib/kinds.go")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(table), "\t\texec.Kind,\n", "\t\texec.Kind,\n\t\tnote.Kind,\n", 1)
	text = strings.Replace(text, "\t\"mbuild.dev/mbuild/stdlib/step/exec\"\n", "\t\"mbuild.dev/mbuild/stdlib/step/exec\"\n\t\"mbuild.dev/mbuild/stdlib/step/note\"\n", 1)
	if err := os.WriteFile(filepath.Join(dir, "kinds.go"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	overlay[abs("stdlib/kinds.go")] = filepath.Join(dir, "kinds.go")
	enc, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), enc, 0o644); err != nil {
		t.Fatal(err)
	}
	spec := "step \"note\" \"hello\" {\n  text = \"a new kind\"\n}\n"
	if err := os.WriteFile(filepath.Join(dir, "a.mbuild.hcl"), []byte(spec), 0o644); err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(dir, "mbuild")
	if out, err := exec.Command("go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", bin, "./cmd/mbuild").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"1 built, 0 cached", "0 built, 1 cached"} {
		cmd := exec.Command(bin, "-C", dir, "apply", "-auto-approve")
		cmd.Env = append(os.Environ(), "MBUILD_CACHE="+filepath.Join(dir, "store"))
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Fatalf("%v\n%s\nwant %s", err, out, want)
		}
	}
}

// TestNoXLAByDefault: XLA's packages, and cgo with them, are in builds with -tags xla only.
func TestNoXLAByDefault(t *testing.T) {
	deps := func(env string, args ...string) string {
		cmd := exec.Command("go", append(append([]string{"list", "-deps"}, args...), "./cmd/mbuild")...)
		cmd.Env = append(os.Environ(), env, "GOFLAGS=")
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	const xla = "github.com/gomlx/go-xla/"
	if strings.Contains(deps("CGO_ENABLED=1"), xla) || strings.Contains(deps("CGO_ENABLED=0", "-tags", "xla"), xla) {
		t.Error("a build without XLA imports its packages")
	}
	if !strings.Contains(deps("CGO_ENABLED=1", "-tags", "xla"), xla) {
		t.Error("a build with XLA does not import its packages")
	}
}
