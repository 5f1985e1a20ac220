package learn

import (
	"context"

	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/graph"
	lower "mbuild.dev/mbuild/stdlib/graph/mlx"
)

// Chunk is how many rows Predict gives the model at once, or fewer where that takes much memory (chunk.go). A dynamically quantised layer takes one scale for all rows of a
// chunk, so the number is part of what it computes.
const Chunk = 1024

// Predict is the forward pass over the rows of data: the first output, [rows, width of the output], in float32. Where the data are
// sequences and the output has a vector for each position, it is [tokens, width of the vector], in the order of the data, without
// padding. What does not fit is a *Misfit.
func Predict(ctx context.Context, s *mlx.Session, m *bundle.Model, d *dataset.Data) ([]float32, error) {
	src, err := newSource(m.Graph, d)
	if err != nil {
		return nil, err
	}
	info, err := graph.Infer(m.Graph)
	if err != nil {
		return nil, err
	}
	dst := newPredictions(src, d, info.Shapes[m.Graph.Outputs[0]])
	p, err := lower.Load(s, m) // the last that is seen of the weights in memory
	if err != nil {
		return nil, err
	}
	defer p.Close()
	for _, rows := range chunks(src, info, d) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		lengths := src.lengths(d, rows)
		a := &arguments{session: s}
		if src.put(a, d, rows, lengths); a.err != nil {
			return nil, a.err
		}
		y, err := p.Run(a.tensors)
		if err != nil {
			return nil, err
		}
		if err := release(a.tensors); err != nil {
			return nil, err
		}
		dst.put(rows, y[0])
	}
	return dst.out, nil
}

// predictions are where predictions go, which may come in another order than the rows.
type predictions struct {
	out    []float32
	width  int             // numbers of a row, or of a token
	tokens *dataset.Tokens // of the sequence that there is a vector for each token of; else nil
}

func newPredictions(s *source, d *dataset.Data, shape []int) *predictions {
	t := &predictions{width: graph.Size(shape)}
	n := d.Rows
	if len(shape) == 2 && s.inputs[0] != nil {
		name := s.inputs[0].Sequence
		if d.Of.Label != nil && d.Of.Label.Kind == "tags" {
			name = d.Of.Label.Of
		}
		t.tokens, t.width = d.Tokens[name], shape[1]
		n = len(t.tokens.IDs)
	}
	t.out = make([]float32, n*t.width)
	return t
}

// put stores what the model gave for some rows.
func (p *predictions) put(rows []int, y []float32) {
	each := len(y) / len(rows)
	for i, r := range rows {
		from, to := r, r+1
		if p.tokens != nil {
			from, to = p.tokens.Span(r)
		}
		copy(p.out[from*p.width:to*p.width], y[i*each:])
	}
}
