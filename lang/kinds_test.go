package lang

import (
	"slices"

	"mbuild.dev/mbuild/lang/schema"
)

// catalog is a small table of kinds, shaped like those of stdlib and written by hand: these tests are about the language, and
// stay as they are when a kind of stdlib changes.
type catalog struct{}

var (
	str     = &schema.Type{Op: schema.String}
	boolean = &schema.Type{Op: schema.Bool}
	number  = &schema.Type{Op: schema.Number}
	natural = &schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 1}}
	whole   = &schema.Type{Op: schema.Int}
)

func list(t *schema.Type) *schema.Type { return &schema.Type{Op: schema.List, Elem: t} }

func refTo(types ...string) *schema.Type { return &schema.Type{Op: schema.Ref, RefTypes: types} }

func enum(values ...any) *schema.Type { return &schema.Type{Op: schema.String, Enum: values} }

func req(name string, t *schema.Type) schema.Field {
	return schema.Field{Name: name, Type: t, Required: true}
}

func opt(name string, t *schema.Type, dflt any) schema.Field {
	return schema.Field{Name: name, Type: t, Default: dflt}
}

func structOf(fields ...schema.Field) *schema.Type {
	return &schema.Type{Op: schema.Struct, Fields: fields}
}

var layer = &schema.Type{Op: schema.Union, Tag: "type", Alts: []*schema.Type{
	structOf(req("type", enum("dense")), req("name", str), req("units", natural), opt("activation", enum("linear", "relu", "gelu"), "linear"), opt("inputs", list(str), nil)),
	structOf(req("type", enum("dropout")), req("name", str), req("rate", &schema.Type{Op: schema.Number, Min: &schema.Bound{}, Max: &schema.Bound{Value: 1, Exclusive: true}})),
}}

var optimizer = &schema.Type{Op: schema.Union, Tag: "type", Labels: []string{"type"}, Alts: []*schema.Type{
	structOf(req("type", enum("sgd")), opt("lr", number, 0.01)),
	structOf(req("type", enum("adam")), opt("lr", number, 0.001), opt("betas", list(number), []any{0.9, 0.999})),
}}

func labelled(t *schema.Type, labels ...string) *schema.Type {
	return &schema.Type{Op: schema.List, Elem: t, Labels: labels}
}

var testKinds = []*schema.Kind{
	{Family: "dataset", Type: "csv", Struct: structOf(
		req("files", &schema.Type{Op: schema.List, Elem: str, MinItems: 1}), opt("label", str, "label"), opt("header", boolean, true),
		opt("rename", &schema.Type{Op: schema.Map, Elem: str}, nil), opt("seed", whole, int64(0)),
		opt("split", structOf(opt("train", number, 0.8), opt("test", number, 0.2)), nil),
		opt("column", &schema.Type{Op: schema.Map, Elem: structOf(opt("scale", number, int64(1))), Labels: []string{"key"}}, nil))},
	{Family: "model", Type: "layers", Struct: structOf(
		req("layer", labelled(layer, "type", "name")), opt("note", &schema.Type{}, nil))},
	{Family: "train", Type: "supervised", Struct: structOf(
		opt("graph", refTo("graph"), nil), opt("from", refTo("model"), nil), req("data", refTo("data")), req("epochs", natural),
		req("optimizer", optimizer), opt("seed", whole, int64(0)), opt("loss", enum("cross_entropy", "mse"), "cross_entropy"))},
	{Family: "pass", Type: "prune", Struct: structOf(
		req("from", refTo("model")), opt("sparsity", &schema.Type{Op: schema.Number, Min: &schema.Bound{}, Max: &schema.Bound{Value: 1}}, 0.5),
		opt("data", refTo("data"), nil))},
	{Family: "eval", Type: "classification", Struct: structOf(
		req("from", refTo("model")), req("data", refTo("data")),
		opt("gate", labelled(structOf(req("metric", str), opt("min", number, nil), opt("baseline", refTo("report"), nil)), "metric"), nil))},
	{Family: "target", Type: "onnx", Struct: structOf(
		req("from", refTo("model", "graph")), opt("gates", list(refTo("report")), []any{}),
		req("path", &schema.Type{Op: schema.String, Pattern: `^[a-z0-9./_-]+$`}), opt("labels", &schema.Type{Op: schema.Map, Elem: str}, nil))},
}

var testOutputs = map[string][]OutputType{
	"dataset": {{"data", "data"}}, "model": {{"graph", "graph"}}, "train": {{"model", "model"}, {"history", "report"}},
	"pass": {{"model", "model"}}, "eval": {{"report", "report"}}, "target": {{"artifact", "artifact"}},
}

func (catalog) Kind(family, typ string) *schema.Kind {
	for _, k := range testKinds {
		if k.Family == family && k.Type == typ {
			return k
		}
	}
	return nil
}

func (catalog) Types(family string) []string {
	var out []string
	for _, k := range testKinds {
		if k.Family == family {
			out = append(out, k.Type)
		}
	}
	slices.Sort(out)
	return out
}

func (c catalog) Outputs(family, typ string) []OutputType {
	if c.Kind(family, typ) == nil {
		return nil
	}
	return testOutputs[family]
}
