package learn

import (
	"context"
	"fmt"
	"sort"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/graph"
	lower "mbuild.dev/mbuild/stdlib/graph/mlx"
)

// Chunk is how many rows Predict gives the model at once. A dynamically quantised layer takes one scale for all rows of a
// chunk, so the number is part of what it computes.
const Chunk = 1024

// Predict is the forward pass over rows of the model's width: the first output, [rows, width of the output], in float32.
func Predict(ctx context.Context, s *mlx.Session, m *bundle.Model, features []float32, rows int) ([]float32, error) {
	in := m.Graph.Inputs[0]
	width := graph.Size(in.Shape)
	if len(m.Graph.Inputs) != 1 || len(features) != rows*width {
		return nil, fmt.Errorf("the model's input %q has shape %s, and the dataset gives %d numbers a row", in.Name, graph.ShapeText(in.Shape), len(features)/max(rows, 1))
	}
	p := &predictor{model: m}
	params, err := p.load()
	if err != nil {
		return nil, err
	}
	var out []float32
	err = mlx.Try(func() error {
		exec, err := NewExec(s.Backend, p.build)
		if err != nil {
			return err
		}
		defer exec.Finalize()
		for at := 0; at < rows; at += Chunk {
			if err := ctx.Err(); err != nil {
				return err
			}
			n := min(Chunk, rows-at)
			args := append([]any{mlx.Tensor(features[at*width:(at+n)*width], append([]int{n}, in.Shape...)...)}, params...)
			res, err := exec.Call(args...)
			if err != nil {
				return err
			}
			v, err := mlx.Values(res[0])
			if err != nil {
				return err
			}
			out = append(out, v...)
		}
		return nil
	})
	return out, err
}

// predictor holds the order of parameters between load and build.
type predictor struct {
	model *bundle.Model
	names [][2]string
}

func (p *predictor) load() ([]any, error) {
	var args []any
	for layer, li := range p.model.Info.Layers {
		for _, param := range li.Params {
			p.names = append(p.names, [2]string{layer, param.Name})
		}
	}
	sort.Slice(p.names, func(i, j int) bool {
		return p.names[i][0]+"\x00"+p.names[i][1] < p.names[j][0]+"\x00"+p.names[j][1]
	})
	for _, n := range p.names {
		t := p.model.Params[n[0]][n[1]]
		if t.DType == graph.I8 {
			v := tensors.FromShape(shapes.Make(dtypes.Int8, t.Shape...))
			if err := v.MutableBytes(func(b []byte) { copy(b, t.Data) }); err != nil {
				return nil, err
			}
			args = append(args, v)
			continue
		}
		args = append(args, mlx.Tensor(t.Float32s(), t.Shape...))
	}
	return args, nil
}

func (p *predictor) build(args []*Node) *Node {
	params := lower.Values{}
	for i, n := range p.names {
		if params[n[0]] == nil {
			params[n[0]] = map[string]*Node{}
		}
		params[n[0]][n[1]] = args[i+1]
	}
	fwd := &lower.Lowering{Graph: p.model.Graph, Params: params}
	return fwd.Forward(map[string]*Node{p.model.Graph.Inputs[0].Name: args[0]})[0]
}
