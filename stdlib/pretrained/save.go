package pretrained

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
	"mbuild.dev/mbuild/stdlib/graph"
	"mbuild.dev/mbuild/stdlib/learn"
	"mbuild.dev/mbuild/stdlib/token"
)

// Saved is a model as transformers has it.
type Saved struct {
	Config  []byte // config.json
	Types   bool   // the model tells types of tokens apart; one that does not may take them for something else
	Tensors []safetensors.Tensor
}

// Save makes config.json and tensors of a model: of any whose layers are those of a family, a checkpoint that was trained on, or
// std/bert from scratch. labels name the outputs of a classifier; nil for LABEL_0, LABEL_1 and so on. What transformers does not have, a
// quantised layer, another pooling, a layer in between, is an error that names it. The tokenizer, nil for none, is the one that goes
// with the model: its vocabulary must not be larger, and config.json gets the ids of its special tokens.
//
// A graph that takes its mask from the token ids (a padding_mask, as std/transformer_decoder has it) is one that is given the mask: a
// tokenizer of transformers makes it of the same padding.
func Save(m *bundle.Model, labels []string, tokenizer *token.Tokenizer) (*Saved, error) {
	if err := m.Check(); err != nil {
		return nil, err
	}
	s := &saver{m: m, c: &Config{}, tokenizer: tokenizer, pad: -1}
	if err := s.masked(); err != nil {
		return nil, err
	}
	if err := s.recognise(); err != nil {
		return nil, err
	}
	h, b, err := s.match()
	if err != nil {
		return nil, err
	}
	out := &Saved{}
	if out.Tensors, err = s.tensors(b, h); err != nil {
		return nil, err
	}
	if err := s.vocabulary(); err != nil {
		return nil, err
	}
	out.Types = s.c.Types > 1
	out.Config, err = s.config(h, labels)
	return out, err
}

// saver looks at a model.
type saver struct {
	m     *bundle.Model
	c     *Config
	store graph.DType // of all layers
	pad   int         // the id that the graph says is padding; below 0 where it says none

	tokenizer *token.Tokenizer
}

// masked puts an input in the place of a mask that is made of the token ids.
func (s *saver) masked() error {
	g := s.m.Graph
	if len(g.Inputs) != 1 || g.Inputs[0].Name != idsInput {
		return nil
	}
	at := slices.IndexFunc(g.Layers, func(l graph.Layer) bool { return l.Op == "padding_mask" })
	if at < 0 {
		return nil
	}
	g = g.Clone()
	name := g.Layers[at].Name
	s.pad = g.Layers[at].Int("pad")
	g.Layers = slices.Delete(g.Layers, at, at+1)
	g.Inputs = append(g.Inputs, embeds(maskInput, g.Inputs[0].Shape[0]))
	for i := range g.Layers {
		for k, in := range g.Layers[i].Inputs {
			if in == name {
				g.Layers[i].Inputs[k] = maskInput
			}
		}
	}
	info, err := graph.Infer(g)
	s.m = &bundle.Model{Graph: g, Info: info, Params: s.m.Params}
	return err
}

func (s *saver) layer(name string) *graph.Layer { return s.m.Graph.Layer(name) }

// recognise finds the family and its sizes in the layers: of all, each has something that the others do not.
func (s *saver) recognise() error {
	g, c := s.m.Graph, s.c
	tokens, positions, first := s.layer("tokens"), s.layer("positions"), s.layer("layer0_attention")
	inner := s.layer("layer0_inner")
	if tokens == nil || positions == nil || first == nil || inner == nil {
		return fmt.Errorf("transformers has no model of these layers: there are not all of tokens, positions, layer0_attention and layer0_inner, as a model \"pretrained\" and std/bert have them")
	}
	for i := range g.Layers {
		l := &g.Layers[i]
		if l.Quant != "" {
			return fmt.Errorf("the layer %q is quantized, which such files do not hold: export the model before, or to ONNX", l.Name)
		}
		if len(s.m.Params[l.Name]) > 0 {
			if s.store != "" && s.store != l.Store && i > 0 {
				return fmt.Errorf("the layer %q is stored as %q and others as %q; cast all or none", l.Name, l.Store, s.store)
			}
			s.store = l.Store
		}
	}
	types := s.layer("types")
	switch {
	case first.Flag("causal", false):
		c.Type = "gpt2"
	case positions.Int("offset") > 0:
		c.Type = "roberta"
	case types != nil:
		c.Type = "bert"
	default:
		c.Type = "distilbert"
	}
	c.family = families[c.Type]
	c.keys = c.family.keys
	c.Vocabulary, c.Units = tokens.Int("vocabulary"), tokens.Int("units")
	c.Positions, c.Offset = positions.Int("positions"), positions.Int("offset")
	c.Heads, c.Inner, c.Activation = first.Int("heads"), inner.Int("units"), inner.Text("activation", "linear")
	for s.layer(fmt.Sprintf("layer%d_attention", c.Layers)) != nil {
		c.Layers++
	}
	if types != nil {
		c.Types = types.Int("types")
	}
	if n := s.layer("layer0_attention_norm"); n != nil {
		c.Epsilon = n.Float("epsilon", 1e-5)
	}
	if d := s.layer("layer0_output_dropout"); d != nil {
		c.Dropout = d.Float("rate", 0)
	}
	if c.Pad = c.family.pad; c.Offset > 0 {
		c.Pad = c.Offset - 1
	}
	if s.pad >= 0 {
		c.Pad = s.pad
	}
	c.Tied = s.layer("predictions") == nil || s.layer("predictions").Op == "tied_dense"
	if l := s.layer("classifier"); l != nil {
		c.Labels = l.Int("units")
	}
	return nil
}

// match finds the head of the family with which the graph is just this one.
func (s *saver) match() (head, *builder, error) {
	g := s.m.Graph
	length := 0
	types := false
	for _, in := range g.Inputs {
		length = in.Shape[0]
		types = types || in.Name == typesInput
	}
	pooled := s.layer("pooler") != nil
	why := ""
	for _, h := range s.c.family.heads {
		c := *s.c
		c.Architecture = h.architecture
		b, err := build(&c, Options{Length: length, TokenTypes: types}, func(string) bool { return pooled })
		if err != nil {
			why = err.Error()
			continue
		}
		odd := difference(g, b.g)
		if odd == "" {
			return h, b, nil
		}
		if s.kind() == h.kind {
			why = odd
		}
	}
	return head{}, nil, fmt.Errorf("transformers has no model of these layers (they come near to type %q): %s", s.c.Type, why)
}

// kind is the kind of head that the graph seems to have.
func (s *saver) kind() string {
	switch l := s.layer("classifier"); {
	case s.layer("predictions") != nil:
		return "language_model"
	case l == nil:
		return "hidden"
	case len(s.m.Info.Shapes["classifier"]) == 2:
		return "tagging"
	}
	return "classification"
}

// difference says where two graphs are not one, but for dropout, how weights began, and how they are stored; "" when they are.
func difference(have, want *graph.Graph) string {
	a, b := plainGraph(have), plainGraph(want)
	if !slices.EqualFunc(have.Inputs, want.Inputs, func(x, y graph.Input) bool { return x.Name == y.Name && slices.Equal(x.Shape, y.Shape) }) {
		return fmt.Sprintf("its inputs are %s, and should be %s", inputNames(have), inputNames(want))
	}
	for i := range max(len(a), len(b)) {
		switch {
		case i >= len(a):
			return fmt.Sprintf("there is no layer %q", b[i].Name)
		case i >= len(b):
			return fmt.Sprintf("there is no place for the layer %q", a[i].Name)
		case a[i].Name != b[i].Name:
			return fmt.Sprintf("the layer %q stands where %q should", a[i].Name, b[i].Name)
		case a[i].Op != b[i].Op || !slices.Equal(a[i].Inputs, b[i].Inputs) || !maps.Equal(a[i].Attrs, b[i].Attrs):
			return fmt.Sprintf("the layer %q is %s of %v with %v, and should be %s of %v with %v", a[i].Name, a[i].Op, a[i].Inputs, a[i].Attrs, b[i].Op, b[i].Inputs, b[i].Attrs)
		}
	}
	if !slices.Equal(have.Outputs, want.Outputs) {
		return fmt.Sprintf("its outputs are %v, and should be %v", have.Outputs, want.Outputs)
	}
	return ""
}

func inputNames(g *graph.Graph) string {
	var names []string
	for _, in := range g.Inputs {
		names = append(names, in.Name)
	}
	return strings.Join(names, ", ")
}

// plainGraph are the layers of a graph without dropout of any kind, with defaults left out.
func plainGraph(g *graph.Graph) []graph.Layer {
	defaults := map[string]any{"activation": "linear", "use_bias": true, "causal": false, "rotary": false, "rotary_base": int64(10000), "offset": int64(0), "epsilon": 1e-5}
	through := map[string]string{} // dropout layers, to what they pass on
	var out []graph.Layer
	for _, l := range g.Layers {
		inputs := slices.Clone(l.Inputs)
		for i, in := range inputs {
			if from, ok := through[in]; ok {
				inputs[i] = from
			}
		}
		if l.Op == "dropout" {
			through[l.Name] = inputs[0]
			continue
		}
		plain := graph.Layer{Name: l.Name, Op: l.Op, Inputs: inputs, Attrs: map[string]any{}}
		for k, v := range l.Attrs {
			if k != "init" && k != "dropout" && (defaults[k] == nil || defaults[k] != v) {
				plain.Attrs[k] = v
			}
		}
		out = append(out, plain)
	}
	return out
}

// tensors turns parameters round, and joins those that are parts of one tensor.
func (s *saver) tensors(b *builder, h head) ([]safetensors.Tensor, error) {
	parts := map[string][3]*bundle.Tensor{}
	var out []safetensors.Tensor
	put := func(n name, t *bundle.Tensor) {
		out = append(out, safetensors.Tensor{Name: s.full(n, h), DType: string(t.DType), Shape: t.Shape, Data: t.Data})
	}
	for _, n := range b.names {
		t := s.m.Params[n.layer][n.param]
		switch {
		case n.part > 0:
			p := parts[n.tensor]
			p[n.part-1] = t
			if parts[n.tensor] = p; p[0] != nil && p[1] != nil && p[2] != nil {
				put(n, joined(p))
			}
		case n.turned:
			put(n, turned(t))
		default:
			put(n, t)
		}
	}
	slices.SortFunc(out, func(a, b safetensors.Tensor) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// full is the name of a tensor in a file, with the body's prefix where a head stands on the body.
func (s *saver) full(n name, h head) string {
	if h.kind != "hidden" && (s.ofBody(n) || slices.ContainsFunc(s.c.family.pooler, func(p name) bool { return p.tensor == n.tensor && n.layer == p.layer && h.pooled })) {
		return s.c.family.prefix + n.tensor
	}
	return n.tensor
}

// ofBody reports whether a name is one of the body's, blocks numbered.
func (s *saver) ofBody(n name) bool {
	return slices.ContainsFunc(s.c.family.body, func(p name) bool { return pattern(p.tensor, n.tensor) })
}

// turned is a matrix the other way round, as it is stored.
func turned(t *bundle.Tensor) *bundle.Tensor {
	size, rows, cols := t.DType.Size(), t.Shape[0], t.Shape[1]
	out := &bundle.Tensor{DType: t.DType, Shape: []int{cols, rows}, Data: make([]byte, len(t.Data))}
	for r := range rows {
		for c := range cols {
			copy(out.Data[(c*rows+r)*size:], t.Data[(r*cols+c)*size:][:size])
		}
	}
	return out
}

// joined puts three tensors side by side on their last axis.
func joined(parts [3]*bundle.Tensor) *bundle.Tensor {
	t := parts[0]
	width := t.Shape[len(t.Shape)-1] * t.DType.Size()
	out := &bundle.Tensor{DType: t.DType, Shape: slices.Clone(t.Shape)}
	out.Shape[len(out.Shape)-1] *= 3
	for at := 0; at < len(t.Data); at += width {
		for _, p := range parts {
			out.Data = append(out.Data, p.Data[at:at+width]...)
		}
	}
	return out
}

func misfit(format string, args ...any) error {
	return &learn.Misfit{Attr: "tokenizer", Text: fmt.Sprintf(format, args...)}
}

// vocabulary holds the tokenizer against the model. What does not fit is a *learn.Misfit.
func (s *saver) vocabulary() error {
	if s.tokenizer == nil {
		return nil
	}
	if n := s.tokenizer.VocabSize(); n > s.c.Vocabulary {
		return misfit("the tokenizer has %d tokens, and the model's embedding %d rows. Take the tokenizer that belongs to the model", n, s.c.Vocabulary)
	}
	pad, ok := s.tokenizer.Role("pad_token")
	if ok && (s.pad >= 0 || s.c.Offset > 0) && int(pad) != s.c.Pad {
		return misfit("the tokenizer pads with %d, and the model takes %d for padding. Take the tokenizer that belongs to the model", pad, s.c.Pad)
	}
	if ok {
		s.c.Pad = int(pad)
	}
	return nil
}

// specials are the ids of special tokens in config.json. Where nothing is known of a decoder's it is said that there are none: what
// transformers would take by itself is beyond a small vocabulary.
func (s *saver) specials() map[string]any {
	v := map[string]any{}
	for _, role := range []string{"bos", "eos"} {
		if s.tokenizer != nil {
			if id, ok := s.tokenizer.Role(role + "_token"); ok {
				v[role+"_token_id"] = id
				continue
			}
		}
		if s.c.family.decoder {
			v[role+"_token_id"] = nil
		}
	}
	return v
}

// config is config.json, keys sorted.
func (s *saver) config(h head, labels []string) ([]byte, error) {
	c, f := s.c, s.c.family
	dtype := map[graph.DType]string{"": "float32", graph.F16: "float16", graph.BF16: "bfloat16"}[s.store]
	act := ""
	for _, name := range []string{"gelu", "gelu_new", "relu", "silu", "tanh", "sigmoid", "linear"} {
		if activations[name] == c.Activation {
			act = name
		}
	}
	if act == "" {
		return nil, fmt.Errorf("transformers has no activation %q", c.Activation)
	}
	v := map[string]any{"model_type": c.Type, "architectures": []string{h.architecture}, "dtype": dtype, "tie_word_embeddings": c.Tied, "pad_token_id": c.Pad}
	for field, value := range map[string]any{"Vocabulary": c.Vocabulary, "Units": c.Units, "Layers": c.Layers, "Heads": c.Heads, "Inner": c.Inner, "Positions": c.Positions,
		"Types": c.Types, "Activation": act, "Epsilon": c.Epsilon, "Dropout": c.Dropout} {
		if key := f.keys[field]; key != "" {
			v[key] = value
		}
	}
	maps.Copy(v, s.specials())
	if f.keys["Epsilon"] == "" && c.Epsilon != f.epsilon {
		return nil, fmt.Errorf("the norms have epsilon %g, and models of type %q have %g", c.Epsilon, c.Type, f.epsilon)
	}
	if err := classes(v, h, c.Labels, labels); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return b.Bytes(), err
}

// classes puts the names of a classifier's outputs into config.json.
func classes(v map[string]any, h head, n int, labels []string) error {
	if h.kind != "classification" && h.kind != "tagging" {
		if labels != nil {
			return fmt.Errorf("labels names %d classes, and the model has no classifier", len(labels))
		}
		return nil
	}
	if labels == nil {
		for i := range n {
			labels = append(labels, fmt.Sprintf("LABEL_%d", i))
		}
	}
	if len(labels) != n {
		return fmt.Errorf("labels names %d classes, and the classifier has %d outputs", len(labels), n)
	}
	names, ids := map[string]string{}, map[string]int{}
	for i, l := range labels {
		if _, ok := ids[l]; ok {
			return fmt.Errorf("labels has %q twice", l)
		}
		names[fmt.Sprint(i)], ids[l] = l, i
	}
	v["id2label"], v["label2id"] = names, ids
	return nil
}
