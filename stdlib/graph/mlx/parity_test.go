//go:build xla && cgo

package mlx

import (
	"math"
	"testing"

	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/executor/mlx/mlxtest"
	"mbuild.dev/mbuild/stdlib/graph"
)

// TestParity holds go against XLA on every op and option: what a model gives in inference, within 1e-5; in training its gradients,
// within 1e-4 of the largest element or of 1, and its running statistics, within 1e-5.
func TestParity(t *testing.T) {
	goes, xla := mlxtest.Both(t)
	inferred, trained := map[string]bool{}, map[string]bool{}
	for _, s := range samples(t) {
		var got [2][][]float32
		for i, session := range []*mlx.Session{goes, xla} {
			p, err := Load(session, s.model)
			if err != nil {
				t.Fatalf("%s: %v", s.name, err)
			}
			if got[i], err = p.Forward(s.rows, s.inputs); err != nil {
				t.Fatalf("%s: %v", s.name, err)
			}
			p.Close()
		}
		for i := range got[0] {
			if d := distance(t, got[1][i], got[0][i]); d > 1e-5 {
				t.Errorf("%s: output %d differs by %g", s.name, i, d)
			}
		}
		note(inferred, s)
		if !trains(s) {
			continue
		}
		note(trained, s)
		a, b := newScene(s, goes), newScene(s, xla)
		_, ga, sa := a.run(t, true)
		_, gb, sb := b.run(t, true)
		a.close()
		b.close()
		for i := range ga {
			size, diff := 0.0, 0.0
			for j, v := range ga[i] {
				size, diff = max(size, math.Abs(float64(v))), max(diff, math.Abs(float64(v-gb[i][j])))
			}
			if !(diff <= 1e-4*max(size, 1)) {
				t.Errorf("%s: gradient %d of %d differs by %g, its largest element is %g", s.name, i, len(ga), diff, size)
			}
		}
		for name, v := range sa {
			if d := distance(t, sb[name], v); d > 1e-5 {
				t.Errorf("%s: %s differs by %g", s.name, name, d)
			}
		}
	}
	for op := range graph.Ops {
		if !inferred[op] || !trained[op] {
			t.Errorf("op %s: compared in inference %v, in training %v", op, inferred[op], trained[op])
		}
	}
}

func note(ops map[string]bool, s sample) {
	for _, l := range s.model.Graph.Layers {
		ops[l.Op] = true
	}
}
