package pretrained

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"mbuild.dev/mbuild/lang/schema"
	"mbuild.dev/mbuild/stdlib/graph"
)

// Head is what stands on the body, instead of what the checkpoint has.
//
//	hidden          the vector of each position
//	embedding       one vector of a text: pool (mean), of length 1 when Normalize is set
//	classification  Outputs numbers of a text. Without a pool it is as the family has it: of the first position with a dense layer
//	                before the last (BERT's pooler), or of the last position (GPT-2)
//	tagging         Outputs numbers of each position
//	language_model  a number for each token of the vocabulary, of each position
type Head struct {
	Kind      string
	Outputs   int
	Pool      string
	Normalize bool
	Dropout   *float64 // nil for the model's
}

// Kinds are the kinds of heads.
var Kinds = []string{"hidden", "embedding", "classification", "tagging", "language_model"}

// Options are what a model is made with.
type Options struct {
	Length     int   // of sequences; 0 for the longest that the model has positions for
	TokenTypes bool  // an input says the type of each token; else all are of type 0
	Head       *Head // nil for that of the checkpoint
	Seed       int64 // of parameters that are new
}

// The names of the inputs, as transformers has them.
const (
	idsInput   = "input_ids"
	maskInput  = "attention_mask"
	typesInput = "token_type_ids"
)

// ErrLength is that of a length that the model has no positions for.
var ErrLength = errors.New("length does not fit")

// builder makes the graph of a model, and says which tensors its parameters are.
type builder struct {
	c     *Config
	o     Options
	g     *graph.Graph
	last  string // the layer before
	names []name // of the parameters, blocks numbered
}

// build makes the graph. has reports whether the checkpoint has a tensor.
func build(c *Config, o Options, has func(tensor string) bool) (*builder, error) {
	if o.Length == 0 {
		o.Length = c.Length()
	}
	if o.Length < 1 || o.Length > c.Length() {
		return nil, fmt.Errorf("%w: it is %d, and the model has positions for sequences of 1 to %d (%s). Lower it, and max_length of the data", ErrLength, o.Length, c.Length(), c.said("Positions"))
	}
	if o.TokenTypes && c.Types < 2 {
		return nil, fmt.Errorf("token_types is set, and a model of type %q has no types of tokens", c.Type)
	}
	b := &builder{c: c, o: o, g: &graph.Graph{Inputs: []graph.Input{embeds(idsInput, o.Length), embeds(maskInput, o.Length)}}}
	if o.TokenTypes {
		b.g.Inputs = append(b.g.Inputs, embeds(typesInput, o.Length))
	}
	b.body()
	return b, b.head(has)
}

// add adds a layer over the one before, or over what is named. attrs are key and value by turns.
func (b *builder) add(op, name string, inputs []string, attrs ...any) {
	if inputs == nil {
		inputs = []string{b.last}
	}
	l := graph.Layer{Name: name, Op: op, Inputs: inputs}
	for i := 0; i < len(attrs); i += 2 {
		if l.Attrs == nil {
			l.Attrs = map[string]any{}
		}
		v := attrs[i+1]
		if n, ok := v.(int); ok {
			v = int64(n)
		}
		l.Attrs[attrs[i].(string)] = v
	}
	b.g.Layers = append(b.g.Layers, l)
	b.last = name
}

func (b *builder) dropout(name string, rate float64) {
	if rate > 0 {
		b.add("dropout", name, nil, "rate", rate)
	}
}

func (b *builder) norm(name string) { b.add("layer_norm", name, nil, "epsilon", b.c.Epsilon) }

func (b *builder) dense(name string, units int, attrs ...any) {
	b.add("dense", name, nil, append([]any{"units", units, "init", "normal"}, attrs...)...)
}

// body adds embeddings and blocks.
func (b *builder) body() {
	c := b.c
	b.add("embedding", "tokens", []string{idsInput}, "vocabulary", c.Vocabulary, "units", c.Units)
	if c.Types > 0 {
		in := []string{"tokens"}
		if b.o.TokenTypes {
			in = append(in, typesInput)
		}
		b.add("type_embedding", "types", in, "types", c.Types)
	}
	b.add("position_embedding", "positions", nil, "positions", c.Positions, "offset", c.Offset)
	if !c.family.decoder {
		b.norm("embeddings_norm")
	}
	b.dropout("embeddings_dropout", c.Dropout)
	for i := range c.Layers {
		b.block(fmt.Sprintf("layer%d_", i))
	}
	if c.family.decoder {
		b.norm("final_norm")
	}
	for _, n := range c.family.body {
		if !strings.Contains(n.tensor, "#") {
			b.names = append(b.names, n)
			continue
		}
		for i := range c.Layers {
			n := n
			n.tensor, n.layer = strings.Replace(n.tensor, "#", fmt.Sprint(i), 1), strings.Replace(n.layer, "#", fmt.Sprint(i), 1)
			b.names = append(b.names, n)
		}
	}
}

// block adds a block: attention and two dense layers, each with a sum around it and a norm behind or, of decoders, in front.
func (b *builder) block(n string) {
	c, x := b.c, b.last
	if c.family.decoder {
		b.norm(n + "attention_norm")
	}
	in := []string{b.last}
	for _, part := range []string{"query", "key", "value"} {
		b.add("dense", n+part, in, "units", c.Units, "init", "normal")
	}
	b.add("attention", n+"attention", []string{n + "query", n + "key", n + "value", maskInput}, "heads", c.Heads, "causal", c.family.decoder)
	b.dense(n+"output", c.Units)
	b.dropout(n+"output_dropout", c.Dropout)
	b.add("add", n+"attention_sum", []string{b.last, x})
	if x = b.last; c.family.decoder {
		b.norm(n + "norm")
	} else {
		b.norm(n + "attention_norm")
		x = b.last
	}
	b.dense(n+"inner", c.Inner, "activation", c.Activation)
	b.dense(n+"outer", c.Units)
	b.dropout(n+"outer_dropout", c.Dropout)
	b.add("add", n+"sum", []string{b.last, x})
	if !c.family.decoder {
		b.norm(n + "norm")
	}
}

// known finds the head of the checkpoint in the family's table.
func (b *builder) known() (head, error) {
	a := b.c.Architecture
	for _, other := range []string{"XLMRoberta", "Camembert"} {
		if rest, ok := strings.CutPrefix(a, other); ok {
			a = "Roberta" + rest
		}
	}
	var names []string
	for _, h := range b.c.family.heads {
		if h.architecture == a {
			return h, nil
		}
		names = append(names, h.architecture)
	}
	return head{}, fmt.Errorf("config.json: the architecture is %q; of type %q mbuild knows %s. With a head block it takes the body alone", b.c.Architecture, b.c.Type, schema.Words(names))
}

// tensorsOf are the names of the checkpoint's own head of a kind.
func (b *builder) tensorsOf(kind string) []name {
	for _, h := range b.c.family.heads {
		if h.kind == kind {
			return h.names
		}
	}
	return nil
}

// head adds what stands on the body.
func (b *builder) head(has func(tensor string) bool) error {
	h := b.o.Head
	all := func(names []name) bool {
		return len(names) > 0 && !slices.ContainsFunc(names, func(n name) bool { return !has(n.tensor) })
	}
	pooler := all(b.c.family.pooler)
	if h == nil {
		own, err := b.known()
		if err != nil {
			return err
		}
		if own.kind == "hidden" {
			b.hidden(own.pooled && pooler)
			return nil
		}
		b.names = append(b.names, own.names...)
		if own.pooled {
			b.names = append(b.names, b.c.family.pooler...)
		}
		h = &Head{Kind: own.kind, Outputs: b.c.Labels}
	} else if err := h.check(); err != nil {
		return err
	} else {
		b.reuse(h, all, pooler)
	}
	dropout := b.c.Dropout
	if h.Dropout != nil {
		dropout = *h.Dropout
	}
	switch h.Kind {
	case "hidden":
		b.hidden(false)
	case "embedding":
		b.pool(h.Pool, "mean")
		if h.Normalize {
			b.add("l2_normalize", "embedding", nil)
		}
	case "classification":
		b.classify(h, dropout)
	case "tagging":
		b.dropout("classifier_dropout", dropout)
		b.dense("classifier", h.Outputs)
	case "language_model":
		b.predict()
	}
	if b.g.Outputs == nil {
		b.g.Outputs = []string{b.last}
	}
	return nil
}

// reuse takes of the checkpoint what a head that is asked for has in common with its own: a pooler, and the head of a language
// model. A classifier is new: its classes are others.
func (b *builder) reuse(h *Head, all func([]name) bool, pooler bool) {
	switch {
	case h.Kind == "language_model" && all(b.tensorsOf(h.Kind)):
		b.names = append(b.names, b.tensorsOf(h.Kind)...)
	case h.Kind == "classification" && h.Pool == "" && pooler:
		b.names = append(b.names, b.c.family.pooler...)
	}
}

// hidden gives out the vector of each position, and the pooler's.
func (b *builder) hidden(pooled bool) {
	b.g.Outputs = []string{b.last}
	if pooled {
		b.add("sequence_pool", "pool", nil, "mode", "first")
		b.dense("pooler", b.c.Units, "activation", b.c.family.pooling)
		b.g.Outputs = append(b.g.Outputs, "pooler")
		b.names = append(b.names, b.c.family.pooler...)
	}
}

// pool makes one vector of all.
func (b *builder) pool(mode, dflt string) {
	if mode == "" {
		mode = dflt
	}
	in := []string{b.last}
	if mode != "first" {
		in = append(in, maskInput)
	}
	b.add("sequence_pool", "pool", in, "mode", mode)
}

func (b *builder) classify(h *Head, dropout float64) {
	f := b.c.family
	switch {
	case h.Pool != "" || f.pooling == "":
		b.pool(h.Pool, "last")
	default:
		b.pool("", "first")
		if f.early {
			b.dropout("pooler_dropout", dropout)
		}
		b.dense("pooler", b.c.Units, "activation", f.pooling)
	}
	if !f.decoder {
		b.dropout("classifier_dropout", dropout)
	}
	b.dense("classifier", h.Outputs, "use_bias", !f.decoder)
}

// predict adds the head of a language model. Its last weight is the token embedding's, unless config.json says otherwise.
func (b *builder) predict() {
	c := b.c
	if c.family.decoder {
		if c.Tied {
			b.add("tied_dense", "predictions", nil, "embedding", "tokens", "use_bias", false)
			return
		}
		b.dense("predictions", c.Vocabulary, "use_bias", false)
		b.names = append(b.names, name{"lm_head.weight", "predictions", "weight", true, 0, []string{"Vocabulary", "Units"}})
		return
	}
	b.dense("transform", c.Units, "activation", c.Activation)
	b.norm("transform_norm")
	b.add("tied_dense", "predictions", nil, "embedding", "tokens")
}

// check holds a head against itself.
func (h *Head) check() error {
	switch {
	case !slices.Contains(Kinds, h.Kind):
		return fmt.Errorf("there is no head %q; there are %s", h.Kind, schema.Words(Kinds))
	case (h.Kind == "classification" || h.Kind == "tagging") && h.Outputs < 1:
		return fmt.Errorf("a head %q has at least 1 output, not %d", h.Kind, h.Outputs)
	case h.Pool != "" && !slices.Contains(graph.PoolModes, h.Pool):
		return fmt.Errorf("there is no pool %q; there are %s", h.Pool, schema.Words(graph.PoolModes))
	}
	return nil
}
