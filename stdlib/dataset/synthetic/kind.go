// Package synthetic is the kind `dataset synthetic`: data made from a seed.
package synthetic

import (
	"context"
	"math"
	"strconv"

	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/dataset/csv"
)

// Kind is dataset.synthetic.
var Kind = &executor.Kind{
	Kind: planner.Kind{
		Family: "dataset", Type: "synthetic", Version: 1, Schema: Schema, Determinism: planner.Bitwise,
		Outputs: []planner.Output{{Name: "data", Type: "data", MediaType: dataset.MediaType, Directory: true}},
		Lower:   lowerBlock,
	},
	Runs: map[string]executor.Run{"": {Func: run}},
}

func lowerBlock(l *planner.Lowering) hcl.Diagnostics {
	csv.CheckSplit(l)
	if s, n := l.Attr("shape"), l.Attr("features"); (s == "spirals" || s == "xor") && n != int64(2) {
		l.Errorf("features", "misfit", "Wrong number of features", "%s has 2 features, not %v.", s, n)
	}
	checkClasses(l)
	warnEmptySplit(l)
	a := l.Emit("", planner.Action{Params: l.Params(), Outputs: []planner.OutputDecl{{Name: "data", MediaType: dataset.MediaType, Directory: true}}})
	l.Bind("data", a, "data")
	return l.Diagnostics()
}

// checkClasses refuses a number of classes that a shape does not have.
func checkClasses(l *planner.Lowering) {
	n, _ := l.Attr("classes").(int64)
	written := l.Block.RangeOf("classes", false) != l.Block.RangeOf("", false)
	switch s := l.Attr("shape"); {
	case s == "linear" && written:
		l.Errorf("classes", "misfit", "Wrong number of classes", "linear makes a number for each row, and no classes. Remove classes, or take shape = \"blobs\".")
	case s != "linear" && s != "blobs" && n != 2:
		l.Errorf("classes", "misfit", "Wrong number of classes", "%s has 2 classes, not %d. Remove classes, or take shape = \"blobs\", which has as many as it says.", s, n)
	}
}

// warnEmptySplit warns of parts of the split with fewer rows than classes.
func warnEmptySplit(l *planner.Lowering) {
	rows, _ := l.Attr("rows").(int64)
	classes, _ := l.Attr("classes").(int64)
	if l.Attr("shape") != "blobs" {
		classes = 2
	}
	for _, part := range []string{"train", "valid", "test"} {
		share := 0.0
		switch v := l.Attr("split." + part).(type) {
		case float64:
			share = v
		case int64:
			share = float64(v)
		}
		if n := share * float64(rows); share > 0 && n < float64(classes) && l.Attr("shape") != "linear" {
			l.Warnf("split."+part, "empty-split", "Split too small", "%s is about %.1f of %d rows, for %d classes: some have none in it. Raise the fraction, or rows.", part, n, rows, classes)
		}
	}
}

type params struct {
	Shape    string             `json:"shape"`
	Rows     int                `json:"rows"`
	Features int                `json:"features"`
	Classes  int                `json:"classes"`
	Noise    float64            `json:"noise"`
	Seed     int64              `json:"seed"`
	Input    string             `json:"input"`
	Split    *dataset.Fractions `json:"split"`
}

func run(_ context.Context, job *executor.Job) error {
	var p params
	if err := job.Bind(&p); err != nil {
		return err
	}
	all := generate(p)
	m := &dataset.Manifest{Inputs: []dataset.Input{{Name: p.Input, Shape: []int{p.Features}}}, Label: &dataset.Label{Name: "label", Kind: "class"}}
	switch p.Shape {
	case "linear":
		m.Label.Kind = "number"
	case "blobs":
		for k := range p.Classes {
			m.Label.Classes = append(m.Label.Classes, strconv.Itoa(k))
		}
	default:
		m.Label.Classes = []string{"0", "1"}
	}
	names, rows := dataset.Splits(p.Split, p.Rows, all.Classes)
	splits := map[string]*dataset.Data{}
	for _, name := range names {
		splits[name] = pick(all, rows[name])
		m.Splits = append(m.Splits, dataset.Split{Name: name, Rows: len(rows[name])})
	}
	return dataset.Write(job.Out("data"), m, splits)
}

func pick(all *dataset.Data, rows []int) *dataset.Data {
	d := &dataset.Data{Rows: len(rows), Width: all.Width}
	for _, r := range rows {
		d.Features = append(d.Features, all.Features[r*all.Width:(r+1)*all.Width]...)
		d.Source = append(d.Source, int64(r))
		if all.Classes != nil {
			d.Classes = append(d.Classes, all.Classes[r])
		} else {
			d.Numbers = append(d.Numbers, all.Numbers[r])
		}
	}
	return d
}

// generate makes the rows.
//
//	blobs    row i has class i mod classes; its features are normal around the class's centre, which is uniform in [-1, 1]
//	spirals  two arms of one and a half turns; radius from 0 to 1
//	xor      two features uniform in [-1, 1]; the class is whether their signs differ
//	linear   y = w x + noise, w and x standard normal
func generate(p params) *dataset.Data {
	r := mlx.NewRandom(p.Seed, "synthetic/"+p.Shape)
	d := &dataset.Data{Rows: p.Rows, Width: p.Features, Features: make([]float32, p.Rows*p.Features)}
	weights := make([]float64, max(p.Classes, 1)*p.Features)
	for i := range weights {
		if p.Shape == "linear" {
			weights[i] = r.Normal()
		} else {
			weights[i] = 2*r.Float64() - 1
		}
	}
	for i := range p.Rows {
		x := d.Features[i*p.Features : (i+1)*p.Features]
		switch p.Shape {
		case "blobs":
			c := i % p.Classes
			for j := range x {
				x[j] = float32(weights[c*p.Features+j] + p.Noise*r.Normal())
			}
			d.Classes = append(d.Classes, int32(c))
		case "spirals":
			c, t := i%2, r.Float64()
			a := 3*math.Pi*t + math.Pi*float64(c)
			x[0], x[1] = float32(t*math.Cos(a)+p.Noise*r.Normal()), float32(t*math.Sin(a)+p.Noise*r.Normal())
			d.Classes = append(d.Classes, int32(c))
		case "xor":
			a, b := 2*r.Float64()-1, 2*r.Float64()-1
			x[0], x[1] = float32(a+p.Noise*r.Normal()), float32(b+p.Noise*r.Normal())
			c := int32(0)
			if a < 0 != (b < 0) {
				c = 1
			}
			d.Classes = append(d.Classes, c)
		case "linear":
			y := p.Noise * r.Normal()
			for j := range x {
				v := r.Normal()
				x[j] = float32(v)
				y += weights[j] * v
			}
			d.Numbers = append(d.Numbers, float32(y))
		}
	}
	return d
}
