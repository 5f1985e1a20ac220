package lang

import (
	"fmt"
	"math/big"
	"reflect"
	"strconv"

	"github.com/zclconf/go-cty/cty"

	"mbuild.dev/mbuild/lang/value"
)

// refType is the type of references in expressions: a capsule, so that using one as a string or number is an error.
var refType = cty.Capsule("reference", reflect.TypeOf(value.Ref{}))

func refValue(r value.Ref) cty.Value { return cty.CapsuleVal(refType, &r) }

// fromCty brings an evaluated expression to normal form.
func fromCty(v cty.Value) (any, error) {
	if u, marks := v.Unmark(); len(marks) > 0 {
		n, err := fromCty(u)
		if _, ok := marks[sensitive{}]; ok && err == nil && n != nil {
			return value.Secret{Value: value.Reveal(n)}, nil
		}
		return n, err
	}
	if !v.IsKnown() {
		return nil, fmt.Errorf("the value is not known")
	}
	if v.IsNull() {
		return nil, nil
	}
	switch t := v.Type(); {
	case t == cty.Bool:
		return v.True(), nil
	case t == cty.Number:
		return value.Number(v.AsBigFloat())
	case t == cty.String:
		return value.Norm(v.AsString())
	case t.Equals(refType):
		return *v.EncapsulatedValue().(*value.Ref), nil
	case t.IsListType() || t.IsTupleType() || t.IsSetType():
		out := make([]any, 0, v.LengthInt())
		for it := v.ElementIterator(); it.Next(); {
			_, e := it.Element()
			x, err := fromCty(e)
			if err != nil {
				return nil, err
			}
			out = append(out, x)
		}
		return out, nil
	case t.IsMapType() || t.IsObjectType():
		out := make(map[string]any, v.LengthInt())
		for it := v.ElementIterator(); it.Next(); {
			k, e := it.Element()
			x, err := fromCty(e)
			if err != nil {
				return nil, err
			}
			if x != nil {
				out[k.AsString()] = x
			}
		}
		return out, nil
	}
	return nil, fmt.Errorf("a %s is no value that a block may hold", v.Type().FriendlyName())
}

// toCty is the reverse, for blocks that other blocks read.
func toCty(v any) cty.Value {
	switch t := v.(type) {
	case nil:
		return cty.NullVal(cty.DynamicPseudoType)
	case bool:
		return cty.BoolVal(t)
	case int64:
		return cty.NumberIntVal(t)
	case uint64:
		return cty.NumberUIntVal(t)
	case float64:
		// The shortest decimal: what was written, so that it compares equal with itself written elsewhere.
		f, _, _ := big.ParseFloat(strconv.FormatFloat(t, 'g', -1, 64), 10, 512, big.ToNearestEven)
		return cty.NumberVal(f)
	case string:
		return cty.StringVal(t)
	case value.Ref:
		return refValue(t)
	case value.Secret:
		return toCty(t.Value).Mark(sensitive{})
	case []any:
		if len(t) == 0 {
			return cty.EmptyTupleVal
		}
		out := make([]cty.Value, len(t))
		for i, e := range t {
			out[i] = toCty(e)
		}
		return cty.TupleVal(out)
	case map[string]any:
		out := make(map[string]cty.Value, len(t))
		for k, e := range t {
			out[k] = toCty(e)
		}
		return cty.ObjectVal(out)
	}
	panic(fmt.Sprintf("lang: %T is not in normal form", v))
}
