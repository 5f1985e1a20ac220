package dataset

import (
	"context"
	"errors"
	"math"
	"testing"

	"mbuild.dev/mbuild/executor/mlx"
)

// TestMeasure holds statistics against sums in two passes, of floats far from zero, of bytes, and of what never varies.
func TestMeasure(t *testing.T) {
	r := mlx.NewRandom(1, "measure")
	const rows, channels = 500, 4
	for _, dtype := range []string{"", "U8"} {
		d := &Data{Rows: rows, Source: make([]int64, rows)}
		for i := range rows * 6 * channels {
			v := 1000 + r.Normal()
			if dtype == "U8" {
				v = float64(r.Below(200))
			}
			if i%channels == 3 {
				v = 7
			}
			d.Features = append(d.Features, float32(v))
		}
		m := &Manifest{Inputs: []Input{{Name: "x", Shape: []int{2, 3, channels}, DType: dtype}}, Splits: []Split{{"train", rows}}}
		dir := write(t, m, map[string]*Data{"train": d})
		s, err := Measure(context.Background(), dir, "train")
		if err != nil || s.Rows != rows {
			t.Fatal(s, err)
		}
		for c := range channels {
			mean, variance, n := 0.0, 0.0, float64(rows*6)
			for i := c; i < len(d.Features); i += channels {
				mean += float64(d.Features[i]) / n
			}
			for i := c; i < len(d.Features); i += channels {
				variance += (float64(d.Features[i]) - mean) * (float64(d.Features[i]) - mean) / n
			}
			dev := math.Sqrt(variance)
			if c == 3 {
				dev = 1
			}
			if math.Abs(s.Mean[c]-mean) > 1e-9 || math.Abs(s.Deviation[c]-dev) > 1e-9 {
				t.Errorf("%q, channel %d: %g and %g, want %g and %g", dtype, c, s.Mean[c], s.Deviation[c], mean, dev)
			}
		}
		enc, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if back, err := DecodeStatistics(enc); err != nil || back.Rows != rows || back.Mean[1] != s.Mean[1] {
			t.Errorf("%s: %v", enc, err)
		}
		var none *ErrNoSplit
		if _, err := Measure(context.Background(), dir, "test"); !errors.As(err, &none) {
			t.Error(err)
		}
	}
	for _, s := range []string{"", "{}", `{"mean":[1],"deviation":[]}`, `{"mean":[1],"deviation":[1],"x":1}`} {
		if _, err := DecodeStatistics([]byte(s)); err == nil {
			t.Errorf("%q is read", s)
		}
	}
}

// TestTexts: columns of text and of tokens, and tags, are written and read back.
func TestTexts(t *testing.T) {
	m := &Manifest{Columns: []Column{{"t", "text"}, {"w", "tokens"}}, Label: &Label{Name: "y", Kind: "tags", Classes: []string{"O", "B-A"}, Of: "w", Scheme: "iob2"}, Splits: []Split{{All, 3}}}
	d := &Data{Rows: 3, Source: []int64{0, 1, 2}, Classes: []int32{0, 1, 1}, Texts: map[string]*Texts{
		"t": {Bytes: []byte("aéb"), Ends: []int64{1, 1, 4}},
		"w": {Bytes: []byte("onetwo"), Ends: []int64{3, 3, 6}, Rows: []int64{2, 2, 3}},
	}}
	dir := write(t, m, map[string]*Data{All: d})
	got, err := Read(dir, m, "train")
	if err != nil {
		t.Fatal(err)
	}
	if got.Texts["t"].At(0) != "a" || got.Texts["t"].At(1) != "" || got.Texts["t"].At(2) != "éb" {
		t.Errorf("%+v", got.Texts["t"])
	}
	for i, want := range [][]string{{"one", ""}, {}, {"two"}} {
		if list := got.Texts["w"].List(i); len(list) != len(want) || len(list) > 0 && list[0] != want[0] {
			t.Errorf("row %d is %q", i, list)
		}
	}
	for what, change := range map[string]func(d *Data, m *Manifest){
		"do not rise":        func(d *Data, _ *Manifest) { d.Texts["t"].Ends = []int64{2, 1, 4} },
		"below zero":         func(d *Data, _ *Manifest) { d.Texts["t"].Ends = []int64{-1, 1, 4} },
		"beyond":             func(d *Data, _ *Manifest) { d.Texts["t"].Ends = []int64{1, 1, 5} },
		"short":              func(d *Data, _ *Manifest) { d.Texts["w"].Rows = []int64{0, 0, 2} },
		"too many tags":      func(d *Data, _ *Manifest) { d.Classes = []int32{0, 1, 1, 0} },
		"a class of no name": func(d *Data, _ *Manifest) { d.Classes = []int32{0, 1, 2} },
		"too few rows":       func(d *Data, _ *Manifest) { d.Texts["t"].Ends = []int64{1, 4} },
		"two columns":        func(_ *Data, m *Manifest) { m.Columns = append(m.Columns, Column{"t/ends", "text"}) },
		"of no column":       func(_ *Data, m *Manifest) { m.Label.Of = "t" },
		"a kind":             func(_ *Data, m *Manifest) { m.Columns[0].Kind = "number" },
	} {
		c, n := *d, *m
		l := *m.Label
		n.Label, n.Columns = &l, append([]Column{}, m.Columns...)
		c.Texts = map[string]*Texts{}
		for k, v := range d.Texts {
			x := *v
			c.Texts[k] = &x
		}
		change(&c, &n)
		dir := t.TempDir()
		if err := Write(dir, &n, map[string]*Data{All: &c}); err != nil {
			continue
		}
		if _, err := Read(dir, &n, All); err == nil {
			t.Errorf("%s: it is read", what)
		}
	}
}
