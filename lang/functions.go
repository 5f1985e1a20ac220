package lang

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// functions is the function table: cty's pure functions, and those that read files below the spec's directory, which are
// recorded as inputs of the spec. There is no clock, no random and no environment.
func functions(m *loader) map[string]function.Function {
	return map[string]function.Function{
		"abs": stdlib.AbsoluteFunc, "ceil": stdlib.CeilFunc, "floor": stdlib.FloorFunc, "max": stdlib.MaxFunc, "min": stdlib.MinFunc,
		"pow": stdlib.PowFunc, "log": stdlib.LogFunc, "signum": stdlib.SignumFunc, "parseint": stdlib.ParseIntFunc, "int": stdlib.IntFunc,
		"upper": stdlib.UpperFunc, "lower": stdlib.LowerFunc, "title": stdlib.TitleFunc, "trim": stdlib.TrimFunc, "trimspace": stdlib.TrimSpaceFunc,
		"trimprefix": stdlib.TrimPrefixFunc, "trimsuffix": stdlib.TrimSuffixFunc, "replace": stdlib.ReplaceFunc, "substr": stdlib.SubstrFunc,
		"join": stdlib.JoinFunc, "split": stdlib.SplitFunc, "format": stdlib.FormatFunc, "formatlist": stdlib.FormatListFunc,
		"regex": stdlib.RegexFunc, "regexall": stdlib.RegexAllFunc, "strlen": stdlib.StrlenFunc, "indent": stdlib.IndentFunc, "chomp": stdlib.ChompFunc,
		"concat": stdlib.ConcatFunc, "contains": stdlib.ContainsFunc, "distinct": stdlib.DistinctFunc, "element": stdlib.ElementFunc,
		"flatten": stdlib.FlattenFunc, "keys": stdlib.KeysFunc, "values": stdlib.ValuesFunc, "length": lengthFunc, "lookup": stdlib.LookupFunc,
		"merge": stdlib.MergeFunc, "range": stdlib.RangeFunc, "reverse": stdlib.ReverseListFunc, "slice": stdlib.SliceFunc, "sort": stdlib.SortFunc,
		"zipmap": stdlib.ZipmapFunc, "compact": stdlib.CompactFunc, "coalesce": stdlib.CoalesceFunc, "coalescelist": stdlib.CoalesceListFunc,
		"chunklist": stdlib.ChunklistFunc, "setunion": stdlib.SetUnionFunc, "setintersection": stdlib.SetIntersectionFunc,
		"setsubtract": stdlib.SetSubtractFunc, "setproduct": stdlib.SetProductFunc, "index": stdlib.IndexFunc, "hasindex": stdlib.HasIndexFunc,
		"jsonencode": stdlib.JSONEncodeFunc, "jsondecode": stdlib.JSONDecodeFunc, "csvdecode": stdlib.CSVDecodeFunc,
		"tostring": stdlib.MakeToFunc(cty.String), "tonumber": stdlib.MakeToFunc(cty.Number), "tobool": stdlib.MakeToFunc(cty.Bool),
		"toset": stdlib.MakeToFunc(cty.Set(cty.DynamicPseudoType)), "tolist": stdlib.MakeToFunc(cty.List(cty.DynamicPseudoType)),
		"tomap": stdlib.MakeToFunc(cty.Map(cty.DynamicPseudoType)),
		"try":   tryfunc.TryFunc, "can": tryfunc.CanFunc,
		"sequence": sequenceFunc, "sum": sumFunc, "alltrue": boolsFunc(true), "anytrue": boolsFunc(false),
		"startswith": textFunc(strings.HasPrefix), "endswith": textFunc(strings.HasSuffix),
		"templatefile": m.templatefileFunc(),
		"file":         m.fileFunc(func(b []byte) (string, error) { return string(b), nil }),
		"filesha256":   m.fileFunc(func(b []byte) (string, error) { s := sha256.Sum256(b); return hex.EncodeToString(s[:]), nil }),
		"csvhead":      m.csvheadFunc(),
		"fileset":      m.filesetFunc(),
	}
}

// sequenceFunc is sequence(n): [0, 1, …, n-1].
var sequenceFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "n", Type: cty.Number}},
	Type:   function.StaticReturnType(cty.List(cty.Number)),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		n, acc := args[0].AsBigFloat().Int64()
		if acc != 0 || n < 0 || n > maxInstances {
			return cty.NilVal, function.NewArgErrorf(0, "needs a whole number from 0 to %d", maxInstances)
		}
		if n == 0 {
			return cty.ListValEmpty(cty.Number), nil
		}
		out := make([]cty.Value, n)
		for i := range out {
			out[i] = cty.NumberIntVal(int64(i))
		}
		return cty.ListVal(out), nil
	},
})

// lengthFunc is length(value): of a list, set, map, object, or of a string in characters.
var lengthFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType}},
	Type:   function.StaticReturnType(cty.Number),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		switch v := args[0]; {
		case v.Type() == cty.String:
			return stdlib.Strlen(v)
		case v.CanIterateElements():
			return cty.NumberIntVal(int64(v.LengthInt())), nil
		}
		return cty.NilVal, function.NewArgErrorf(0, "needs a list, set, map, object or string")
	},
})

// sumFunc is sum(list): the sum of numbers, 0 for none.
var sumFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "numbers", Type: cty.List(cty.Number)}},
	Type:   function.StaticReturnType(cty.Number),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		total := cty.Zero
		for it := args[0].ElementIterator(); it.Next(); {
			_, v := it.Element()
			if v.IsNull() {
				return cty.NilVal, function.NewArgErrorf(0, "has a null in it")
			}
			total = total.Add(v)
		}
		return total, nil
	},
})

// boolsFunc is alltrue(list) or anytrue(list).
func boolsFunc(all bool) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "values", Type: cty.List(cty.Bool)}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			for it := args[0].ElementIterator(); it.Next(); {
				if _, v := it.Element(); v.IsNull() || v.True() != all {
					return cty.BoolVal(!all), nil
				}
			}
			return cty.BoolVal(all), nil
		},
	})
}

// textFunc is startswith(text, part) or endswith(text, part).
func textFunc(f func(s, part string) bool) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "text", Type: cty.String}, {Name: "part", Type: cty.String}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.BoolVal(f(args[0].AsString(), args[1].AsString())), nil
		},
	})
}

// templatefileFunc is templatefile(path, variables): a file as an HCL template, with these variables and the functions.
func (m *loader) templatefileFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}, {Name: "variables", Type: cty.DynamicPseudoType}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			name, vars := args[0].AsString(), args[1]
			b, err := m.readFile(name)
			if err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			if d := refuseTemplate(string(b), hcl.Range{}); d != nil {
				return cty.NilVal, function.NewArgErrorf(0, "%s", d.Detail)
			}
			if !vars.CanIterateElements() || vars.Type().IsTupleType() || vars.Type().IsListType() || vars.Type().IsSetType() {
				return cty.NilVal, function.NewArgErrorf(1, "needs a map of variables")
			}
			expr, diags := hclsyntax.ParseTemplate(b, name, hcl.InitialPos)
			if diags.HasErrors() {
				return cty.NilVal, function.NewArgErrorf(0, "%s", diags[0].Error())
			}
			ctx := &hcl.EvalContext{Functions: functions(m), Variables: vars.AsValueMap()}
			delete(ctx.Functions, "templatefile") // a template that reads itself would not end
			v, diags := expr.Value(ctx)
			if diags.HasErrors() {
				return cty.NilVal, function.NewArgErrorf(0, "%s", diags[0].Error())
			}
			return convert.Convert(v, cty.String)
		},
	})
}

// maxRead bounds what functions read into expressions.
const maxRead = 16 << 20

// read reads a file below the spec's directory and records it.
func (m *loader) readFile(name string) ([]byte, error) {
	rel := path.Clean(filepath.ToSlash(name))
	if path.IsAbs(rel) || rel == ".." || strings.HasPrefix(rel, "../") {
		return nil, fmt.Errorf("%q is outside the directory of the spec", name)
	}
	root, err := os.OpenRoot(m.req.Dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	info, err := root.Stat(rel)
	if err != nil {
		m.read.missing(rel)
		return nil, fmt.Errorf("%q cannot be read: %v", name, plain(err))
	}
	if info.Size() > maxRead {
		return nil, fmt.Errorf("%q has %d bytes; functions read at most %d", name, info.Size(), maxRead)
	}
	b, err := root.ReadFile(rel)
	if err != nil {
		return nil, fmt.Errorf("%q cannot be read: %v", name, plain(err))
	}
	m.read.file(rel, b)
	return b, nil
}

func plain(err error) error {
	if pe, ok := err.(*fs.PathError); ok {
		return pe.Err
	}
	return err
}

func (m *loader) fileFunc(f func([]byte) (string, error)) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			b, err := m.readFile(args[0].AsString())
			if err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			s, err := f(b)
			return cty.StringVal(s), err
		},
	})
}

// csvheadFunc is csvhead(path): the column names in the first line of a CSV file.
func (m *loader) csvheadFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}},
		Type:   function.StaticReturnType(cty.List(cty.String)),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			b, err := m.readFile(args[0].AsString())
			if err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			line, _, _ := strings.Cut(string(b), "\n")
			var out []cty.Value
			for _, c := range strings.Split(strings.TrimRight(line, "\r"), ",") {
				out = append(out, cty.StringVal(strings.Trim(strings.TrimSpace(c), `"`)))
			}
			return cty.ListVal(out), nil
		},
	})
}

// filesetFunc is fileset(pattern): the files below the spec's directory that match, sorted; see glob.
func (m *loader) filesetFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "pattern", Type: cty.String}},
		Type:   function.StaticReturnType(cty.List(cty.String)),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			pattern := args[0].AsString()
			if path.IsAbs(pattern) || strings.Contains(pattern, "..") {
				return cty.NilVal, function.NewArgErrorf(0, "%q is outside the directory of the spec", pattern)
			}
			names, err := glob(os.DirFS(m.req.Dir), pattern)
			if err != nil {
				return cty.NilVal, function.NewArgErrorf(0, "%q: %v", pattern, err)
			}
			m.read.glob(pattern, names)
			if len(names) == 0 {
				return cty.ListValEmpty(cty.String), nil
			}
			out := make([]cty.Value, len(names))
			for i, n := range names {
				out[i] = cty.StringVal(n)
			}
			return cty.ListVal(out), nil
		},
	})
}
