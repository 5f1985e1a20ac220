// Package pretrained reads models in the layout of Hugging Face's transformers, a config.json beside tensors in safetensors files, as
// graphs with weights.
//
// It does not know kinds, training or tokenizers. The nouns: Config (what config.json says, in one set of words for all families),
// family (a row of the table families: the words of its config.json, its layers, the names of its tensors), Head (what stands on
// top of the body), Checkpoint (the tensors of all files), Load.
//
// Names are mapped by tables (names.go), one row for each tensor of a layer. The invariant: every tensor of the files is taken by
// a row, or is named in an error or a note; every parameter of the graph comes from a tensor of just its shape, or is new and named.
package pretrained

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mbuild.dev/mbuild/lang/schema"
	"mbuild.dev/mbuild/stdlib/graph"
)

// Config is what config.json says of a model, as far as its forward pass depends on it.
type Config struct {
	family       *family
	Type         string // model_type
	Architecture string // the first of architectures; "" where there is none
	Vocabulary   int
	Units        int // of a position
	Layers       int
	Heads        int
	Inner        int // units between the two dense layers of a block
	Positions    int // rows of the position table
	Offset       int // row of the first position
	Types        int // rows of the type table; 0 without one
	Activation   string
	Epsilon      float64
	Dropout      float64
	Pad          int
	Labels       int
	Tied         bool // the output of a language model has the weight of the token embedding

	keys map[string]string // by field above: the key of config.json that says it
}

// maxConfig bounds config.json: those of large models have some kB, those with 100,000 labels some MB.
const maxConfig = 32 << 20

// The bounds of what config.json may ask for.
const (
	maxLayers = 1000
	maxSize   = 10_000_000
)

// activations are the functions by the names that transformers has for them.
var activations = map[string]string{"gelu": "gelu", "gelu_python": "gelu", "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "gelu_fast": "gelu_tanh",
	"relu": "relu", "silu": "silu", "swish": "silu", "tanh": "tanh", "sigmoid": "sigmoid", "linear": "linear"}

// ReadConfig reads config.json.
func ReadConfig(b []byte) (*Config, error) {
	if len(b) > maxConfig {
		return nil, fmt.Errorf("config.json has %d bytes; at most %d are read", len(b), maxConfig)
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(b, &raw); err != nil {
		return nil, fmt.Errorf("config.json: %w, in a file of %d bytes. It must be a JSON object, as transformers writes it: fetch it again", err, len(b))
	}
	r := &reader{raw: raw, c: &Config{keys: map[string]string{}}}
	c := r.c
	c.Type = r.text("model_type", "")
	f, ok := families[c.Type]
	if !ok {
		return nil, fmt.Errorf("config.json: model_type is %q; mbuild reads %s", c.Type, schema.Words(slices.Sorted(maps.Keys(families))))
	}
	c.family = f
	var architectures []string
	r.get("architectures", &architectures)
	if len(architectures) > 0 {
		c.Architecture = architectures[0]
	}
	for field, key := range f.keys {
		c.keys[field] = key
	}
	c.Vocabulary, c.Units = r.size("Vocabulary", 0), r.size("Units", 0)
	c.Layers, c.Heads = r.size("Layers", 0), r.size("Heads", 0)
	c.Inner, c.Positions = r.size("Inner", 4*c.Units), r.size("Positions", 0)
	if f.keys["Types"] != "" {
		c.Types = r.size("Types", f.types)
	}
	c.Epsilon, c.Dropout = r.number(f.keys["Epsilon"], f.epsilon), r.number(f.keys["Dropout"], 0.1)
	c.Pad = int(r.number("pad_token_id", float64(f.pad)))
	c.Labels = r.labels()
	c.Tied = r.flag("tie_word_embeddings", true)
	if f.offset {
		c.Offset = c.Pad + 1
	}
	act := r.text(f.keys["Activation"], f.activation)
	if c.Activation, ok = activations[act]; !ok {
		r.fail("%s is %q; mbuild knows %s", f.keys["Activation"], act, schema.Words(slices.Sorted(maps.Keys(activations))))
	}
	r.check(c)
	if err := errors.Join(r.errs...); err != nil {
		return nil, err
	}
	return c, nil
}

// reader takes config.json apart and collects what is wrong.
type reader struct {
	raw  map[string]json.RawMessage
	c    *Config
	errs []error
}

func (r *reader) fail(format string, args ...any) {
	r.errs = append(r.errs, fmt.Errorf("config.json: "+format, args...))
}

// get reads a key into v, and reports whether it is there; null is as if it were not.
func (r *reader) get(key string, v any) bool {
	raw, ok := r.raw[key]
	if !ok || string(raw) == "null" {
		return false
	}
	if err := json.Unmarshal(raw, v); err != nil {
		var te *json.UnmarshalTypeError
		if errors.As(err, &te) {
			r.fail("%s is a %s, where %s is expected", key, te.Value, te.Type)
		} else {
			r.fail("%s: %v", key, err)
		}
		return false
	}
	return true
}

func (r *reader) text(key, dflt string) string {
	r.get(key, &dflt)
	return dflt
}

func (r *reader) number(key string, dflt float64) float64 {
	if key != "" {
		r.get(key, &dflt)
	}
	return dflt
}

func (r *reader) flag(key string, dflt bool) bool {
	r.get(key, &dflt)
	return dflt
}

// size is a whole number of at least 1; without a default it must be there.
func (r *reader) size(field string, dflt int) int {
	key := r.c.family.keys[field]
	v := float64(dflt)
	if !r.get(key, &v) && dflt == 0 {
		if r.raw[key] == nil || string(r.raw[key]) == "null" {
			r.fail("%s is missing", key)
		}
		return 1
	}
	most := maxSize
	if field == "Layers" {
		most = maxLayers
	}
	if v != float64(int(v)) || v < 1 || v > float64(most) {
		r.fail("%s is %v; it must be a whole number from 1 to %d", key, v, most)
		return 1
	}
	return int(v)
}

// labels is the number of classes of a head: of id2label, or num_labels, or 2.
func (r *reader) labels() int {
	var names map[string]any
	n := 2.0
	if r.get("id2label", &names) && len(names) > 0 {
		return len(names)
	}
	r.get("num_labels", &n)
	if n != float64(int(n)) || n < 1 || n > maxSize {
		r.fail("num_labels is %v", n)
		return 2
	}
	return int(n)
}

// plain are keys that change what a model computes, with the values that leave it as it is here.
var plain = []struct {
	key  string
	want any
}{
	{"position_embedding_type", "absolute"}, {"is_decoder", false}, {"add_cross_attention", false}, {"chunk_size_feed_forward", 0.0}, {"scale_attn_weights", true},
	{"scale_attn_by_inverse_layer_idx", false}, {"is_encoder_decoder", false}, {"quantization_config", nil}, {"pruned_heads", map[string]any{}},
}

// check holds the numbers against each other, and refuses what changes the computation.
func (r *reader) check(c *Config) {
	if c.Units%c.Heads != 0 {
		r.fail("%s is %d and %s %d; the heads must divide it", c.keys["Units"], c.Units, c.keys["Heads"], c.Heads)
	}
	if !(c.Epsilon > 0) || !(c.Dropout >= 0 && c.Dropout < 1) || c.Pad < -1 || c.Pad > maxSize {
		r.fail("the epsilon of the norms is %g, the dropout %g and pad_token_id %d", c.Epsilon, c.Dropout, c.Pad)
	}
	for _, p := range plain {
		var v any
		if !r.get(p.key, &v) || fmt.Sprint(v) == fmt.Sprint(p.want) {
			continue
		}
		r.fail("%s is %v, which mbuild does not compute; it reads models with %v", p.key, v, p.want)
	}
}

// Length is the longest sequence that the model has positions for.
func (c *Config) Length() int { return max(c.Positions-c.Offset, 1) }

// said is what config.json says of a shape, for messages.
func (c *Config) said(fields ...string) string {
	values := map[string]int{"Vocabulary": c.Vocabulary, "Units": c.Units, "Layers": c.Layers, "Heads": c.Heads, "Inner": c.Inner, "Positions": c.Positions, "Types": c.Types}
	var parts []string
	for _, f := range fields {
		switch key := c.keys[f]; {
		case f == "Labels":
			parts = append(parts, fmt.Sprintf("%d labels", c.Labels))
		case key != "":
			parts = append(parts, fmt.Sprintf("%s = %d", key, values[f]))
		}
	}
	return strings.Join(parts, ", ")
}

// embeds makes an input of a graph.
func embeds(name string, length int) graph.Input {
	return graph.Input{Name: name, Shape: []int{length}, DType: graph.I64, Scale: 1}
}
