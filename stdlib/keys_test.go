package stdlib

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/lang"
	"mbuild.dev/mbuild/planner"
)

// The tests of this file generate specs as trees, write the same tree in many ways, and hold the keys of all actions against
// each other. An action whose inputs do not exist yet gets the key it would have if each action's outputs were made of its key.

// field is an attribute of a generated block; its value is an int, a float64, a string, a bool, a link, a list or fields.
type field struct {
	name  string
	value any
}

// link is a reference to an output of another block of the spec.
type link struct {
	block  int
	output string
}

// inner is a nested block.
type inner struct {
	label  string // with labels: `layer "dense" "h"`
	fields []field
}

// item is a block of a generated spec.
type item struct {
	family, typ string
	fields      []field
	inner       []inner
}

// generated makes a spec: data, networks, training, passes, and text made of files and of one another.
func generated(r *rand.Rand) []item {
	pick := func(words ...string) string { return words[r.IntN(len(words))] }
	items := []item{
		{"dataset", "synthetic", []field{{"shape", pick("blobs", "spirals")}, {"rows", 100 + r.IntN(50)}, {"noise", float64(r.IntN(9)) / 16}, {"seed", r.IntN(1000)}},
			[]inner{{"split", []field{{"train", 0.5}, {"test", 0.5}}}}},
		{"model", "layers", nil, []inner{{`input "features"`, []field{{"shape", []any{2}}}},
			{`layer "dense" "h"`, []field{{"units", 1 + r.IntN(64)}, {"activation", pick("relu", "tanh")}}}, {`layer "dense" "o"`, []field{{"units", 2 + r.IntN(2)}}}}},
		{"train", "supervised", []field{{"graph", link{1, "graph"}}, {"data", link{0, "data"}}, {"loss", "cross_entropy"}, {"epochs", 1 + r.IntN(4)},
			{"batch", 8 + r.IntN(8)}, {"seed", r.IntN(99)}}, []inner{{`optimizer "sgd"`, []field{{"lr", float64(1+r.IntN(64)) / 128}}}}},
		{"pass", "prune", []field{{"from", link{2, "model"}}, {"sparsity", float64(1+r.IntN(6)) / 8}}, nil},
	}
	for i := range 3 + r.IntN(4) {
		inputs := []field{{"source", "src.txt"}}
		if i > 0 && r.IntN(3) > 0 {
			inputs = []field{{"one", link{3 + i, "file"}}, {"two", "other.txt"}}
		}
		items = append(items, item{"step", "template", []field{{"template", pick("a {{ .values.n }}", "b {{ .values.s }}")}, {"inputs", inputs},
			{"values", []field{{"n", r.IntN(100)}, {"s", pick("ü", "x\ty", "plain")}, {"list", []any{1, "two", true, 0.25}}}}}, nil})
	}
	return items
}

// style says how a tree is written down.
type style struct {
	names  []string // of the blocks
	order  []int    // of the blocks
	files  int
	mix    *rand.Rand // order of attributes and map keys; nil leaves it
	number func(string) string
	space  string // before every line
	locals bool   // numbers are taken from locals
	extras bool   // tags and depends_on, which are no part of the meaning
}

func plainStyle(items []item) style {
	s := style{files: 1, number: func(n string) string { return n }}
	for i := range items {
		s.names = append(s.names, fmt.Sprintf("b%d", i))
		s.order = append(s.order, i)
	}
	return s
}

func (s style) shuffled(fields []field) []field {
	fields = slices.Clone(fields)
	if s.mix != nil {
		s.mix.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
	}
	return fields
}

// write gives the files of a spec.
func (s style) write(items []item) map[string]string {
	out := map[string]string{}
	locals := map[string]string{}
	for k, i := range s.order {
		it := items[i]
		var b strings.Builder
		fmt.Fprintf(&b, "%s%s %q %q {\n", s.space, it.family, it.typ, s.names[i])
		for _, f := range s.shuffled(it.fields) {
			fmt.Fprintf(&b, "%s  %s = %s\n", s.space, f.name, s.value(items, f.value, locals))
		}
		if s.extras {
			fmt.Fprintf(&b, "  tags = [\"t%d\"]\n", i)
			if i > 0 && k > 0 && it.family == "step" {
				fmt.Fprintf(&b, "  depends_on = [%s.%s.%s]\n", items[0].family, items[0].typ, s.names[0])
			}
		}
		for _, in := range it.inner {
			fmt.Fprintf(&b, "%s  %s {\n", s.space, in.label)
			for _, f := range s.shuffled(in.fields) {
				fmt.Fprintf(&b, "%s    %s = %s\n", s.space, f.name, s.value(items, f.value, locals))
			}
			fmt.Fprintf(&b, "%s  }\n", s.space)
		}
		b.WriteString(s.space + "}\n")
		out[fmt.Sprintf("f%d.mbuild.hcl", k%s.files)] += b.String()
	}
	if len(locals) > 0 {
		text := "locals {\n"
		for _, name := range slices.Sorted(maps.Keys(locals)) {
			text += fmt.Sprintf("  %s = %s\n", name, locals[name])
		}
		out["locals.mbuild.hcl"] = text + "}\n"
	}
	return out
}

func (s style) value(items []item, v any, locals map[string]string) string {
	switch t := v.(type) {
	case int:
		return s.local(s.number(strconv.Itoa(t)), locals)
	case float64:
		return s.local(s.number(strconv.FormatFloat(t, 'g', -1, 64)), locals)
	case bool:
		return strconv.FormatBool(t)
	case string:
		return strconv.Quote(t)
	case link:
		return fmt.Sprintf("%s.%s.%s.%s", items[t.block].family, items[t.block].typ, s.names[t.block], t.output)
	case []any:
		var parts []string
		for _, e := range t {
			parts = append(parts, s.value(items, e, locals))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case []field:
		var parts []string
		for _, f := range s.shuffled(t) {
			parts = append(parts, f.name+" = "+s.value(items, f.value, locals))
		}
		return "{ " + strings.Join(parts, ", ") + " }"
	}
	panic(fmt.Sprintf("%T", v))
}

func (s style) local(number string, locals map[string]string) string {
	if !s.locals {
		return number
	}
	name := fmt.Sprintf("n%d", len(locals))
	locals[name] = number
	return "local." + name
}

// keysIn plans the files of a directory and returns the keys of the actions of each block, in the order of their emission, and
// all encoded actions.
func keysIn(t *testing.T, dir string, names []string, items []item) (keys [][]string, encoded []byte) {
	t.Helper()
	table := executor.NewTable(Kinds()...).Planner
	spec, diags := lang.Load(context.Background(), lang.Request{Dir: dir, Kinds: table, Std: Modules})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	graph, diags := planner.Lower(spec, table)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	snap, diags := planner.TakeSnapshot(context.Background(), dir, graph.Files, nil)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	made := make([]cache.ActionKey, len(graph.Actions))
	for i, a := range graph.Actions {
		inputs := make([]cache.Digest, len(a.Inputs))
		for k, in := range a.Inputs {
			inputs[k] = snap.Files[in.File]
			if in.Action != nil {
				inputs[k] = cache.Sum([]byte(made[in.Action.Index].String() + in.Output))
			}
		}
		enc := a.Encode(inputs, testToolchain)
		encoded = append(append(encoded, enc...), '\n')
		made[i] = cache.KeyOf(enc)
	}
	for i, it := range items {
		var of []string
		for _, a := range graph.Block(fmt.Sprintf("%s.%s.%s", it.family, it.typ, names[i])) {
			of = append(of, made[a.Index].String())
		}
		keys = append(keys, of)
	}
	return keys, encoded
}

var testToolchain = planner.Toolchain{Backend: "go", Fingerprint: "go test vector", Platform: "linux/amd64"}

// keysOf writes a tree in a style into a new directory and returns its keys.
func keysOf(t *testing.T, items []item, s style) [][]string {
	t.Helper()
	keys, _ := keysIn(t, layOut(t, t.TempDir(), s.write(items)), s.names, items)
	return keys
}

func layOut(t *testing.T, dir string, files map[string]string) string {
	t.Helper()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"src.txt", "other.txt"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("text of "+name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestKeysOfOneMeaning: however a spec is written, its keys are the same.
func TestKeysOfOneMeaning(t *testing.T) {
	for seed := range uint64(25) {
		r := rand.New(rand.NewPCG(seed, 1))
		items := generated(r)
		want := keysOf(t, items, plainStyle(items))
		spelled := func(n string) string {
			switch {
			case strings.Contains(n, "."):
				return n + "00"
			case r.IntN(2) == 0:
				return n + ".0"
			}
			return n + "e0"
		}
		for name, edit := range map[string]func(*style){
			"files": func(s *style) { s.files = 3 },
			"blocks": func(s *style) {
				r.Shuffle(len(s.order), func(i, j int) { s.order[i], s.order[j] = s.order[j], s.order[i] })
			},
			"attributes": func(s *style) { s.mix = r },
			"numbers":    func(s *style) { s.number = spelled },
			"formatting": func(s *style) { s.space = "\t # a comment\n\t\t " },
			"locals":     func(s *style) { s.locals = true },
			"tags":       func(s *style) { s.extras = true },
			"names": func(s *style) {
				for i := range s.names {
					s.names[i] = fmt.Sprintf("other_%d", 99-i)
				}
			},
		} {
			s := plainStyle(items)
			edit(&s)
			got := keysOf(t, items, s)
			for i := range items {
				if !slices.Equal(got[i], want[i]) {
					t.Errorf("seed %d, %s: block %d (%s.%s) has other keys\n%v", seed, name, i, items[i].family, items[i].typ, s.write(items))
				}
			}
		}
	}
}

// TestKeysOfAnotherMeaning: whatever value of a block changes, a key of the block changes, and none of a block that does not
// depend on it.
func TestKeysOfAnotherMeaning(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 2))
		items := generated(r)
		s := plainStyle(items)
		before := keysOf(t, items, s)
		i := r.IntN(len(items))
		was := s.write(items)
		changed := change(r, items, i)
		after := keysOf(t, changed, s)
		if slices.Equal(before[i], after[i]) {
			t.Errorf("seed %d: block %d means something else and has the same keys\n%v\n%v", seed, i, was, s.write(changed))
		}
		for k := range items {
			if k != i && !dependsOn(changed, k, i) && !slices.Equal(before[k], after[k]) {
				t.Errorf("seed %d: block %d changed, and the keys of block %d, which does not depend on it\n%v\n%v", seed, i, k, was, s.write(changed))
			}
		}
	}
}

// change gives a tree in which one number of a block is another. Every generated block has one.
func change(r *rand.Rand, items []item, i int) []item {
	out := slices.Clone(items)
	out[i].fields = slices.Clone(out[i].fields)
	out[i].inner = slices.Clone(out[i].inner)
	var spots []*any
	var search func(fields []field)
	search = func(fields []field) {
		for k := range fields {
			switch t := fields[k].value.(type) {
			case int, float64:
				if fields[k].name != "test" && fields[k].name != "train" {
					spots = append(spots, &fields[k].value)
				}
			case []field:
				copied := slices.Clone(t)
				fields[k].value = copied
				search(copied)
			}
		}
	}
	search(out[i].fields)
	for k := range out[i].inner {
		out[i].inner[k].fields = slices.Clone(out[i].inner[k].fields)
		search(out[i].inner[k].fields)
	}
	spot := spots[r.IntN(len(spots))]
	switch t := (*spot).(type) {
	case int:
		*spot = t + 1
	case float64:
		*spot = t + 1.0/256
	}
	return out
}

func dependsOn(items []item, k, on int) bool {
	var links func(fields []field) bool
	links = func(fields []field) bool {
		return slices.ContainsFunc(fields, func(f field) bool {
			switch t := f.value.(type) {
			case link:
				return t.block == on || dependsOn(items, t.block, on)
			case []field:
				return links(t)
			}
			return false
		})
	}
	return links(items[k].fields)
}

// TestKeysOfInputs: a changed byte of a file changes the keys of what reads it, and its name or time none.
func TestKeysOfInputs(t *testing.T) {
	items := generated(rand.New(rand.NewPCG(1, 3)))
	s := plainStyle(items)
	dir := layOut(t, t.TempDir(), s.write(items))
	before, _ := keysIn(t, dir, s.names, items)
	if err := os.Chtimes(filepath.Join(dir, "src.txt"), past(), past()); err != nil {
		t.Fatal(err)
	}
	os.Chmod(filepath.Join(dir, "src.txt"), 0o600)
	if again, _ := keysIn(t, dir, s.names, items); fmt.Sprint(again) != fmt.Sprint(before) {
		t.Error("the time or the mode of a source is in a key")
	}
	if err := os.WriteFile(filepath.Join(dir, "src.txt"), []byte("text of Src.txt"), 0o644); err != nil {
		t.Fatal(err)
	}
	after, _ := keysIn(t, dir, s.names, items)
	for i, it := range items {
		reads := it.typ == "template" && strings.Contains(fmt.Sprint(it.fields), "src.txt")
		if reads && slices.Equal(before[i], after[i]) {
			t.Errorf("block %d reads a file that changed and has the same key", i)
		}
		if it.typ != "template" && !slices.Equal(before[i], after[i]) {
			t.Errorf("block %d does not read the file that changed", i)
		}
	}
}

// TestKeysKnowNoPlace: nothing of the machine, the user, the directory or the environment is in a key.
func TestKeysKnowNoPlace(t *testing.T) {
	items := generated(rand.New(rand.NewPCG(2, 4)))
	s := plainStyle(items)
	here := layOut(t, t.TempDir(), s.write(items))
	want, encoded := keysIn(t, here, s.names, items)
	host, _ := os.Hostname()
	words := []string{here, filepath.Base(here)}
	if len(host) > 3 {
		words = append(words, host)
	}
	if u, err := user.Current(); err == nil && len(u.HomeDir) > 3 {
		words = append(words, u.HomeDir)
	}
	for _, w := range words {
		if bytes.Contains(encoded, []byte(w)) {
			t.Errorf("%q is in an encoded action", w)
		}
	}
	deep := filepath.Join(t.TempDir(), "ein ander'er Ort", "ü")
	if err := os.MkdirAll(deep, 0o700); err != nil {
		t.Fatal(err)
	}
	for k, v := range map[string]string{"LANG": "tr_TR.UTF-8", "LC_ALL": "de_DE.UTF-8", "TZ": "Pacific/Kiritimati", "USER": "somebody", "HOME": t.TempDir(), "GOMAXPROCS": "1"} {
		t.Setenv(k, v)
	}
	restore := umask(0o077)
	defer restore()
	if got, _ := keysIn(t, layOut(t, deep, s.write(items)), s.names, items); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Error("keys depend on directory, environment or umask")
	}
}

// TestKeyVectors: the encoding of actions is written down. A change of this file is a change of every user's keys: everything is
// built again.
func TestKeyVectors(t *testing.T) {
	const path = "../testdata/vectors/keys.json"
	dir := layOut(t, t.TempDir(), map[string]string{"a.mbuild.hcl": vectorSpec})
	_, encoded := keysIn(t, dir, nil, nil)
	type vector struct {
		Action json.RawMessage `json:"action"`
		Key    string          `json:"key"`
	}
	var got []vector
	for line := range bytes.Lines(encoded) {
		line = bytes.TrimSuffix(line, []byte("\n"))
		got = append(got, vector{bytes.Clone(line), cache.KeyOf(line).String()})
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	for _, v := range got {
		if err := enc.Encode(v); err != nil {
			t.Fatal(err)
		}
	}
	if os.Getenv("MBUILD_UPDATE") != "" {
		if err := os.WriteFile(path, text.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(text.Bytes(), want) {
		t.Errorf("encoded actions or keys are not those of %s; if that is meant, MBUILD_UPDATE=1 writes it. Now:\n%s", path, text.Bytes())
	}
}

const vectorSpec = `
dataset "synthetic" "d" {
  shape = "spirals"
  rows  = 100
  noise = 0.1
  split {
    train = 0.5
    test  = 0.5
  }
}
model "layers" "m" {
  input "features" {
    shape = [2]
    scale = 1 / 16
  }
  layer "dense" "h" { units = 4 }
}
step "template" "t" {
  template = "{{ .values.x }} < > & \u00e9"
  values   = { x = 1e300, y = -0.0, z = 9007199254740993, "\u20ac" = true }
  inputs   = { b = "src.txt", a = "other.txt" }
}
step "exec" "e" {
  command = ["cat", "in"]
  inputs  = { in = step.template.t.file }
  outputs = ["out"]
}
`
