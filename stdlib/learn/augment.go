package learn

import (
	"errors"
	"fmt"
	"slices"

	"mbuild.dev/mbuild/stdlib/augment"
	"mbuild.dev/mbuild/stdlib/graph"
)

// CheckAugment holds the augmentation against the model's input. A *Misfit.
func (c *Config) CheckAugment(g *graph.Graph) error {
	_, err := c.augmenter(g)
	return err
}

// augmenter is what augments; nil where nothing does.
func (c *Config) augmenter(g *graph.Graph) (*augment.Augmenter, error) {
	if len(c.Augment) == 0 {
		return nil, nil
	}
	in := g.Inputs[0]
	if len(g.Inputs) > 1 {
		return nil, misfit("augment", "augment changes the rows of one input, and the model has %d. Leave augment out", len(g.Inputs))
	}
	if in.DType != graph.F32 {
		return nil, misfit("augment", "augment changes numbers, and the model's input %q is %s", in.Name, in.DType)
	}
	a, err := augment.New(c.Augment, in.Shape, c.Seed)
	var m *augment.Misfit
	if errors.As(err, &m) {
		at := fmt.Sprintf("augment.%d", m.Place)
		if m.Attr != "" {
			at += "." + m.Attr
		}
		return nil, misfit(at, "augment %s", m.Text)
	}
	return a, err
}

// mixesClasses reports whether the loss is given two classes a row.
func (c *Config) mixesClasses() bool {
	return Losses[c.Loss].Classes && slices.ContainsFunc(c.Augment, func(op augment.Op) bool { return op.Type == "mixup" })
}

// augmented are rows to train on, gathered and changed as the configuration says; without augmentation they have no X yet.
func (t *Trainer) augmented(rows []int) *augment.Batch {
	b := &augment.Batch{Rows: rows}
	if t.change != nil {
		w := t.data.Width
		b.X = make([]float32, len(rows)*w)
		gather(b.X, t.data, rows)
		t.change.Apply(t.epoch, b, t.data.Rows, func(row int, into []float32) { copy(into, t.data.Features[row*w:(row+1)*w]) })
	}
	return b
}

// take takes the first n rows off a batch, with their labels. Mixed numbers are a number; of mixed classes, both and the share of
// the first go to the loss.
func (t *Trainer) take(a *arguments, b *augment.Batch, n int, lengths map[string]int) part {
	p := part{rows: b.Rows[:n]}
	if t.change == nil {
		t.source.put(a, t.data, p.rows, lengths)
	} else {
		put(a, b.X[:n*t.data.Width], append([]int{n}, t.graph.Inputs[0].Shape...)...)
		b.X = b.X[n*t.data.Width:]
	}
	switch {
	case b.Weight == nil:
		t.labels(a, t.data, p.rows, lengths)
	case t.loss.Classes:
		t.labels(a, t.data, p.rows, lengths)
		t.labels(a, t.data, b.Partner[:n], lengths)
		put(a, b.Weight[:n], n)
	default:
		put(a, mixed(b.Weight[:n], numbers(t.data, p.rows), numbers(t.data, b.Partner[:n])), n)
	}
	if b.Weight != nil {
		p.partners, b.Partner, b.Weight = b.Partner[:n], b.Partner[n:], b.Weight[n:]
	}
	b.Rows = b.Rows[n:]
	return p
}

// mixed is w a + (1-w) b, rounded the same on every platform.
func mixed(w, a, b []float32) []float32 {
	out := make([]float32, len(w))
	for i, w := range w {
		out[i] = float32(w*a[i]) + float32((1-w)*b[i])
	}
	return out
}
