package learn

import (
	"context"

	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/graph"
	lower "mbuild.dev/mbuild/stdlib/graph/mlx"
)

// Chunk is how many rows Predict gives the model at once, or fewer of sequences and where that takes much memory (chunk.go). A dynamically
// quantised layer takes one scale for all rows of a chunk, so the number is part of what it computes.
const Chunk = 1024

// Predict is the forward pass over the rows of data: the first output, [rows, width of the output], in float32. Where the data are
// sequences and the output has a vector for each position, it is [tokens, width of the vector], in the order of the data, without
// padding. What does not fit is a *Misfit.
func Predict(ctx context.Context, s *mlx.Session, m *bundle.Model, d *dataset.Data) ([]float32, error) {
	p, err := NewPredictor(s, m, d)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	dst := newPredictions(p.source, d, p.info.Shapes[m.Graph.Outputs[0]])
	err = p.Each(ctx, d, func(rows []int, y [][]float32) error {
		dst.put(rows, y[0])
		return nil
	})
	return dst.out, err
}

// Predictor is a model with its weights on the device, and what is read of data for it.
type Predictor struct {
	session *mlx.Session
	source  *source
	info    *graph.Info
	run     *lower.Program
}

// NewPredictor prepares the forward pass over data. What does not fit is a *Misfit. The caller closes it.
func NewPredictor(s *mlx.Session, m *bundle.Model, d *dataset.Data) (*Predictor, error) {
	src, err := newSource(m.Graph, d)
	if err != nil {
		return nil, err
	}
	info, err := graph.Infer(m.Graph)
	if err != nil {
		return nil, err
	}
	p := &Predictor{session: s, source: src, info: info}
	p.run, err = lower.Load(s, m) // the last that is seen of the weights in memory
	return p, err
}

// Close gives the device back what the model holds.
func (p *Predictor) Close() { p.run.Close() }

// Each computes the rows of data, which are those it was made for or another view of them, in pieces, and hands each to do: the
// numbers of the rows, and by output what the model gives for them, [rows, shape...], sequences padded. Nothing is kept but what do keeps, so that outputs which would not
// fit into memory together need not.
func (p *Predictor) Each(ctx context.Context, d *dataset.Data, do func(rows []int, y [][]float32) error) error {
	for _, rows := range chunks(p.source, p.info, d) {
		if err := ctx.Err(); err != nil {
			return err
		}
		lengths := p.source.lengths(d, rows)
		a := &arguments{session: p.session}
		if p.source.put(a, d, rows, lengths); a.err != nil {
			return a.err
		}
		y, err := p.run.Run(a.tensors)
		if err != nil {
			return err
		}
		if err := do(rows, y); err != nil {
			return err
		}
		if err := release(a.tensors); err != nil {
			return err
		}
	}
	return nil
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
