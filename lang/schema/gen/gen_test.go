package gen

import (
	"bytes"
	"math/rand"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"

	"mbuild.dev/mbuild/lang/schema"
	"mbuild.dev/mbuild/lang/value"
)

// schemas lists the schema files of all kinds: family, type, path.
func schemas(t testing.TB) [][3]string {
	files, err := filepath.Glob("../../../stdlib/*/*/schema.cue")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d schemas found: %v", len(files), err)
	}
	var out [][3]string
	for _, f := range files {
		dir := filepath.Dir(f)
		out = append(out, [3]string{filepath.Base(filepath.Dir(dir)), filepath.Base(dir), f})
	}
	return out
}

func table(t testing.TB, s [3]string) (*schema.Kind, []byte) {
	src, err := Read(s[2], s[0])
	if err != nil {
		t.Fatal(err)
	}
	k, err := Table(src, s[2], s[0], s[1])
	if err != nil {
		t.Fatal(err)
	}
	return k, src
}

// TestNotStale: schema_gen.go beside each schema.cue is what the generator writes today.
func TestNotStale(t *testing.T) {
	for _, s := range schemas(t) {
		k, _ := table(t, s)
		want, err := Source(strings.ReplaceAll(s[1], "_", ""), k)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(filepath.Dir(s[2]), "schema_gen.go"))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("schema_gen.go of %s.%s is stale: run go generate ./... (%v)", s[0], s[1], err)
		}
	}
}

// TestNoFamilyIsAnAttribute: no attribute bears the name of a family, for in CUE it would hide the blocks.
func TestNoFamilyIsAnAttribute(t *testing.T) {
	families := []string{"dataset", "tokenizer", "model", "train", "pass", "eval", "target", "step"}
	for _, s := range schemas(t) {
		k, _ := table(t, s)
		for _, f := range families {
			if k.Struct.Field(f) != nil {
				t.Errorf("%s.%s has an attribute %q, the name of a family", s[0], s[1], f)
			}
		}
	}
}

func TestUnsupported(t *testing.T) {
	for _, src := range []string{
		"#Kind: {a: [int, int]}", "#Kind: {a: int | number}", "#Kind: {a: #Nothing}", "#Kind: {a: int & string}",
		"#Kind: {a: {x: 1} | {y: 2}}", "#Kind: {a: !=3}", "#Kind: 3", "a: 1", "#Kind: {if true {a: 1}}",
		"#Kind: {#A}\n#A: int", "#Kind: {#A}", "#Kind: {{a: 1}}",
	} {
		if k, err := Table([]byte(src), "x.cue", "a", "b"); err == nil {
			t.Errorf("%s: no error, got %+v", src, k.Struct)
		}
	}
}

// oracle asks CUE itself. A context keeps every value it has made: after some thousand it is replaced.
type oracle struct {
	src    []byte
	ctx    *cue.Context
	kind   cue.Value
	checks int
}

func newOracle(t testing.TB, src []byte) *oracle {
	o := &oracle{src: src}
	o.renew(t)
	return o
}

func (o *oracle) renew(t testing.TB) {
	o.ctx = cuecontext.New()
	v := o.ctx.CompileBytes(o.src)
	if v.Err() != nil {
		t.Fatal(v.Err())
	}
	o.kind, o.checks = v.LookupPath(cue.ParsePath("#Kind")), 0
}

// check unifies a value with the schema and returns what comes out.
func (o *oracle) check(t testing.TB, v any) (any, bool) {
	if o.checks++; o.checks > 5000 {
		o.renew(t)
	}
	enc, err := value.Canonical(v)
	if err != nil {
		t.Fatal(err)
	}
	u := o.kind.Unify(o.ctx.CompileBytes(enc))
	if u.Validate(cue.Concrete(true), cue.Final()) != nil {
		return nil, false
	}
	js, err := u.MarshalJSON()
	if err != nil {
		return nil, false
	}
	out, err := value.Decode(js)
	return out, err == nil
}

// compare holds the table's answer against CUE's.
func compare(t testing.TB, o *oracle, k *schema.Kind, v any) bool {
	enc, err := value.Canonical(v)
	if err != nil {
		t.Fatal(err)
	}
	normal, err := value.Decode(enc) // references become value.Ref
	if err != nil {
		t.Fatal(err)
	}
	got, problems := schema.Check(k.Struct, normal)
	want, ok := o.check(t, v)
	if ok != (len(problems) == 0) {
		t.Errorf("%s.%s: %s\nCUE takes it: %v; the table says %+v", k.Family, k.Type, enc, ok, problems)
		return false
	}
	if ok && !reflect.DeepEqual(got, want) {
		a, _ := value.Canonical(got)
		b, _ := value.Canonical(want)
		if !bytes.Equal(a, b) {
			t.Errorf("%s.%s: table gives %s\nCUE gives %s", k.Family, k.Type, a, b)
		}
	}
	return ok
}

// TestTablesAgreeWithCUE tries random values, good and spoiled, on every kind.
func TestTablesAgreeWithCUE(t *testing.T) {
	for _, s := range schemas(t) {
		k, src := table(t, s)
		o := newOracle(t, src)
		good := 0
		for seed := range 150 {
			r := rand.New(rand.NewSource(int64(seed)))
			v := generate(r, k.Struct, 0)
			for range r.Intn(3) {
				v = spoil(r, v)
			}
			if compare(t, o, k, v) {
				good++
			}
		}
		if good < 10 || good > 140 {
			t.Errorf("%s.%s: %d of 150 values are good: the generator tests one side only", s[0], s[1], good)
		}
	}
}

// FuzzTables is the same with seeds of the fuzzer's choice.
func FuzzTables(f *testing.F) {
	var kinds []*schema.Kind
	var oracles []*oracle
	for _, s := range schemas(f) {
		k, src := table(f, s)
		kinds, oracles = append(kinds, k), append(oracles, newOracle(f, src))
	}
	f.Add(uint8(0), int64(1), uint8(1))
	f.Fuzz(func(t *testing.T, kind uint8, seed int64, spoils uint8) {
		i := int(kind) % len(kinds)
		r := rand.New(rand.NewSource(seed))
		v := generate(r, kinds[i].Struct, 0)
		for range spoils % 4 {
			v = spoil(r, v)
		}
		compare(t, oracles[i], kinds[i], v)
	})
}

// generate makes a value that mostly fits a type.
func generate(r *rand.Rand, t *schema.Type, depth int) any {
	if len(t.Enum) > 0 {
		return t.Enum[r.Intn(len(t.Enum))]
	}
	switch t.Op {
	case schema.Bool:
		return r.Intn(2) == 0
	case schema.Int:
		return inBounds(r, t, true)
	case schema.Number:
		return inBounds(r, t, r.Intn(3) == 0)
	case schema.String:
		samples := []string{"a", "name_1", "10m", "20MB", "x y", ""}
		if t.Pattern != "" && r.Intn(20) > 0 {
			samples = slices.DeleteFunc(samples, func(s string) bool { return !regexp.MustCompile(t.Pattern).MatchString(s) })
		}
		if len(samples) == 0 {
			return "" // of what fits a pattern there is no sample
		}
		return samples[r.Intn(len(samples))]
	case schema.Ref:
		return map[string]any{"$ref": "a.b.c.d", "type": t.RefTypes[r.Intn(len(t.RefTypes))]}
	case schema.List:
		l := []any{}
		for range t.MinItems + r.Intn(3) {
			l = append(l, generate(r, t.Elem, depth+1))
		}
		return l
	case schema.Map:
		m := map[string]any{}
		for range r.Intn(3) {
			m[string(rune('a'+r.Intn(5)))] = generate(r, t.Elem, depth+1)
		}
		return m
	case schema.Union:
		return generate(r, t.Alts[r.Intn(len(t.Alts))], depth+1)
	case schema.Struct:
		m := map[string]any{}
		for _, f := range t.Fields {
			if f.Required || r.Intn(2) == 0 {
				m[f.Name] = generate(r, f.Type, depth+1)
			}
		}
		return m
	}
	return int64(1)
}

func inBounds(r *rand.Rand, t *schema.Type, whole bool) any {
	lo, hi := -5.0, 5.0
	if t.Min != nil {
		lo = t.Min.Value
		hi = lo + 5
	}
	if t.Max != nil {
		hi = min(hi, t.Max.Value)
	}
	x := lo + r.Float64()*(hi-lo)
	if whole || r.Intn(10) == 0 {
		x = float64(int64(x + 0.5))
	}
	n, err := value.Norm(x)
	if err != nil {
		return int64(0)
	}
	return n
}

// spoil changes one thing somewhere in a value.
func spoil(r *rand.Rand, v any) any {
	junk := []any{int64(-1), 0.5, "zz", true, []any{}, map[string]any{"q": int64(1)}, int64(1 << 40)}
	switch t := v.(type) {
	case map[string]any:
		keys := make([]string, 0, len(t))
		for k := range t {
			keys = append(keys, k)
		}
		sort.Strings(keys)
		if len(keys) == 0 || r.Intn(6) == 0 {
			t["extra"] = junk[r.Intn(len(junk))]
			return t
		}
		k := keys[r.Intn(len(keys))]
		if r.Intn(4) == 0 {
			delete(t, k)
		} else {
			t[k] = spoil(r, t[k])
		}
		return t
	case []any:
		if len(t) == 0 || r.Intn(4) == 0 {
			return append(t, junk[r.Intn(len(junk))])
		}
		i := r.Intn(len(t))
		t[i] = spoil(r, t[i])
		return t
	case string:
		if r.Intn(2) == 0 {
			return strings.ToUpper(t) + "x"
		}
	}
	return junk[r.Intn(len(junk))]
}

// TestAttributes: what attributes of a schema say arrives in the table, and in the Go file made of it.
func TestAttributes(t *testing.T) {
	k, err := Table([]byte("#Kind: {\n\tnew_name?: int @was(old_name)\n\tenv?: {[string]: string} @sensitive()\n} @version(3)\n"), "x.cue", "step", "x")
	if err != nil {
		t.Fatal(err)
	}
	_, problems := schema.Check(k.Struct, map[string]any{"old_name": int64(3)})
	if len(problems) != 1 || problems[0].Code != "renamed" || problems[0].Suggestion != "new_name" || !strings.Contains(problems[0].Detail, `"old_name" is called "new_name"`) {
		t.Errorf("%+v", problems)
	}
	secret := value.Secret{Value: "hunter2"}
	if out, problems := schema.Check(k.Struct, map[string]any{"env": map[string]any{"TOKEN": secret}}); len(problems) != 0 || !reflect.DeepEqual(out, map[string]any{"env": map[string]any{"TOKEN": secret}}) {
		t.Errorf("%v %+v", out, problems)
	}
	for _, bad := range []any{map[string]any{"new_name": secret}, map[string]any{"env": value.Secret{Value: int64(3)}}} {
		_, problems := schema.Check(k.Struct, bad)
		if len(problems) != 1 || strings.Contains(problems[0].Detail, "hunter2") {
			t.Errorf("%+v", problems)
		}
	}
	src, err := Source("x", k)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`Was: "old_name"`, "Sensitive: true", "Version: 3"} {
		if !strings.Contains(string(src), want) {
			t.Errorf("%s is not in\n%s", want, src)
		}
	}
}
