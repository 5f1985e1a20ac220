package cuefile

import (
	"fmt"
	"math/big"
	"slices"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/errors"
	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/lang/schema"
	"mbuild.dev/mbuild/lang/value"
)

// decoder makes plain values of CUE values. What is broken is reported and left out.
type decoder struct {
	*Instance
	problems []Problem
	seen     map[string]bool
	address  string
	cycle    string            // block of the last cycle reported
	places   map[string]placed // path in the plain value -> where it comes from; nil records nothing
}

// placed is a CUE value, or its label.
type placed struct {
	v     cue.Value
	onKey bool
}

func (i *Instance) decoder() *decoder { return &decoder{Instance: i, seen: map[string]bool{}} }

func join(path, k string) string {
	if path == "" {
		return k
	}
	return path + "." + k
}

func (d *decoder) record(path string, v cue.Value, onKey bool) {
	if d.places != nil {
		d.places[path] = placed{v, onKey}
	}
}

// value decodes v, which is to be of type t where t is known. ok is false when it is broken, which has been reported.
func (d *decoder) value(t *schema.Type, v cue.Value, path string) (out any, ok bool) {
	d.record(path, v, false)
	kind := v.Kind()
	if kind == cue.BottomKind {
		if dv, has := v.Default(); has && dv.Kind() != cue.BottomKind {
			v = dv
			kind = v.Kind()
		}
	}
	switch kind {
	case cue.NullKind:
		return nil, true
	case cue.BoolKind:
		b, err := v.Bool()
		return b, err == nil
	case cue.StringKind:
		s, err := v.String()
		return s, err == nil
	case cue.IntKind:
		if n, err := v.Int64(); err == nil {
			return n, true
		}
		return d.number(v)
	case cue.FloatKind, cue.NumberKind:
		return d.number(v)
	case cue.ListKind:
		return d.list(t, v, path)
	case cue.StructKind:
		return d.structure(t, v, path)
	case cue.BytesKind:
		d.report(v, "wrong-type", "Wrong type", "Bytes are no value that a block may hold. Write a string.")
		return nil, false
	}
	return nil, d.broken(t, v, path)
}

func (d *decoder) number(v cue.Value) (any, bool) {
	text, err := v.MarshalJSON()
	if err == nil {
		var f *big.Float
		if f, _, err = big.ParseFloat(string(text), 10, 512, big.ToNearestEven); err == nil {
			var n any
			if n, err = value.Number(f); err == nil {
				return n, true
			}
		}
	}
	d.report(v, "bad-value", "Invalid value", sentence(err.Error()))
	return nil, false
}

func (d *decoder) list(t *schema.Type, v cue.Value, path string) (any, bool) {
	it, err := v.List()
	if err != nil {
		return nil, d.broken(t, v, path)
	}
	var elem *schema.Type
	var labels []string
	if t != nil && t.Op == schema.List {
		elem, labels = t.Elem, t.Labels
	}
	out, ok := []any{}, true
	for it.Next() {
		e := it.Value()
		if labels != nil && e.IncompleteKind() == cue.StructKind && !explicit(e, labels) {
			ok = d.keyed(elem, labels, e, path, map[string]labelled{}, &out) && ok
			continue
		}
		x, good := d.value(elem, e, join(path, fmt.Sprint(len(out))))
		ok = ok && good
		out = append(out, x)
	}
	return out, ok
}

// structure decodes a struct: a reference, labelled blocks, or fields.
func (d *decoder) structure(t *schema.Type, v cue.Value, path string) (any, bool) {
	if ref, is, ok := d.reference(v); is {
		return ref, ok
	}
	if t != nil && len(t.Labels) > 0 {
		switch t.Op {
		case schema.List:
			out := []any{}
			ok := d.keyed(t.Elem, t.Labels, v, path, map[string]labelled{}, &out)
			return out, ok
		case schema.Struct, schema.Union:
			if !explicit(v, t.Labels) {
				return d.single(t, v, path)
			}
		}
	}
	if t != nil && t.Tag != "" {
		tag, _ := v.LookupPath(cue.MakePath(cue.Str(t.Tag))).String()
		t = t.Arm(tag)
	}
	return d.fields(t, v, path)
}

func (d *decoder) fields(t *schema.Type, v cue.Value, path string) (any, bool) {
	it, err := v.Fields()
	if err != nil {
		return nil, d.broken(t, v, path)
	}
	out, ok := map[string]any{}, true
	for it.Next() {
		name := labelText(it)
		var ft *schema.Type
		if t != nil && t.Op == schema.Map {
			ft = t.Elem
		} else if t != nil {
			if f := t.Field(name); f != nil {
				ft = f.Type
			}
		}
		x, good := d.value(ft, it.Value(), join(path, name))
		ok = ok && good
		if good && x != nil {
			out[name] = x
		}
	}
	return out, ok
}

// reference decodes the structs that stand for references and sensitive values.
func (d *decoder) reference(v cue.Value) (out any, is, ok bool) {
	if s, err := v.LookupPath(secretPath).String(); err == nil {
		return value.Secret{Value: d.req.Vars[s]}, true, true
	}
	to, err := v.LookupPath(refPath).String()
	if err != nil {
		return nil, false, false
	}
	typ, err := v.LookupPath(typePath).String()
	if err != nil {
		return nil, false, false
	}
	if key, err := v.LookupPath(keyPath).String(); err == nil {
		if i := strings.LastIndexByte(to, '.'); i >= 0 {
			to = to[:i] + "[" + fmt.Sprintf("%q", key) + "]" + to[i:]
		}
	}
	r := value.Ref{To: to, Type: typ}
	if abs, _ := v.LookupPath(absolutePath).Bool(); !abs {
		r.To = Relative + to
	}
	return r, true, true
}

// Relative stands in front of a reference to a block of the same module.
const Relative = "\x00"

var (
	refPath      = cue.MakePath(cue.Str(refField))
	keyPath      = cue.MakePath(cue.Str(keyField))
	absolutePath = cue.MakePath(cue.Str(absoluteField))
	secretPath   = cue.MakePath(cue.Str(secretField))
	typePath     = cue.ParsePath("type")
)

// broken reports why a value is none, at the deepest places; it returns false.
func (d *decoder) broken(t *schema.Type, v cue.Value, path string) bool {
	before := len(d.problems)
	if v.Err() != nil {
		if it, err := v.Fields(); err == nil {
			for it.Next() {
				d.value(nil, it.Value(), join(path, labelText(it)))
			}
		} else if it, err := v.List(); err == nil {
			for n := 0; it.Next(); n++ {
				d.value(nil, it.Value(), join(path, fmt.Sprint(n)))
			}
		}
		if len(d.problems) == before {
			d.reportErrors(v)
		}
		return false
	}
	d.report(v, "incomplete-value", "Incomplete value", fmt.Sprintf("%s is %s, which is not one value yet. Give it one.", nameOf(path), strings.Join(strings.Fields(fmt.Sprint(v)), " ")))
	return false
}

func nameOf(path string) string {
	if path == "" {
		return "This"
	}
	return fmt.Sprintf("%q", path[strings.LastIndexByte(path, '.')+1:])
}

// report adds a problem at a value.
func (d *decoder) report(v cue.Value, code, summary, detail string) {
	rng, ok := d.pkg.valueRange(v, false)
	if !ok {
		rng = d.pkg.files[0].point(0)
	}
	d.add(Problem{Code: code, Range: rng, Summary: summary, Detail: detail})
}

func (d *decoder) add(p Problem) {
	p.Address = d.address
	key := p.Range.String() + p.Code + p.Detail
	if d.seen[key] {
		return
	}
	d.seen[key] = true
	d.problems = append(d.problems, p)
}

// reportErrors reports why a value is broken. The arms of a disjunction that all fail make one problem.
func (d *decoder) reportErrors(v cue.Value) {
	all := errors.Errors(v.Err())
	before := len(d.problems)
	defer func() {
		for i := before; i < len(d.problems); i++ {
			d.problems[i].Elsewhere = len(all) > 0 && d.elsewhere(all[0], v)
		}
	}()
	var found string
	var allowed []string
	rng, placed := hcl.Range{}, false
	for _, e := range all {
		format, args := e.Msg()
		if strings.HasPrefix(format, "conflicting values %s and %s") && len(args) >= 2 {
			a, b := fmt.Sprint(args[0]), fmt.Sprint(args[1])
			if found != "" && found != a && found != b && len(allowed) == 1 {
				found, allowed[0] = allowed[0], found
			}
			if found == a {
				a, b = b, a
			}
			found = b
			allowed = append(allowed, a)
		}
		if !placed {
			rng, placed = d.pkg.rangeOf(e)
		}
	}
	if !slices.ContainsFunc(all, func(e errors.Error) bool { return strings.Contains(message(e), "empty disjunction") }) || found == "" || !placed {
		for _, e := range all {
			d.reportError(e, v)
		}
		return
	}
	slices.Sort(allowed)
	near := schema.Nearest(found, allowed)
	detail := fmt.Sprintf("%s is not allowed here. ", found)
	if near != "" {
		detail += fmt.Sprintf("Did you mean %s? ", near)
	}
	d.add(Problem{Code: "not-allowed", Range: rng, Summary: "Value not allowed", Detail: detail + "Allowed are " + strings.Join(slices.Compact(allowed), ", ") + ".", Suggestion: near})
}

// elsewhere reports that an error is of a block that a value refers to.
func (d *decoder) elsewhere(e errors.Error, v cue.Value) bool {
	at := e.Path()
	if len(at) == 0 || !slices.Contains(d.req.Families, at[0]) {
		return false
	}
	own := v.Path().Selectors()
	for i, sel := range own {
		if i >= len(at) || strings.Trim(sel.String(), `"`) != strings.Trim(at[i], `"`) {
			return true
		}
	}
	return false
}

// reportError puts an evaluation error of CUE into words of ours.
func (d *decoder) reportError(e errors.Error, v cue.Value) {
	rng, ok := d.pkg.rangeOf(e)
	if !ok {
		if rng, ok = d.pkg.valueRange(v, false); !ok {
			rng = d.pkg.files[0].point(0)
		}
	}
	format, args := e.Msg()
	p := Problem{Code: "expression", Range: rng, Summary: "Invalid expression", Detail: sentence(message(e))}
	switch {
	case strings.HasPrefix(format, "undefined field"), strings.HasPrefix(format, "cannot reference optional field"):
		if d.undefined(&p, fmt.Sprint(args...)) {
			return
		}
	case strings.HasPrefix(format, "conflicting values"):
		p.Code, p.Summary = "conflict", "Conflicting values"
		if all := d.pkg.places(e); len(all) > 1 {
			p.Detail = strings.TrimSuffix(p.Detail, ".") + fmt.Sprintf(", the other at %s:%d.", all[1].Filename, all[1].Start.Line)
		}
		p.Detail += " One field has one value: remove one of the two."
	case format == "field not allowed":
		p.Code, p.Summary = "unknown-attribute", "Unknown attribute"
		p.Detail = fmt.Sprintf("There is no attribute %q in the definition that this is unified with.", last(e.Path()))
	case strings.Contains(format, "cycle"):
		if d.cycle != "" && d.cycle == d.address {
			return // the same cycle, seen from another of its fields
		}
		d.cycle = d.address
		p.Code, p.Summary = "cycle", "Cycle"
		p.Detail = "This needs its own value: " + strings.TrimSuffix(message(e), ".") + ". Break the cycle."
	case strings.Contains(message(e), `{"$ref"`) || strings.Contains(message(e), "{$ref:"):
		p.Detail = "A reference can be passed on, put into lists and chosen between, and nothing else: it is no text and no number."
	}
	d.add(p)
}

// undefined words a reference to something that is not there; it returns true when that is to be left out, for what it
// refers to is broken itself.
func (d *decoder) undefined(p *Problem, name string) bool {
	s, n := d.pkg.selectorAt(p.Range)
	p.Code, p.Summary = "unknown-name", "Unknown name"
	if n < 0 {
		p.Detail = fmt.Sprintf("There is no field %q.", name)
		return false
	}
	root, parts := s.parts[0], s.parts
	if n == 0 && len(parts) > 1 { // there is nothing at all under this root
		n = 1
		if slices.Contains(d.req.Families, root) {
			n = min(2, len(parts)-1)
		}
	}
	p.Range = s.file.node(s.ends[n])
	switch {
	case root == "var":
		d.unknown(p, "unknown-variable", "Unknown variable", "variable", parts[1], d.names("var"))
	case root == "module" && n == 1:
		d.unknown(p, "unknown-module", "Unknown module", "module", parts[1], d.names("module"))
	case root == "module":
		p.Code, p.Summary = "unknown-output", "Unknown output"
		p.Detail = fmt.Sprintf("module.%s has no output %q.", parts[1], parts[n])
	case slices.Contains(d.req.Families, root) && n <= 2 && len(parts) > 2:
		p.Range = s.file.span(s.ends[0].Pos().Offset(), s.ends[2].End().Offset())
		d.unknown(p, "unknown-block", "Reference to nothing", "block", strings.Join(parts[:3], "."), d.blockNames())
	case slices.Contains(d.req.Families, root) && n == 3:
		p.Code, p.Summary = "unknown-output", "Unknown output or attribute"
		names := d.outputsOf(parts[0] + "." + parts[1])
		near := schema.Nearest(parts[3], names)
		p.Suggestion = near
		p.Detail = fmt.Sprintf("%s has no output or attribute %q. ", strings.Join(parts[:3], "."), parts[3])
		if near != "" {
			p.Detail += fmt.Sprintf("Did you mean %q?", near)
		} else {
			p.Detail += "There are " + schema.Words(names) + "."
		}
	default:
		p.Detail = fmt.Sprintf("%s has no field %q.", strings.Join(parts[:n], "."), parts[n])
	}
	return false
}

func (d *decoder) unknown(p *Problem, code, summary, what, name string, exist []string) {
	near := schema.Nearest(name, exist)
	p.Code, p.Summary, p.Suggestion = code, summary, near
	p.Detail = fmt.Sprintf("There is no %s %q. ", what, name)
	if near != "" {
		p.Detail += fmt.Sprintf("Did you mean %q?", near)
	} else {
		p.Detail += fmt.Sprintf("There are %s.", schema.Words(exist))
	}
}

func (d *decoder) names(top string) []string {
	names := topLevel(d.root.LookupPath(cue.MakePath(cue.Str(top))))
	slices.Sort(names)
	return names
}

func (d *decoder) outputsOf(kind string) []string {
	k := d.kinds[kind]
	if k == nil {
		return nil
	}
	var names []string
	for _, o := range k.Outputs {
		names = append(names, o.Name)
	}
	for _, f := range k.Struct.Fields {
		names = append(names, f.Name)
	}
	slices.Sort(names)
	return names
}

// blockNames lists family.type.name of all blocks.
func (d *decoder) blockNames() []string {
	var out []string
	for _, family := range d.req.Families {
		fv := d.root.LookupPath(cue.MakePath(cue.Str(family)))
		for _, typ := range topLevel(fv) {
			for _, name := range topLevel(fv.LookupPath(cue.MakePath(cue.Str(typ)))) {
				out = append(out, family+"."+typ+"."+name)
			}
		}
	}
	return out
}

// selectorAt finds the selector of which a part begins at a range, and the number of the part; -1 when there is none.
func (p *Package) selectorAt(rng hcl.Range) (selector, int) {
	for _, f := range p.files {
		if f.name != rng.Filename {
			continue
		}
		for _, s := range selectors(f) {
			for n, e := range s.ends {
				if e.Pos().IsValid() && e.Pos().Offset() == rng.Start.Byte && len(s.ends) > 1 {
					s.file = f
					return s, n
				}
			}
		}
	}
	return selector{}, -1
}

func last(path []string) string {
	if len(path) == 0 {
		return ""
	}
	return path[len(path)-1]
}
