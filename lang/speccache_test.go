package lang

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"mbuild.dev/mbuild/lang/value"
)

// shelf is a library of one module.
type shelf struct{}

func (shelf) Modules() []string { return []string{"tiny"} }

func (shelf) Open(string) (fs.FS, error) {
	return fstest.MapFS{"tiny.mbuild.hcl": {Data: []byte(`
variable "units" { type = number }
model "layers" "m" {
  layer "dense" "h" { units = var.units }
}
output "graph" { value = model.layers.m.graph }
`)}}, nil
}

// project has every sort of input that a spec can have.
var project = map[string]string{
	"a.mbuild.hcl": `
variable "epochs" { default = 1 }
variable "rate" { default = 0.1 }
variable "from_env" { default = "none" }
variable "from_file" { default = 1 }
module "net" {
  source = "std/tiny"
  units  = length(fileset("data/*.csv"))
}
module "own" {
  source = "./own"
  rate   = var.rate
  data   = dataset.csv.d.data
}
dataset "csv" "d" {
  files = fileset("data/*.csv")
  label = trimspace(file("label.txt"))
}
train "supervised" "t" {
  for_each = { a = 1, b = var.from_file }
  graph    = module.net.graph
  data     = dataset.csv.d.data
  epochs   = var.epochs + each.value
  optimizer "sgd" { lr = var.rate }
  tags = [var.from_env, try(file("maybe.txt"), "missing")]
  timeout = "1h1s"
  retries = 3
}
output "model" { value = train.supervised.t["a"].model }
`,
	"b.mbuild.hcl":      "pass \"prune\" \"p\" {\n  from = train.supervised.t[\"b\"].model\n  depends_on = [dataset.csv.d]\n  backend = \"go\"\n}\n",
	"own/m.mbuild.hcl":  "variable \"rate\" {}\nvariable \"data\" {}\ntrain \"supervised\" \"t\" {\n  data = var.data\n  epochs = 1\n  optimizer \"sgd\" { lr = var.rate }\n}\n",
	"x.auto.mbvars":     "epochs = 3\n",
	"data/one.csv":      "a,b\n1,2\n",
	"label.txt":         "b\n",
	"given/more.mbvars": "from_file = 7\n",
}

// meaning is a Spec and its warnings as one text: what a cached Spec must not differ in.
func meaning(t testing.TB, s *Spec) string {
	t.Helper()
	var b strings.Builder
	text := func(v any) string {
		enc, err := value.Canonical(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(enc)
	}
	for _, x := range s.Blocks {
		fmt.Fprintf(&b, "%s %s %v %v %v %v %v %v\n", x.Addr, text(x.Attrs()), x.Refs, x.DependsOn, append(x.Tags, x.Backend), x.Timeout, x.Retries, x.Decl())
	}
	for _, o := range s.Outputs {
		fmt.Fprintf(&b, "output %s %s %v %v\n", o.Name, text(o.Value), o.Description, o.Range)
	}
	fmt.Fprintf(&b, "%s %v\n", text(s.Variables), s.Settings)
	return b.String()
}

// TestSpecCache: a spec whose inputs are all as they were comes from the cache and means the same; whichever input changes, it
// is evaluated again, and gives what an evaluation without a cache gives.
func TestSpecCache(t *testing.T) {
	dir := files(t, project)
	if err := os.Mkdir(filepath.Join(dir, ".mbuild"), 0o755); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"MBUILD_VAR_from_env": "x"}
	req := Request{Dir: dir, Kinds: catalog{}, Std: shelf{}, Version: "1", Cache: filepath.Join(dir, ".mbuild", "spec.cache"),
		Env:      func(n string) (string, bool) { v, ok := env[n]; return v, ok },
		VarFiles: []string{filepath.Join(dir, "given", "more.mbvars")}}
	load := func() (cached bool, text string) {
		t.Helper()
		s, diags := Load(context.Background(), req)
		cold := req
		cold.Cache = ""
		want, wantDiags := Load(context.Background(), cold)
		if render(diags) != render(wantDiags) {
			t.Fatalf("diagnostics with the cache:\n%s\nwithout:\n%s", render(diags), render(wantDiags))
		}
		if diags.HasErrors() {
			return s.Cached, ""
		}
		if got, want := meaning(t, s), meaning(t, want); got != want {
			t.Fatalf("with the cache:\n%s\nwithout:\n%s", got, want)
		}
		return s.Cached, meaning(t, s)
	}
	expect := func(what string, cached bool) {
		t.Helper()
		if got, _ := load(); got != cached {
			t.Errorf("%s: cached is %v, want %v", what, got, cached)
		}
	}
	expect("first load", false)
	expect("second load", true)
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(name)), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	remove := func(name string) {
		t.Helper()
		if err := os.Remove(filepath.Join(dir, filepath.FromSlash(name))); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(project)) {
		if name == "data/one.csv" {
			continue // its name is read, not its bytes
		}
		info, err := os.Stat(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		changed := strings.NewReplacer("1", "2", "3", "4", "7", "8", "b\n", "c\n", "0.5", "0.6").Replace(project[name])
		if strings.HasSuffix(name, "b.mbuild.hcl") {
			changed = strings.Replace(project[name], "\"p\"", "\"q\"", 1)
		}
		if name == "own/m.mbuild.hcl" {
			changed = strings.Replace(project[name], "epochs = 1", "epochs = 9", 1)
		}
		if len(changed) != len(project[name]) || changed == project[name] {
			t.Fatalf("%s: the change is none, or changes the size", name)
		}
		write(name, changed)
		if err := os.Chtimes(filepath.Join(dir, filepath.FromSlash(name)), info.ModTime(), info.ModTime()); err != nil {
			t.Fatal(err)
		}
		expect(name+" changed, with size and time as before", false)
		expect(name+" unchanged", true)
		write(name, project[name])
		expect(name+" restored", false)
	}
	env["MBUILD_VAR_from_env"] = "y"
	expect("environment changed", false)
	delete(env, "MBUILD_VAR_from_env")
	expect("environment variable gone", false)
	expect("environment the same", true)
	env["MBUILD_VAR_rate"] = "0.5"
	expect("environment variable appeared", false)
	write("maybe.txt", "there")
	expect("a file that was missed appeared", false)
	remove("maybe.txt")
	expect("it is gone again", false)
	write("data/two.csv", "")
	expect("a file of a set appeared", false)
	write("z.auto.mbvars", "rate = 0.7\n")
	expect("variables file appeared", false)
	write("c.mbuild.hcl", "locals { unused = 3 }\n")
	expect("spec file appeared, with a warning", false)
	expect("the warning comes from the cache", true)
	write("own/n.mbuild.hcl", "")
	expect("spec file of a module appeared", false)
	req.Vars = []VarArg{{"epochs", "5"}}
	expect("-var", false)
	expect("same -var", true)
	req.Version = "2"
	expect("another version", false)
	remove("own/n.mbuild.hcl")
	expect("spec file of a module gone", false)
	write("c.mbuild.hcl", "locals { broken = }\n")
	expect("mistake", false)
	expect("mistakes are not kept", false)
}

// TestSpecCacheDamaged: whatever stands in the cache's file, it is never used when it is not what was written.
func TestSpecCacheDamaged(t *testing.T) {
	dir := files(t, project)
	req := Request{Dir: dir, Kinds: catalog{}, Std: shelf{}, Cache: filepath.Join(dir, "spec.cache")}
	want, diags := Load(context.Background(), req)
	if diags.HasErrors() {
		t.Fatal(render(diags))
	}
	good, err := os.ReadFile(req.Cache)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(good); i += 1 + len(good)/400 {
		for _, bad := range [][]byte{append(slices.Clone(good[:i]), append([]byte{good[i] ^ 0x20}, good[i+1:]...)...), good[:i]} {
			if err := os.WriteFile(req.Cache, bad, 0o644); err != nil {
				t.Fatal(err)
			}
			got, _ := Load(context.Background(), req)
			if got.Cached {
				t.Fatalf("a file damaged at byte %d was used", i)
			}
			if meaning(t, got) != meaning(t, want) {
				t.Fatalf("damaged at byte %d: another spec", i)
			}
		}
	}
}

// TestSpecCacheSecret: a spec with a sensitive variable leaves no cache.
func TestSpecCacheSecret(t *testing.T) {
	dir := files(t, map[string]string{"a.mbuild.hcl": "variable \"token\" {\n  default = \"hunter2\"\n  sensitive = true\n}\noutput \"o\" { value = var.token }\n"})
	req := Request{Dir: dir, Kinds: catalog{}, Cache: filepath.Join(dir, "spec.cache")}
	if _, diags := Load(context.Background(), req); diags.HasErrors() {
		t.Fatal(render(diags))
	}
	if _, err := os.Stat(req.Cache); err == nil {
		t.Error("a cache was written")
	}
}

// TestCachedRange: a place in a cached spec is found by going back to the sources.
func TestCachedRange(t *testing.T) {
	dir := files(t, project)
	req := Request{Dir: dir, Kinds: catalog{}, Std: shelf{}, Cache: filepath.Join(dir, "spec.cache")}
	cold, _ := Load(context.Background(), req)
	warm, _ := Load(context.Background(), req)
	if !warm.Cached {
		t.Fatal("not cached")
	}
	for i, b := range cold.Blocks {
		for _, r := range b.Refs {
			if got, want := warm.Blocks[i].RangeOf(r.At, false), b.RangeOf(r.At, false); got != want {
				t.Errorf("%s %s: %v, want %v", b.Addr, r.At, got, want)
			}
		}
	}
}

// BenchmarkSpecCache reads 10,000 blocks from the cache. The target is 5 ms.
func BenchmarkSpecCache(b *testing.B) {
	dir := files(b, map[string]string{"a.mbuild.hcl": tenThousand()})
	req := Request{Dir: dir, Kinds: catalog{}, Cache: filepath.Join(dir, "spec.cache")}
	Load(context.Background(), req)
	b.ReportAllocs()
	for b.Loop() {
		s, diags := Load(context.Background(), req)
		if diags.HasErrors() || !s.Cached || len(s.Blocks) != 10_002 {
			b.Fatal(len(s.Blocks), render(diags))
		}
	}
}
