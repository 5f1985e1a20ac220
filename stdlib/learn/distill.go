package learn

import (
	"context"
	"fmt"
	"maps"
	"slices"

	. "github.com/gomlx/gomlx/core/graph"

	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/lang/schema"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/graph"
)

// Distill makes a student say what a teacher says. The loss of a row, or of a token that has a label, is (Hinton, Vinyals and Dean 2015)
//
//	alpha hard + (1 - alpha) T^2 KL(softmax(teacher / T) || softmax(student / T))
//
// with hard the loss of the label and T the temperature. T^2 keeps the size of gradients as it is at another temperature; Hinton's
// cross-entropy differs from KL by the entropy of the teacher, which has no gradient. Onto it comes, for each pair of Hidden, HiddenWeight times
// the mean over all positions that are no padding (over rows, where a layer has one vector a row) of the distance between student, projected
// where the widths differ, and teacher: the mean square over features (Jiao et al. 2020), or 1 - cosine (Sanh et al. 2019).
type Distill struct {
	Temperature  float64           `json:"temperature"`
	Alpha        float64           `json:"alpha"`
	Hidden       map[string]string `json:"hidden"`      // the teacher's layer by the student's
	HiddenLoss   string            `json:"hidden_loss"` // mse or cosine
	HiddenWeight float64           `json:"hidden_weight"`
}

// Students are the student's layers of Hidden, sorted: the order of the training graph's outputs after the first.
func (d *Distill) Students() []string { return slices.Sorted(maps.Keys(d.Hidden)) }

// Teachers are the teacher's layers of Hidden, sorted, each once.
func (d *Distill) Teachers() []string {
	return slices.Compact(slices.Sorted(maps.Values(d.Hidden)))
}

func (c *Config) checkDistill() error {
	d := c.Distill
	switch {
	case d == nil:
		return nil
	case !Losses[c.Loss].Classes:
		return misfit("loss", "distillation is about classes, and %s is not; it takes %s", c.Loss, lossesThat(func(l Loss) bool { return l.Classes }))
	case !(d.Temperature > 0):
		return misfit("temperature", "the temperature is %g; it is above 0", d.Temperature)
	case !(d.Alpha >= 0 && d.Alpha <= 1):
		return misfit("alpha", "alpha is %g; it is a share, from 0 to 1", d.Alpha)
	case len(c.Augment) > 0:
		return misfit("augment", "what the teacher says is about rows as they are, and augment changes them. Leave augment out")
	case len(d.Hidden) > 0 && d.HiddenLoss != "mse" && d.HiddenLoss != "cosine":
		return misfit("hidden_loss", "hidden_loss is %q; it is mse or cosine", d.HiddenLoss)
	case !(d.HiddenWeight >= 0):
		return misfit("hidden_weight", "hidden_weight is %g; it is at least 0", d.HiddenWeight)
	}
	return nil
}

// CheckStudents holds the student's layers of Hidden against its graph. A *Misfit.
func (d *Distill) CheckStudents(g *graph.Graph) error {
	for _, name := range d.Students() {
		if err := HasLayer("student", name, g); err != nil {
			return err
		}
	}
	return nil
}

// HasLayer reports a hidden layer that a model, who it is, does not have, and one that is no hidden one. A *Misfit.
func HasLayer(who, name string, g *graph.Graph) error {
	var names []string
	for i := range g.Layers {
		names = append(names, g.Layers[i].Name)
	}
	hint := ""
	if near := schema.Nearest(name, names); near != "" {
		hint = fmt.Sprintf("; did you mean %q?", near)
	}
	switch {
	case g.Layer(name) == nil:
		return misfit("hidden", "the %s has no layer %q: it has %s%s", who, name, list(names), hint)
	case g.Outputs[0] == name:
		return misfit("hidden", "%q is what the %s gives: its logits are matched without saying. hidden is for layers before it", name, who)
	}
	return nil
}

// Teacher is what a teacher says about the rows of a split.
type Teacher struct {
	Logits *Taught
	Hidden map[string]*Taught // by layer
}

// Taught are the vectors of an output of the teacher: [rows, Width], or [tokens, Width] without padding.
type Taught struct {
	Values []float32
	Width  int
	Tokens bool  // a vector for each token, not for each row
	Shape  []int // of a row, as the teacher's graph has it
	tokens *dataset.Tokens
}

// Teach computes what a teacher says about data: its logits, and the outputs of some layers. What does not fit is a *Misfit.
func Teach(ctx context.Context, s *mlx.Session, m *bundle.Model, d *dataset.Data, layers []string, progress func(done, total int)) (*Teacher, error) {
	for _, name := range layers {
		if err := HasLayer("teacher", name, m.Graph); err != nil {
			return nil, err
		}
	}
	g := m.Graph.Clone()
	g.Outputs = append(g.Outputs[:1:1], layers...)
	info, err := graph.Infer(g)
	if err != nil {
		return nil, err
	}
	p, err := NewPredictor(s, &bundle.Model{Graph: g, Info: info, Params: m.Params}, d)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	t := &Teacher{Hidden: map[string]*Taught{}}
	var into []*predictions
	var all []*Taught
	for i, name := range g.Outputs {
		dst := newPredictions(p.source, d, info.Shapes[name])
		if dst.tokens != nil && len(d.Of.Sequences) > 1 {
			return nil, misfit("data", "the teacher's %q has a vector for each token, and the dataset has %d sequences; distillation by token is for one", name, len(d.Of.Sequences))
		}
		if i == 0 && dst.tokens != nil && (d.Of.Label == nil || d.Of.Label.Kind != "tags") {
			return nil, misfit("teacher", "its %q has logits for each token, and the dataset has no label for each token: what is distilled are classes of rows or of words, not a language model, whose logits for every token of the data would have to be stored. Pre-train the student with train \"pretrain\", and distil into it what the teacher knows of a task", name)
		}
		v := &Taught{Width: dst.width, Tokens: dst.tokens != nil, Shape: info.Shapes[name]}
		if into, all = append(into, dst), append(all, v); i == 0 {
			t.Logits = v
		} else {
			t.Hidden[name] = v
		}
	}
	done := 0
	err = p.Each(ctx, d, func(rows []int, y [][]float32) error {
		for k := range into {
			into[k].put(rows, y[k])
		}
		done += len(rows)
		progress(done, d.Rows)
		return nil
	})
	for k, v := range all {
		v.Values = into[k].out
	}
	return t, err
}

// Teach tells the configuration what the teacher says about the data that will be trained on.
func (c *Config) Teach(t *Teacher) { c.teacher = t }

// fitTeacher holds what the teacher says against student and data.
func (c *Config) fitTeacher(g *graph.Graph, info *graph.Info, d *dataset.Data) error {
	if c.Distill == nil {
		return nil
	}
	t := c.teacher
	if t == nil {
		return misfit("teacher", "there is no teacher")
	}
	out := info.Shapes[g.Outputs[0]]
	if t.Logits.Tokens != (len(out) == 2) || t.Logits.Width != out[len(out)-1] {
		return misfit("teacher", "the teacher gives %s, and the student's %q gives %s: both must give one logit for each of the same classes", graph.ShapeText(t.Logits.Shape), g.Outputs[0], graph.ShapeText(out))
	}
	for i, name := range c.Distill.Students() {
		h := t.Hidden[c.Distill.Hidden[name]]
		if h == nil || len(g.Outputs) != len(c.Distill.Hidden)+1 {
			return misfit("hidden", "what the teacher says has no layer %q", c.Distill.Hidden[name])
		}
		shape := info.Shapes[g.Outputs[i+1]]
		if h.Tokens != (d.Tokens != nil && len(shape) == 2) || h.Width != widthOf(shape, h.Tokens) {
			return misfit("hidden", "the student's %q gives %s, and the teacher's %q %s: both must have a vector for each position, or both one for each row", name, graph.ShapeText(info.Shapes[name]), c.Distill.Hidden[name], graph.ShapeText(h.Shape))
		}
	}
	for name, v := range t.all() {
		n := d.Rows
		if v.Tokens {
			v.tokens = d.Tokens[d.Of.Sequences[0].Name]
			n = len(v.tokens.IDs)
		}
		if len(v.Values) != n*v.Width {
			return fmt.Errorf("the teacher says %d numbers for %q, and the data needs %d", len(v.Values), name, n*v.Width)
		}
	}
	return nil
}

// widthOf is the numbers of a vector of a layer.
func widthOf(shape []int, tokens bool) int {
	if tokens {
		return shape[len(shape)-1]
	}
	return graph.Size(shape)
}

// all are the outputs by name.
func (t *Teacher) all() map[string]*Taught {
	all := maps.Clone(t.Hidden)
	if all == nil {
		all = map[string]*Taught{}
	}
	all[""] = t.Logits
	return all
}

// put places the vectors of some rows, sequences padded with zeros to a length: [rows * length, Width], or [rows, Width].
func (v *Taught) put(a *arguments, rows []int, length int) {
	if !v.Tokens {
		length = 1
	}
	out := make([]float32, len(rows)*length*v.Width)
	for i, r := range rows {
		from, to := r, r+1
		if v.Tokens {
			from, to = v.tokens.Span(r)
		}
		copy(out[i*length*v.Width:], v.Values[from*v.Width:to*v.Width])
	}
	put(a, out, len(rows)*length, v.Width)
}

// lessons places what the teacher says about the rows of a part of a batch: logits, then for each pair of hidden layers its vectors and
// the weight of each in the mean over the batch, [positions], 0 for padding.
func (t *Trainer) lessons(a *arguments, rows, batch []int, lengths map[string]int) {
	d := t.config.Distill
	if d == nil {
		return
	}
	length := 1
	for _, n := range lengths { // of the only sequence, where there is a vector for each token
		length = n
	}
	t.config.teacher.Logits.put(a, rows, length)
	for _, name := range d.Students() {
		v := t.config.teacher.Hidden[d.Hidden[name]]
		w := v.weights(rows, batch, length)
		v.put(a, rows, length)
		put(a, w, len(w))
	}
}

// weights are one over the number of the batch's vectors, for each vector of some of its rows, and 0 for padding.
func (v *Taught) weights(rows, batch []int, length int) []float32 {
	count := func(r int) int {
		if v.Tokens {
			return v.tokens.Length(r)
		}
		return 1
	}
	n := 0
	for _, r := range batch {
		n += count(r)
	}
	if !v.Tokens {
		length = 1
	}
	out := make([]float32, len(rows)*length)
	for i, r := range rows {
		for j := range count(r) {
			out[i*length+j] = 1 / float32(n)
		}
	}
	return out
}

// soften mixes the loss of each row with what the teacher says.
func (d *Distill) soften(hard, student, teacher *Node) *Node {
	log := func(z *Node) *Node { return LogSoftmax(DivScalar(z, d.Temperature), -1) }
	says := log(teacher)
	kl := ReduceSum(Mul(Exp(says), Sub(says, log(student))), -1)
	return Add(MulScalar(hard, d.Alpha), MulScalar(kl, (1-d.Alpha)*d.Temperature*d.Temperature))
}

// distance is the weighed sum over vectors of how far the student's are from the teacher's.
func (d *Distill) distance(student, teacher, weights *Node) *Node {
	student = Reshape(student, teacher.Shape().Dimensions...)
	var each *Node
	if d.HiddenLoss == "cosine" {
		dot := func(a, b *Node) *Node { return ReduceSum(Mul(a, b), -1) }
		size := Sqrt(AddScalar(Mul(dot(student, student), dot(teacher, teacher)), 1e-12)) // padding is zeros
		each = OneMinus(Div(dot(student, teacher), size))
	} else {
		each = ReduceMean(Square(Sub(student, teacher)), -1)
	}
	return ReduceAllSum(Mul(each, weights))
}

// objective is the loss of training of a part of a batch, a sum whose mean over the batch is taken with the sum of its weights, and the
// sum of right predictions.
func (p *Program) objective(f *feed, outputs []*Node) (loss, right *Node) {
	d := p.config.Distill
	if d == nil {
		return p.measureLoss(outputs[0], f.y, f.weight)
	}
	loss, right = p.sums(outputs[0], f.y, f.weight, func(hard, logits *Node) *Node { return d.soften(hard, logits, f.lessons[0]) })
	for k := range len(d.Hidden) {
		far := d.distance(outputs[k+1], f.lessons[1+2*k], f.lessons[2+2*k])
		loss = Add(loss, Mul(MulScalar(far, d.HiddenWeight), element(f.scalars, weightAt)))
	}
	return loss, right
}
