package learn

import (
	"fmt"
	"math"
	"math/bits"

	. "github.com/gomlx/gomlx/core/graph"

	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/graph"
)

// The objectives of language models. Both make a label for each position of the tokens themselves, and go on as a tagger does.
const (
	// MaskedLM asks for tokens that were chosen with MaskProbability, of those that are not special: in the place of 80 % of them
	// stands the mask token, of 10 % a random token that is not special, and 10 % stay (Devlin et al. 2019). Which, is a pure function
	// of seed, epoch, row and position: each epoch masks others (Liu et al. 2019). A row of special tokens alone teaches nothing.
	MaskedLM = "masked_lm"
	// CausalLM asks at each position for the token after it. The last token of a row has none, and padding is neither asked nor asked for.
	CausalLM = "causal_lm"
)

// The shares of the tokens that masked_lm asks for that are replaced by the mask token, and by either.
var maskShare, replaceShare = 0.8, 0.9

// language reports whether the labels are made of the tokens.
func (c *Config) language() bool { return c.Objective != "" }

func (c *Config) checkObjective() error {
	switch c.Objective {
	case "":
		return nil
	case MaskedLM, CausalLM:
	default:
		return misfit("objective", "there is no objective %q; there are %s and %s", c.Objective, MaskedLM, CausalLM)
	}
	if c.Loss != "cross_entropy" {
		return misfit("loss", "the objective %s is about tokens, and needs cross_entropy", c.Objective)
	}
	if p := c.MaskProbability; c.Objective == MaskedLM && !(p > 0 && p < 1) {
		return misfit("mask_probability", "mask_probability is %g; it is above 0 and below 1", p)
	}
	return nil
}

// CheckLanguage holds the objective of a language model against a graph. A *Misfit.
func (c *Config) CheckLanguage(g *graph.Graph, info *graph.Info) error {
	if !c.language() {
		return nil
	}
	return FitsLanguage(c.Objective, g, info)
}

// FitsLanguage holds an objective against a graph: it gives logits for each position, and for causal_lm no position sees those after
// it. A *Misfit.
func FitsLanguage(objective string, g *graph.Graph, info *graph.Info) error {
	if out := info.Shapes[g.Outputs[0]]; len(out) != 2 {
		return misfit("graph", "%s asks for tokens at each position, and %q gives %s. End the model with logits of tokens: std/bert with head = \"language_model\", or a layer \"tied_dense\"", objective, g.Outputs[0], graph.ShapeText(out))
	}
	if objective != CausalLM {
		return nil
	}
	for i := range g.Layers {
		switch l := &g.Layers[i]; {
		case l.Op == "attention" && !l.Flag("causal", false):
			return misfit("graph", "causal_lm asks for the next token, and attention %q sees it: set causal = true there, as std/transformer_decoder does, or take masked_lm", l.Name)
		case (l.Op == "lstm" || l.Op == "gru") && l.Flag("bidirectional", false):
			return misfit("graph", "causal_lm asks for the next token, and %s %q goes through the sequence backwards, too, and sees it: set bidirectional = false, or take masked_lm", l.Op, l.Name)
		case l.Op == "conv1d":
			return misfit("graph", "causal_lm asks for the next token, and conv1d %q may see it: take attention with causal = true, or lstm or gru", l.Name)
		}
	}
	return nil
}

// fitLanguage holds the objective against the split that is trained on.
func (c *Config) fitLanguage(d *dataset.Data, out []int) error {
	if !c.language() {
		return nil
	}
	if err := FitsTokens(c.Objective, d, out); err != nil {
		return err
	}
	if d.Rows == 1 {
		return misfit("data", "the train split has one row, of %d tokens, and a language model learns from many. Give it more texts; a long text is made many rows with pack = true in dataset \"tokenized\", and a smaller max_length", len(d.Tokens[d.Of.Sequences[0].Name].IDs))
	}
	return nil
}

// FitsTokens holds an objective and the shape of a model's output against data: there is one sequence of tokens, a logit for each token of its vocabulary, for
// masked_lm a mask token and something to mask. A *Misfit.
func FitsTokens(objective string, d *dataset.Data, out []int) error {
	if d.Of == nil || len(d.Of.Sequences) != 1 {
		n := 0
		if d.Of != nil {
			n = len(d.Of.Sequences)
		}
		return misfit("data", "%s is about one sequence of tokens, and the dataset has %d. Make it with dataset \"tokenized\", of one text", objective, n)
	}
	s := &d.Of.Sequences[0]
	t := d.Tokens[s.Name]
	switch n := out[len(out)-1]; {
	case n < s.VocabSize:
		return misfit("data", "the model gives %d logits at each position, and the tokenizer of the dataset has %d tokens. Set the vocabulary of the graph to %d, or train a tokenizer of %d tokens at most", n, s.VocabSize, s.VocabSize, n)
	case objective == CausalLM && len(t.IDs) == d.Rows:
		return misfit("data", "each row of the dataset has one token, and causal_lm asks for those that follow another. Take a larger max_length, or pack = true in dataset \"tokenized\"")
	case objective == CausalLM:
		return nil
	case s.MaskID == nil:
		return misfit("data", "masked_lm needs a mask token, and the tokenizer of the dataset has none. Train a tokenizer that has one (tokenizer \"wordpiece\" has [MASK]), or take the objective causal_lm")
	}
	special := specials(s)
	for _, id := range t.IDs {
		if !special[id] {
			return nil
		}
	}
	return misfit("data", "all %d tokens of the split are special ones, and masked_lm masks none of these: does the tokenizer know the words of the text?", len(t.IDs))
}

// specials are, by id, the tokens that masked_lm leaves alone.
func specials(s *dataset.Sequence) []bool {
	out := make([]bool, s.VocabSize)
	for _, id := range s.Special {
		out[id] = true
	}
	out[s.PadID] = true
	if s.MaskID != nil {
		out[*s.MaskID] = true
	}
	return out
}

// alone are the operations that compute each position by itself, and whatever the shape before it.
var alone = map[string]bool{"dense": true, "tied_dense": true, "layer_norm": true, "rms_norm": true, "activation": true}

// bodyOf is the layer behind which a graph computes each position alone, up to its only output: the logits of a large vocabulary
// are most of a step, and masked_lm asks at few positions. "" where there is no such layer.
func bodyOf(g *graph.Graph, info *graph.Info) string {
	takers := map[string]int{}
	for i := range g.Layers {
		for _, in := range g.Layers[i].Inputs {
			takers[in]++
		}
	}
	name := g.Outputs[0]
	for len(g.Outputs) == 1 {
		l := g.Layer(name)
		if !alone[l.Op] || takers[l.Inputs[0]] != 1 || g.Layer(l.Inputs[0]) == nil || len(info.Shapes[l.Inputs[0]]) != 2 {
			break
		}
		name = l.Inputs[0]
	}
	if name == g.Outputs[0] {
		return ""
	}
	return name
}

// pick takes from the output of the body, [batch, length, features], the positions that are asked for, [asked, features].
func (p *Program) pick(l *graph.Layer, y, asked *Node) *Node {
	if l.Name != p.body {
		return y
	}
	return Gather(Reshape(y, -1, y.Shape().Dimensions[2]), ExpandDims(asked, -1))
}

// ask makes of the labels of all positions of some rows those of the positions that are asked for, with their weights and places.
// There is room for as many as are asked for in all but about one of 30,000 batches, and in that for all, so that few shapes are
// compiled; what is left of it has no label.
func (c *Config) ask(labels []int32) (y []int32, weights []float32, at []int32) {
	n := float64(len(labels))
	room := int(math.Ceil(n*c.MaskProbability + 4*math.Sqrt(n*c.MaskProbability*(1-c.MaskProbability))))
	for i, label := range labels {
		if label >= 0 {
			y, weights, at = append(y, label), append(weights, 1), append(at, int32(i))
		}
	}
	if room = min(room, len(labels)); len(y) > room {
		room = len(labels)
	}
	for len(y) < room {
		y, weights, at = append(y, dataset.NoLabel), append(weights, 0), append(at, 0)
	}
	return y, weights, at
}

// ask places the labels and weights of the positions of some rows that are asked for, and where these are.
func (p *Program) ask(a *arguments, d *dataset.Data, rows []int, lengths map[string]int) {
	y, weights, at := p.config.ask(p.tagsOf(d, rows, lengths))
	put(a, y, len(y))
	put(a, weights, len(weights))
	put(a, at, len(at))
}

// view is the data to train on in the epoch to come.
func (t *Trainer) view() *dataset.Data {
	switch t.config.Objective {
	case MaskedLM:
		return masked(t.given, t.config.Seed, fmt.Sprint(t.epoch), t.config.MaskProbability)
	case CausalLM:
		return NextTokens(t.given)
	}
	return t.given
}

// unseen is data that is not trained on: masked_lm masks it always alike, so that epochs compare.
func (c *Config) unseen(d *dataset.Data) *dataset.Data {
	switch c.Objective {
	case MaskedLM:
		return masked(d, c.Seed, "valid", c.MaskProbability)
	case CausalLM:
		return NextTokens(d)
	}
	return d
}

// relabelled is data with other labels for its tokens, and other tokens, if any.
func relabelled(d *dataset.Data, labels, ids []int32) *dataset.Data {
	of, out := *d.Of, *d
	s := of.Sequences[0].Name
	of.Label = &dataset.Label{Name: "token", Kind: "tags", Of: s}
	out.Of, out.Classes, out.Numbers = &of, labels, nil
	if ids != nil {
		t := *d.Tokens[s]
		t.IDs = ids
		out.Tokens = map[string]*dataset.Tokens{s: &t}
	}
	return &out
}

// NextTokens is data of one sequence in which the label of each token is the token after it; the last of a row has none.
func NextTokens(d *dataset.Data) *dataset.Data {
	t := d.Tokens[d.Of.Sequences[0].Name]
	labels := make([]int32, len(t.IDs))
	for row := range d.Rows {
		from, to := t.Span(row)
		copy(labels[from:to], t.IDs[from+1:to])
		labels[to-1] = dataset.NoLabel
	}
	return relabelled(d, labels, nil)
}

// masked is data of one sequence as masked_lm gives it to a model: tokens that are asked for have themselves as their label, and
// most of them something else in their place. Each position takes two words of its row's random stream, whatever stands there.
func masked(d *dataset.Data, seed int64, when string, probability float64) *dataset.Data {
	s := &d.Of.Sequences[0]
	t, special := d.Tokens[s.Name], specials(s)
	ordinary := make([]int32, 0, s.VocabSize)
	for id, is := range special {
		if !is {
			ordinary = append(ordinary, int32(id))
		}
	}
	const word = 1 << 32 // the values of half a word
	chosen, mask, other := uint64(probability*word), uint64(maskShare*word), uint64(replaceShare*word)
	ids, labels := make([]int32, len(t.IDs)), make([]int32, len(t.IDs))
	copy(ids, t.IDs)
	for row := range d.Rows {
		r := mlx.NewRandom(seed, fmt.Sprintf("mask/%s/%d", when, row))
		from, to := t.Span(row)
		for i := from; i < to; i++ {
			u, v := r.Uint64(), r.Uint64()
			labels[i] = dataset.NoLabel
			if special[t.IDs[i]] || u%word >= chosen {
				continue
			}
			labels[i] = t.IDs[i]
			switch what := u / word; {
			case what < mask:
				ids[i] = int32(*s.MaskID)
			case what < other:
				at, _ := bits.Mul64(v, uint64(len(ordinary)))
				ids[i] = ordinary[at]
			}
		}
	}
	return relabelled(d, labels, ids)
}

// MaskedRounds are views of data of one sequence that together ask for each token that is not special once: the tokens of a row are
// dealt at random, by seed and row, to as many views as one of them masks about the given share, and there the mask token stands in their place, in all of them.
func MaskedRounds(d *dataset.Data, seed int64, probability float64) []*dataset.Data {
	s := &d.Of.Sequences[0]
	t, special := d.Tokens[s.Name], specials(s)
	n := max(1, int(math.Round(1/probability)))
	round := make([]int32, len(t.IDs)) // that a token is asked for in; -1 for never
	for row := range d.Rows {
		from, to := t.Span(row)
		var at []int
		for i := from; i < to; i++ {
			if round[i] = -1; !special[t.IDs[i]] {
				at = append(at, i)
			}
		}
		r := mlx.NewRandom(seed, fmt.Sprintf("rounds/%d", row))
		first := int(r.Below(uint64(n))) // so that short rows are not all of the first rounds
		for k, j := range r.Permutation(len(at)) {
			round[at[j]] = int32((first + k) % n)
		}
	}
	out := make([]*dataset.Data, n)
	for k := range out {
		ids, labels := make([]int32, len(t.IDs)), make([]int32, len(t.IDs))
		copy(ids, t.IDs)
		for i := range ids {
			if labels[i] = dataset.NoLabel; round[i] == int32(k) {
				labels[i], ids[i] = t.IDs[i], int32(*s.MaskID)
			}
		}
		out[k] = relabelled(d, labels, ids)
	}
	return out
}
