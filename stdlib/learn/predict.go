package learn

import (
	"context"
	"fmt"

	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/graph"
	lower "mbuild.dev/mbuild/stdlib/graph/mlx"
)

// Chunk is how many rows Predict gives the model at once, or fewer where that takes much memory (chunk.go). A dynamically quantised layer takes one scale for all rows of a
// chunk, so the number is part of what it computes.
const Chunk = 1024

// Predict is the forward pass over rows of the model's width: the first output, [rows, width of the output], in float32.
func Predict(ctx context.Context, s *mlx.Session, m *bundle.Model, features []float32, rows int) ([]float32, error) {
	in := m.Graph.Inputs[0]
	width := graph.Size(in.Shape)
	if len(m.Graph.Inputs) != 1 || len(features) != rows*width {
		return nil, fmt.Errorf("the model's input %q has shape %s, and the dataset gives %d numbers a row", in.Name, graph.ShapeText(in.Shape), len(features)/max(rows, 1))
	}
	p, err := lower.Load(s, m)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	var out []float32
	info, err := graph.Infer(m.Graph)
	if err != nil {
		return nil, err
	}
	for at, step := 0, chunk(info); at < rows; at += step {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n := min(step, rows-at)
		y, err := p.Forward(n, map[string][]float32{in.Name: features[at*width : (at+n)*width]})
		if err != nil {
			return nil, err
		}
		out = append(out, y[0]...)
	}
	return out, nil
}
