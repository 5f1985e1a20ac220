package mlx

import (
	"fmt"
	"maps"
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/graph"
)

// Program is a model ready for inference: its weights stay on the device, and each number of rows that it is given is compiled
// once. It may be used by several goroutines.
type Program struct {
	graph  *graph.Graph
	names  []weight
	params []any
	exec   *Exec
}

// weight says which parameter an argument of the computation is.
type weight struct{ layer, param string }

// Load makes a program of a model, which is not used afterwards: of one that bundle.Map made, each layer is released when the device has it. Weights in 16 bits become float32; those in int8 stay.
func Load(s *mlx.Session, m *bundle.Model) (*Program, error) {
	if err := m.Check(); err != nil {
		return nil, err
	}
	p := &Program{graph: m.Graph}
	for _, layer := range slices.Sorted(maps.Keys(m.Params)) {
		for _, param := range slices.Sorted(maps.Keys(m.Params[layer])) {
			t, err := upload(s, m.Params[layer][param])
			if err != nil {
				return nil, fmt.Errorf("layer %q, parameter %q: %w", layer, param, err)
			}
			p.names = append(p.names, weight{layer, param})
			p.params = append(p.params, t)
		}
		m.Release(layer)
	}
	return p, mlx.Try(func() (err error) {
		if p.exec, err = NewExec(s.Backend, p.build); err == nil {
			p.exec.SetMaxCache(-1) // a small computation for each number of rows; the default refuses the 33rd
		}
		return err
	})
}

func upload(s *mlx.Session, t *bundle.Tensor) (*tensors.Tensor, error) {
	if t.DType == graph.F16 || t.DType == graph.BF16 {
		t = bundle.Float32(t.Shape, t.Float32s())
	}
	return s.Upload(string(t.DType), t.Shape, t.Data)
}

// build lowers the model; args are the inputs in the graph's order, then the parameters.
func (p *Program) build(args []*Node) []*Node {
	inputs := map[string]*Node{}
	for i, in := range p.graph.Inputs {
		inputs[in.Name] = args[i]
	}
	params := Values{}
	for i, n := range p.names {
		if params[n.layer] == nil {
			params[n.layer] = map[string]*Node{}
		}
		params[n.layer][n.param] = args[len(p.graph.Inputs)+i]
	}
	fwd := &Lowering{Graph: p.graph, Params: params}
	return fwd.Forward(inputs)
}

// Input makes the tensor of an input from the values of some rows: of its type, whole numbers as they are.
func Input(in *graph.Input, x []float32, rows int) *tensors.Tensor {
	shape := append([]int{rows}, in.Shape...)
	switch in.DType {
	case graph.I32:
		return tensors.FromFlatDataAndDimensions(whole[int32](x), shape...)
	case graph.I64:
		return tensors.FromFlatDataAndDimensions(whole[int64](x), shape...)
	}
	return mlx.Tensor(x, shape...)
}

func whole[T int32 | int64](x []float32) []T {
	y := make([]T, len(x))
	for i, v := range x {
		y[i] = T(v)
	}
	return y
}

// Forward computes the model over rows examples; inputs are [rows, shape...] by name. It returns the outputs in the order of
// the graph, each [rows, shape...]. A dynamically quantised layer takes one scale for all rows, so its results depend on what
// is computed together.
func (p *Program) Forward(rows int, inputs map[string][]float32) ([][]float32, error) {
	var args []*tensors.Tensor
	for _, in := range p.graph.Inputs {
		x := inputs[in.Name]
		if rows < 1 || len(x) != rows*graph.Size(in.Shape) {
			return nil, fmt.Errorf("input %q needs %d rows of %v, but has %d numbers", in.Name, max(rows, 1), in.Shape, len(x))
		}
		args = append(args, Input(&in, x, rows))
	}
	return p.Run(args)
}

// Run computes the model over tensors, in the order of the graph's inputs, which it gives back. Sequences may be shorter than the
// graph says, where graph.AtLengths accepts that.
func (p *Program) Run(inputs []*tensors.Tensor) ([][]float32, error) {
	args := make([]any, 0, len(inputs)+len(p.params))
	for _, in := range inputs {
		args = append(args, in)
	}
	args = append(args, p.params...)
	var out [][]float32
	err := mlx.Try(func() error {
		results, err := p.exec.Call(args...)
		if err != nil {
			return err
		}
		for _, r := range results {
			v, err := mlx.Values(r)
			if err != nil {
				return err
			}
			out = append(out, v)
			r.MustFinalizeAll()
		}
		for _, in := range inputs {
			in.MustFinalizeAll()
		}
		return nil
	})
	return out, err
}

// Close gives the memory of weights and compiled code back. The program must not be used afterwards.
func (p *Program) Close() {
	p.exec.Finalize()
	for _, t := range p.params {
		t.(*tensors.Tensor).MustFinalizeAll()
	}
	p.params = nil
}
