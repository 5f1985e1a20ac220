package cuefile

import (
	"fmt"
	"slices"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/errors"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"mbuild.dev/mbuild/lang/schema"
)

// Block is one artifact block.
type Block struct {
	Family, Type, Name string
	Key                string // of the instance, where HasKey
	HasKey             bool
	Raw                map[string]any // attributes but those that every block may have
	DependsOn          []string       // addresses, as written
	Tags               []string
	Disabled           bool
	Limits             map[string]any // timeout, retries and backend, as written

	in *Instance
	v  cue.Value
}

// Decl is the place of the block's label.
func (b *Block) Decl() hcl.Range {
	if rng, ok := b.in.pkg.valueRange(b.v, true); ok {
		return rng
	}
	return b.in.pkg.files[0].point(0)
}

// meta are the attributes that every block may have.
var meta = []string{"for_each", "depends_on", "enabled", "tags", "timeout", "retries", "backend"}

// Blocks decodes all artifact blocks, in the order of the files, and reports what is not at its place.
func (i *Instance) Blocks(at func(hcl.Range)) ([]Block, []Problem) {
	d := i.decoder()
	var out []Block
	it, err := i.root.Fields()
	if err != nil {
		d.broken(nil, i.root, "")
		return nil, d.problems
	}
	allowed := append(slices.Clone(i.req.Families), "var", "output", "module", "mbuild")
	for it.Next() {
		name := labelText(it)
		switch {
		case slices.Contains(i.req.Families, name):
			out = append(out, d.family(name, it.Value(), at)...)
		case !slices.Contains(allowed, name):
			near := schema.Nearest(name, allowed)
			detail := fmt.Sprintf("There is no block %q. ", name)
			if near != "" {
				detail += fmt.Sprintf("Did you mean %q? ", near)
			}
			d.addKey(it.Value(), Problem{Code: "unknown-block", Summary: "Unknown block", Suggestion: near,
				Detail: detail + "Allowed are " + schema.Words(allowed) + ", and hidden fields such as _name for values of your own."})
		}
	}
	return out, here(d.problems)
}

// here leaves out problems whose cause is reported at its own place.
func here(problems []Problem) []Problem {
	own := slices.DeleteFunc(slices.Clone(problems), func(p Problem) bool { return p.Elsewhere })
	if len(own) > 0 {
		return own
	}
	return problems
}

// addKey adds a problem at the label of a value.
func (d *decoder) addKey(v cue.Value, p Problem) {
	rng, ok := d.pkg.valueRange(v, true)
	if !ok {
		rng = d.pkg.files[0].point(0)
	}
	p.Range = rng
	d.add(p)
}

func (d *decoder) family(family string, v cue.Value, at func(hcl.Range)) []Block {
	it, err := v.Fields()
	if err != nil {
		d.broken(nil, v, family)
		return nil
	}
	var out []Block
	for it.Next() {
		typ := labelText(it)
		k := d.kinds[family+"."+typ]
		if k == nil {
			d.unknownType(family, typ, it.Value())
			continue
		}
		names, err := it.Value().Fields()
		if err != nil {
			d.broken(nil, it.Value(), family+"."+typ)
			continue
		}
		for names.Next() {
			out = append(out, d.named(k, labelText(names), names.Value(), at)...)
		}
	}
	return out
}

func (d *decoder) unknownType(family, typ string, v cue.Value) {
	var types []string
	for _, k := range d.req.Kinds {
		if k.Family == family {
			types = append(types, k.Type)
		}
	}
	slices.Sort(types)
	near := schema.Nearest(typ, types)
	detail := fmt.Sprintf("There is no %s type %q. ", family, typ)
	if near != "" {
		detail += fmt.Sprintf("Did you mean %q? ", near)
	}
	d.addKey(v, Problem{Code: "unknown-type", Summary: "Unknown block type", Detail: detail + "Allowed are " + schema.Words(types) + ".", Suggestion: near})
}

// named decodes a block, or the instances under its for_each.
func (d *decoder) named(k *Kind, name string, v cue.Value, at func(hcl.Range)) []Block {
	b := Block{Family: k.Family, Type: k.Type, Name: name, in: d.Instance, v: v}
	d.address = k.Family + "." + k.Type + "." + name
	defer func() { d.address = "" }()
	at(b.Decl())
	if !hclsyntax.ValidIdentifier(name) {
		d.addKey(v, Problem{Code: "bad-name", Summary: "Invalid name", Detail: fmt.Sprintf("%q is no name: use letters, digits, - and _, starting with a letter.", name)})
		return nil
	}
	if kind := v.IncompleteKind(); kind != cue.StructKind && kind != cue.BottomKind {
		d.report(v, "wrong-type", "Wrong type", fmt.Sprintf("%s is a block: write %s: %s: %s: {…}.", d.address, k.Family, k.Type, name))
		return nil
	}
	each := v.LookupPath(cue.MakePath(cue.Str("for_each")))
	if !each.Exists() && !d.declares(v, "for_each") {
		if d.body(k, &b) {
			return []Block{b}
		}
		return nil
	}
	it, err := each.Fields()
	if err != nil {
		d.notInstances(each)
		return nil
	}
	if d.besideForEach(k, v) {
		return nil
	}
	var out []Block
	for it.Next() {
		inst := b
		inst.Key, inst.HasKey, inst.v = labelText(it), true, it.Value()
		if !d.body(k, &inst) {
			return out // the same mistake would be reported for every instance
		}
		out = append(out, inst)
	}
	return out
}

// declares reports that a struct has a field, even one whose value is broken.
func (d *decoder) declares(v cue.Value, name string) bool {
	return v.Err() != nil && slices.Contains(topLevel(v), name)
}

// notInstances reports a for_each that is no struct. CUE's own words are of the prelude, unless the user's expression failed.
func (d *decoder) notInstances(each cue.Value) {
	for _, e := range errors.Errors(each.Err()) {
		if format, _ := e.Msg(); !strings.HasPrefix(format, "conflicting values") && !strings.HasPrefix(format, "cannot use value") {
			d.reportError(e, each)
			return
		}
	}
	rng := d.declared(each)
	d.add(Problem{Code: "wrong-type", Range: rng, Summary: "Wrong type", Detail: "for_each needs a struct whose fields are the blocks, by key: for_each: {a: {…}, b: {…}}."})
}

// besideForEach reports attributes that stand beside for_each instead of in it.
func (d *decoder) besideForEach(k *Kind, v cue.Value) (found bool) {
	it, err := v.Fields()
	if err != nil {
		return false
	}
	for it.Next() {
		name := labelText(it)
		if slices.Contains(meta, name) || slices.ContainsFunc(k.Outputs, func(o Output) bool { return o.Name == name }) {
			continue
		}
		if _, _, f := d.pkg.written(it.Value()); f == nil {
			continue
		}
		d.addKey(it.Value(), Problem{Code: "conflict", Summary: "Attribute beside for_each",
			Detail: fmt.Sprintf("Under for_each each instance is a whole block: write for_each: [string]: %s: … to give %q to all of them.", name, name)})
		found = true
	}
	return found
}

// declared is the place of a block's label.
func (d *decoder) declared(v cue.Value) hcl.Range {
	if rng, ok := d.pkg.valueRange(v, true); ok {
		return rng
	}
	return d.pkg.files[0].point(0)
}

// body decodes the attributes of a block.
func (d *decoder) body(k *Kind, b *Block) bool {
	it, err := b.v.Fields()
	if err != nil {
		return d.broken(nil, b.v, "")
	}
	b.Raw = map[string]any{}
	ok := true
	for it.Next() {
		name := labelText(it)
		if slices.Contains(meta, name) {
			ok = d.meta(b, name, it.Value()) && ok
			continue
		}
		if slices.ContainsFunc(k.Outputs, func(o Output) bool { return o.Name == name }) {
			if it.Value().Err() != nil {
				d.addKey(it.Value(), Problem{Code: "unknown-attribute", Summary: "Unknown attribute",
					Detail: fmt.Sprintf("%q is an output of the block, and cannot be set.", name)})
				ok = false
			}
			continue
		}
		var t *schema.Type
		if f := k.Struct.Field(name); f != nil {
			t = f.Type
		} else if name == "count" {
			d.addKey(it.Value(), Problem{Code: "unsupported", Summary: "No count in CUE",
				Detail: "CUE has comprehensions for that: for_each: {for i in list.Range(0, 3, 1) {\"\\(i)\": {…}}}."})
			return false
		}
		x, good := d.value(t, it.Value(), name)
		ok = ok && good
		if good && x != nil {
			b.Raw[name] = x
		}
	}
	return ok
}

func (d *decoder) meta(b *Block, name string, v cue.Value) bool {
	x, ok := d.value(nil, v, name)
	if !ok {
		return false
	}
	switch name {
	case "enabled":
		on, isBool := x.(bool)
		if !isBool {
			d.report(v, "wrong-type", "Wrong type", "enabled needs true or false.")
			return false
		}
		b.Disabled = !on
	case "timeout", "retries", "backend":
		if b.Limits == nil {
			b.Limits = map[string]any{}
		}
		b.Limits[name] = x
	case "tags", "depends_on":
		list, isList := x.([]any)
		var texts []string
		for _, e := range list {
			s, isString := e.(string)
			isList = isList && isString
			texts = append(texts, s)
		}
		if !isList {
			what := map[string]string{"tags": "strings", "depends_on": "addresses of blocks as strings: [\"train.supervised.base\", …]"}[name]
			d.report(v, "wrong-type", "Wrong type", name+" needs a list of "+what+".")
			return false
		}
		if name == "tags" {
			b.Tags = texts
		} else {
			b.DependsOn = texts
		}
	}
	return true
}

// RangeOf is the place of the attribute at a path of Raw: of its value, or of its name. Where the path leads to nothing that
// was written, it is the nearest thing around it.
func (b *Block) RangeOf(path string, onKey bool) hcl.Range {
	if path == "" {
		return b.Decl()
	}
	d := b.in.decoder()
	d.places = map[string]placed{}
	k := b.in.kinds[b.Family+"."+b.Type]
	again := *b
	d.body(k, &again)
	for _, m := range meta {
		d.record(m, b.v.LookupPath(cue.MakePath(cue.Str(m))), false)
	}
	for p := path; p != ""; {
		if at, ok := d.places[p]; ok {
			if rng, ok := b.in.pkg.valueRange(at.v, at.onKey || onKey && p == path); ok {
				return rng
			}
		}
		i := strings.LastIndexByte(p, '.')
		if i < 0 {
			break
		}
		p = p[:i]
	}
	return b.Decl()
}

// Variable is a variable after evaluation.
type Variable struct {
	Name  string
	Value any // in normal form
	Range hcl.Range
}

// VariableRange is where a variable is declared.
func (p *Package) VariableRange(name string) hcl.Range {
	rng := p.files[0].point(0)
	p.eachVariable(func(n string, f *ast.Field, in *File) {
		if n == name {
			rng = in.node(f.Label)
		}
	})
	return rng
}

// VariableNames lists the variables, sorted.
func (i *Instance) VariableNames() []string {
	d := i.decoder()
	return d.names("var")
}

// TakesText reports that a variable is declared to be a string, and nothing else.
func (i *Instance) TakesText(name string) bool {
	v := i.root.LookupPath(cue.MakePath(cue.Str("var"), cue.Str(name)))
	return v.IncompleteKind() == cue.StringKind
}

// Variables decodes the variables. A variable that has no value, or one that its declaration does not allow, is a problem.
func (i *Instance) Variables() ([]Variable, []Problem) {
	var out []Variable
	var problems []Problem
	for _, name := range i.VariableNames() {
		v := i.root.LookupPath(cue.MakePath(cue.Str("var"), cue.Str(name)))
		_, wasGiven := i.req.Vars[name]
		rng := i.pkg.VariableRange(name)
		d := i.decoder()
		x, ok := d.value(nil, v, name)
		if ok {
			out = append(out, Variable{Name: name, Value: x, Range: rng})
			continue
		}
		switch {
		case wasGiven && v.Err() != nil:
			problems = append(problems, Problem{Code: "validation", Range: rng, Variable: name, Summary: "Invalid value for variable",
				Detail: fmt.Sprintf("Variable %q: %s is not allowed; it must be %s.", name, schema.Show(i.req.Vars[name]), i.constraint(name))})
		case v.Err() != nil:
			problems = append(problems, d.problems...)
		default:
			problems = append(problems, Problem{Code: "no-value", Range: rng, Variable: name, Summary: "Variable without a value"})
		}
	}
	return out, problems
}

func (i *Instance) constraint(name string) string {
	text := "what its declaration says"
	i.pkg.eachVariable(func(n string, f *ast.Field, _ *File) {
		if n == name {
			text = constraintText(f)
		}
	})
	return text
}

// Result is an output of the package.
type Result struct {
	Name, Description string
	Value             any
	Range             hcl.Range
}

// OutputNames lists the outputs, sorted.
func (i *Instance) OutputNames() []string { return i.decoder().names("output") }

// Outputs decodes `output: NAME: {value: …, description: …}`.
func (i *Instance) Outputs() ([]Result, []Problem) {
	d := i.decoder()
	var out []Result
	for _, name := range d.names("output") {
		v := i.root.LookupPath(cue.MakePath(cue.Str("output"), cue.Str(name)))
		val := v.LookupPath(cue.MakePath(cue.Str("value")))
		if !val.Exists() && v.Err() == nil {
			d.addKey(v, Problem{Code: "missing-attribute", Summary: "Missing attribute", Detail: "\"value\" is required: what the output gives."})
			continue
		}
		r := Result{Name: name}
		it, err := v.Fields()
		if err != nil {
			d.broken(nil, v, name)
			continue
		}
		for it.Next() {
			switch label := labelText(it); label {
			case "value":
				r.Value, _ = d.value(nil, it.Value(), "value")
				r.Range = d.declared(it.Value())
			case "description":
				r.Description, _ = it.Value().String()
			default:
				d.addKey(it.Value(), Problem{Code: "unknown-attribute", Summary: "Unknown attribute",
					Detail: fmt.Sprintf("There is no attribute %q. There are %s.", label, schema.Words([]string{"value", "description"}))})
			}
		}
		out = append(out, r)
	}
	return out, d.problems
}

// Setting is one entry of `mbuild: {…}`.
type Setting struct {
	Value any
	Range hcl.Range
	Key   hcl.Range
}

// Settings decodes `mbuild: {…}`.
func (i *Instance) Settings() (map[string]Setting, []Problem) {
	d := i.decoder()
	out := map[string]Setting{}
	top := i.root.LookupPath(cue.MakePath(cue.Str("mbuild")))
	if !top.Exists() {
		return out, nil
	}
	it, err := top.Fields()
	if err != nil {
		d.broken(nil, top, "mbuild")
		return out, d.problems
	}
	for it.Next() {
		x, _ := d.value(nil, it.Value(), labelText(it))
		s := Setting{Value: x, Key: d.declared(it.Value())}
		s.Range = s.Key
		if rng, ok := d.pkg.valueRange(it.Value(), false); ok {
			s.Range = rng
		}
		out[labelText(it)] = s
	}
	return out, d.problems
}
