package lang

import (
	"slices"
	"testing"
)

func TestParseAddr(t *testing.T) {
	for _, s := range []string{
		"train.supervised.base",
		`pass.prune.p["a"]`,
		"pass.prune.p[0]",
		`pass.prune.p["a.b[c]\"d"]`,
		"module.enc.train.supervised.base[3]",
		`module.enc["a"].train.supervised.base["x"]`,
		`module.enc["a.b"].module.in[2].train.supervised.base`,
	} {
		a, err := ParseAddr(s)
		if err != nil {
			t.Errorf("%s: %v", s, err)
			continue
		}
		if a.String() != s || a.Family == "" || a.Type == "" || a.Name == "" {
			t.Errorf("%s came back as %s (%+v)", s, a, a)
		}
	}
	for _, s := range []string{"", "train", "train.supervised", "train..x", "train.supervised.base[", "train.supervised.base[x]",
		`train.supervised.base["a]`, "a.b.c.d", "train.supervised.base[-1]", "train.supervised.base[01]", `train.supervised.base["a"]x`} {
		if a, err := ParseAddr(s); err == nil {
			t.Errorf("%q is taken for %+v", s, a)
		}
	}
}

func TestAddrOrder(t *testing.T) {
	want := []string{"eval.x.a", "pass.prune.p[2]", "pass.prune.p[10]", "pass.quantize.a", "module.a.eval.x.a", `module.b.eval.x.a["a"]`, `module.b.eval.x.a["b"]`}
	var got []Addr
	for _, s := range want {
		a, err := ParseAddr(s)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, a)
	}
	slices.Reverse(got)
	slices.SortFunc(got, Addr.Compare)
	for i := range want {
		if got[i].String() != want[i] {
			t.Errorf("%d: got %s, want %s", i, got[i], want[i])
		}
	}
}

// FuzzParseAddr: what ParseAddr takes, String writes back, or in one way only.
func FuzzParseAddr(f *testing.F) {
	f.Add(`module.enc["a"].train.supervised.base["x"]`)
	f.Add("a.b.c[0]")
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAddr(s)
		if err != nil {
			return
		}
		b, err := ParseAddr(a.String())
		if err != nil || a != b {
			t.Errorf("%q gives %+v, which is written %s and gives %+v, %v", s, a, a, b, err)
		}
	})
}
