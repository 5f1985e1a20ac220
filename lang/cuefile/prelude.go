package cuefile

import (
	"fmt"
	"slices"
	"strings"

	"mbuild.dev/mbuild/lang/schema"
	"mbuild.dev/mbuild/lang/value"
)

// Kind is what the prelude needs to know of a block type.
type Kind struct {
	Family, Type string
	Struct       *schema.Type
	Outputs      []Output
}

// Output is an output that blocks of a kind offer.
type Output struct{ Name, Type string }

// The fields of the structs that stand for references and sensitive values.
const (
	refField      = "$ref"      // block and output, as the block's own module writes them
	keyField      = "$key"      // key of the instance, under for_each
	absoluteField = "$absolute" // true: $ref is a whole address, given from outside
	secretField   = "$secret"   // name of a sensitive variable
)

// preludeName is the prelude's file name; no file of a user has it.
const preludeName = "<prelude>"

// prelude is the CUE file that makes outputs of blocks, values of inputs and defaults that the files refer to into values.
func (p *Package) prelude(r *Request) string {
	var b strings.Builder
	fmt.Fprintf(&b, "package %s\n", p.packageName())
	for _, f := range r.Families {
		fmt.Fprintf(&b, "%s?: _\n", f)
	}
	b.WriteString("var?: _\nmodule?: [string]: {outputs: _, for_each?: [string]: {outputs: _, ...}, ...}\n")
	defaults := p.defaults(r.Kinds)
	for _, k := range r.Kinds {
		if len(k.Outputs) == 0 {
			continue
		}
		ref := func(o Output, key string) string {
			return fmt.Sprintf("%s: {%q: \"%s.%s.\\(_name).%s\", %stype: %q}", o.Name, refField, k.Family, k.Type, o.Name, key, o.Type)
		}
		var plain, keyed []string
		for _, o := range k.Outputs {
			plain = append(plain, ref(o, ""))
			keyed = append(keyed, ref(o, fmt.Sprintf("%q: _key, ", keyField)))
		}
		for _, d := range defaults[k.Family+"."+k.Type] {
			plain, keyed = append(plain, d), append(keyed, d)
		}
		fmt.Fprintf(&b, "%s?: %s?: [_name=string]: {%s, for_each?: [_key=string]: {%s}}\n", k.Family, k.Type, strings.Join(plain, ", "), strings.Join(keyed, ", "))
	}
	return b.String()
}

// defaults lists, by kind, the defaults of attributes that some expression reads: CUE knows no schema.
func (p *Package) defaults(kinds []Kind) map[string][]string {
	byKind := map[string]*Kind{}
	for i := range kinds {
		byKind[kinds[i].Family+"."+kinds[i].Type] = &kinds[i]
	}
	out := map[string][]string{}
	for _, s := range p.refs {
		if len(s.parts) < 4 {
			continue
		}
		name := s.parts[0] + "." + s.parts[1]
		k := byKind[name]
		if k == nil {
			continue
		}
		path := s.parts[3:]
		if path[0] == "for_each" && len(path) > 2 {
			path = path[2:]
		}
		if text := defaultAt(k.Struct, path); text != "" && !slices.Contains(out[name], text) {
			out[name] = append(out[name], text)
		}
	}
	return out
}

// defaultAt writes the default at a path into a struct as a field of it; "" when there is none.
func defaultAt(t *schema.Type, path []string) string {
	if t.Op != schema.Struct || len(path) == 0 {
		return ""
	}
	f := t.Field(path[0])
	if f == nil {
		return ""
	}
	if inner := defaultAt(f.Type, path[1:]); inner != "" {
		return fmt.Sprintf("%s?: {%s, ...}", f.Name, inner)
	}
	if f.Default == nil {
		return ""
	}
	text, err := value.Canonical(f.Default)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%s: _ | *%s", f.Name, text)
}

// encode writes a value in normal form as CUE that the prelude's references are made of.
func encode(v any) (string, error) {
	b, err := value.Canonical(plain(v))
	return string(b), err
}

func plain(v any) any {
	switch t := v.(type) {
	case value.Ref:
		return map[string]any{refField: t.To, absoluteField: true, "type": t.Type}
	case []any:
		out := make([]any, len(t))
		for i, e := range t {
			out[i] = plain(e)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(t))
		for k, e := range t {
			out[k] = plain(e)
		}
		return out
	}
	return v
}
