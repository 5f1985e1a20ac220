package graph

import (
	"fmt"
	"slices"
)

// Op is a row of the table of operations.
type Op struct {
	MinInputs, MaxInputs int             // MaxInputs 0: any number
	Rank, MaxRank        int             // ranks that inputs may have, the batch dimension counted; Rank 0: any; MaxRank 0: Rank alone
	Whole                bool            // inputs are of whole numbers, I32 or I64; otherwise F32
	Steps                int             // inputs from this one on have one element for each position of a sequence, [batch, length], of any type; 0: there are none such
	Attrs                map[string]Attr // all that a layer may have

	// Infer fills in Out, Params and FLOPs of the layer, given In; what the other columns say is already checked. Errors are
	// *Error without layer and op; without Got too, where what the first input gives is what does not fit.
	Infer func(*Layer, *LayerInfo) error

	// Quantizable says that the parameter "weight" ([.., out], float32) may be quantised; of an embedding, which multiplies with
	// nothing, by WeightOnlyInt8 alone.
	Quantizable bool
}

// Attr is the type of an attribute, as errors name it.
type Attr string

// The types of attributes.
const (
	Whole  Attr = "a whole number"
	Number Attr = "a number"
	Text   Attr = "a string"
	Flag   Attr = "true or false"
	Wholes Attr = "a list of whole numbers"

	Extents Attr = "a whole number, or a list of one an axis"
)

// Ops is the table of operations by name. One family of ops is one file, which says what each computes.
var Ops = map[string]*Op{
	// dense.go
	"dense": {MinInputs: 1, MaxInputs: 1, Rank: 2, MaxRank: 3, Infer: inferDense, Quantizable: true,
		Attrs: map[string]Attr{"units": Whole, "activation": Text, "use_bias": Flag, "init": Text}},
	// conv.go
	"conv1d":           {MinInputs: 1, MaxInputs: 1, Rank: 3, Infer: inferConv, Quantizable: true, Attrs: convAttrs("dilation", "groups")},
	"conv2d":           {MinInputs: 1, MaxInputs: 1, Rank: 4, Infer: inferConv, Quantizable: true, Attrs: convAttrs("dilation", "groups")},
	"conv1d_transpose": {MinInputs: 1, MaxInputs: 1, Rank: 3, Infer: inferConv, Attrs: convAttrs("dilation", "output_padding")},
	"conv2d_transpose": {MinInputs: 1, MaxInputs: 1, Rank: 4, Infer: inferConv, Attrs: convAttrs("dilation", "output_padding")},
	// pool.go
	"max_pool":        {MinInputs: 1, MaxInputs: 1, Rank: 3, MaxRank: 4, Infer: inferPool, Attrs: windowAttrs()},
	"avg_pool":        {MinInputs: 1, MaxInputs: 1, Rank: 3, MaxRank: 4, Infer: inferPool, Attrs: windowAttrs()},
	"global_max_pool": {MinInputs: 1, MaxInputs: 1, Rank: 3, MaxRank: 4, Infer: inferGlobalPool},
	"global_avg_pool": {MinInputs: 1, MaxInputs: 1, Rank: 3, MaxRank: 4, Infer: inferGlobalPool},
	"upsample":        {MinInputs: 1, MaxInputs: 1, Rank: 3, MaxRank: 4, Infer: inferUpsample, Attrs: map[string]Attr{"factor": Extents, "mode": Text}},
	// elementwise.go
	"activation": {MinInputs: 1, MaxInputs: 1, Infer: inferActivation, Attrs: map[string]Attr{"function": Text}},
	"dropout":    {MinInputs: 1, MaxInputs: 1, Infer: inferDropout, Attrs: map[string]Attr{"rate": Number}},
	"scale":      {MinInputs: 1, MaxInputs: 1, Infer: inferScale, Attrs: map[string]Attr{"factor": Number}},
	// norm.go
	"batch_norm": {MinInputs: 1, MaxInputs: 1, Infer: inferNorm, Attrs: map[string]Attr{"momentum": Number, "epsilon": Number}},
	"layer_norm": {MinInputs: 1, MaxInputs: 1, Infer: inferNorm, Attrs: map[string]Attr{"epsilon": Number}},
	"group_norm": {MinInputs: 1, MaxInputs: 1, Infer: inferNorm, Attrs: map[string]Attr{"groups": Whole, "epsilon": Number}},
	"rms_norm":   {MinInputs: 1, MaxInputs: 1, Infer: inferNorm, Attrs: map[string]Attr{"epsilon": Number}},
	// embedding.go
	"embedding":          {MinInputs: 1, MaxInputs: 1, Rank: 2, Whole: true, Infer: inferEmbedding, Quantizable: true, Attrs: map[string]Attr{"vocabulary": Whole, "units": Whole, "init": Text}},
	"position_embedding": {MinInputs: 1, MaxInputs: 1, Rank: 3, Infer: inferPositions, Attrs: map[string]Attr{"positions": Whole, "offset": Whole, "init": Text}},
	"type_embedding":     {MinInputs: 1, MaxInputs: 2, Rank: 3, Steps: 1, Infer: inferTypes, Attrs: map[string]Attr{"types": Whole, "init": Text}},
	"tied_dense":         {MinInputs: 1, MaxInputs: 1, Rank: 2, MaxRank: 3, Infer: inferTied, Attrs: map[string]Attr{"embedding": Text, "use_bias": Flag}},
	"padding_mask":       {MinInputs: 1, MaxInputs: 1, Rank: 2, Whole: true, Infer: inferPaddingMask, Attrs: map[string]Attr{"pad": Whole}},
	// attention.go
	"attention": {MinInputs: 3, MaxInputs: 4, Rank: 3, Steps: 3, Infer: inferAttention, Attrs: map[string]Attr{"heads": Whole, "causal": Flag, "rotary": Flag, "rotary_base": Number, "dropout": Number}},
	// recurrent.go
	"lstm": {MinInputs: 1, MaxInputs: 2, Rank: 3, Steps: 1, Infer: inferRecurrent, Attrs: map[string]Attr{"units": Whole, "bidirectional": Flag, "returns": Text}},
	"gru":  {MinInputs: 1, MaxInputs: 2, Rank: 3, Steps: 1, Infer: inferRecurrent, Attrs: map[string]Attr{"units": Whole, "bidirectional": Flag, "returns": Text}},
	// sequence.go
	"sequence_pool": {MinInputs: 1, MaxInputs: 2, Rank: 3, Steps: 1, Infer: inferSequencePool, Attrs: map[string]Attr{"mode": Text}},
	"l2_normalize":  {MinInputs: 1, MaxInputs: 1, Infer: inferL2},
	"dot":           {MinInputs: 2, MaxInputs: 2, Infer: inferDot, Attrs: map[string]Attr{"scale": Number}},
	// shape.go
	"flatten": {MinInputs: 1, MaxInputs: 1, Infer: inferFlatten},
	"reshape": {MinInputs: 1, MaxInputs: 1, Infer: inferReshape, Attrs: map[string]Attr{"shape": Wholes}},
	// join.go
	"add":      {MinInputs: 2, Infer: inferAdd},
	"multiply": {MinInputs: 2, Infer: inferMultiply},
	"concat":   {MinInputs: 2, Infer: inferConcat},
}

func windowAttrs() map[string]Attr {
	return map[string]Attr{"kernel": Extents, "stride": Extents, "padding": Text, "pads": Wholes}
}

func convAttrs(more ...string) map[string]Attr {
	attrs := windowAttrs()
	attrs["filters"], attrs["activation"], attrs["use_bias"], attrs["init"] = Whole, Text, Flag, Text
	for _, name := range more {
		attrs[name] = Extents
		if name == "groups" {
			attrs[name] = Whole
		}
	}
	return attrs
}

// ranks says which ranks inputs may have.
func (o *Op) ranks() string {
	if o.MaxRank > o.Rank {
		return fmt.Sprintf("rank %d to %d", o.Rank, o.MaxRank)
	}
	return fmt.Sprintf("rank %d", o.Rank)
}

func (o *Op) inputsText() string {
	switch {
	case o.MaxInputs == 1:
		return "one input"
	case o.MaxInputs == o.MinInputs:
		return fmt.Sprintf("%d inputs", o.MinInputs)
	case o.MaxInputs == 0:
		return fmt.Sprintf("at least %d inputs", o.MinInputs)
	}
	return fmt.Sprintf("%d to %d inputs", o.MinInputs, o.MaxInputs)
}

// holds reports whether v, in normal form, is of the type.
func (a Attr) holds(v any) bool {
	switch v := v.(type) {
	case int64, uint64:
		return a == Whole || a == Number || a == Extents
	case float64:
		return a == Number
	case string:
		return a == Text
	case bool:
		return a == Flag
	case []any:
		return (a == Wholes || a == Extents) && !slices.ContainsFunc(v, func(e any) bool { return !Whole.holds(e) })
	}
	return false
}
