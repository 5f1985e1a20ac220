package cuefile

import (
	"fmt"
	"slices"

	"cuelang.org/go/cue"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"mbuild.dev/mbuild/lang/schema"
)

// Call is an instance of a `module: NAME: {source: …, inputs: {…}}`.
type Call struct {
	Name, Key string
	HasKey    bool
	Source    string
	Integrity string
	Version   bool
	Disabled  bool
	Range     hcl.Range // of the source
	Decl      hcl.Range

	v cue.Value
}

var callFields = []string{"source", "inputs", "version", "integrity", "enabled", "outputs", "for_each"}

// Calls lists the calls of modules. Their inputs are read with Inputs, once they are there.
func (i *Instance) Calls() ([]Call, []Problem) {
	d := i.decoder()
	var out []Call
	top := i.root.LookupPath(cue.MakePath(cue.Str("module")))
	if !top.Exists() {
		return nil, nil
	}
	it, err := top.Fields()
	if err != nil {
		d.broken(nil, top, "module")
		return nil, d.problems
	}
	for it.Next() {
		name := labelText(it)
		if !hclsyntax.ValidIdentifier(name) {
			d.addKey(it.Value(), Problem{Code: "bad-name", Summary: "Invalid name", Detail: fmt.Sprintf("%q is no name: use letters, digits, - and _, starting with a letter.", name)})
			continue
		}
		each := it.Value().LookupPath(cue.MakePath(cue.Str("for_each")))
		if !each.Exists() {
			out = d.call(out, Call{Name: name, v: it.Value()})
			continue
		}
		insts, err := each.Fields()
		if err != nil {
			d.broken(nil, each, "for_each")
			continue
		}
		for insts.Next() {
			out = d.call(out, Call{Name: name, Key: labelText(insts), HasKey: true, v: insts.Value()})
		}
	}
	return out, d.problems
}

func (d *decoder) call(out []Call, c Call) []Call {
	it, err := c.v.Fields()
	if err != nil {
		d.broken(nil, c.v, "")
		return out
	}
	c.Decl = d.declared(c.v)
	for it.Next() {
		name := labelText(it)
		if !slices.Contains(callFields, name) {
			near := schema.Nearest(name, callFields[:5])
			detail := fmt.Sprintf("There is no attribute %q in a module. ", name)
			if near != "" {
				detail += fmt.Sprintf("Did you mean %q? ", near)
			}
			d.addKey(it.Value(), Problem{Code: "unknown-attribute", Summary: "Unknown attribute", Suggestion: near,
				Detail: detail + "Allowed are " + schema.Words(callFields[:5]) + "; inputs of the module go into inputs: {…}."})
		}
	}
	src := c.v.LookupPath(cue.MakePath(cue.Str("source")))
	if c.Source, err = src.String(); err != nil {
		if src.Exists() {
			d.report(src, "not-literal", "Not a literal", "\"source\" of a module is a string that is known before anything is evaluated.")
		} else {
			d.addKey(c.v, Problem{Code: "missing-attribute", Summary: "Missing attribute", Detail: "\"source\" is required: a directory (\"./encoder\") or a module of mbuild (\"std/mlp\")."})
		}
		return out
	}
	c.Range = c.Decl
	if rng, ok := d.pkg.valueRange(src, false); ok {
		c.Range = rng
	}
	c.Integrity, _ = c.v.LookupPath(cue.MakePath(cue.Str("integrity"))).String()
	c.Version = c.v.LookupPath(cue.MakePath(cue.Str("version"))).Exists()
	if on, err := c.v.LookupPath(cue.MakePath(cue.Str("enabled"))).Bool(); err == nil && !on {
		c.Disabled = true
	}
	return append(out, c)
}

// InputsReady reports that all inputs of a call have values.
func (i *Instance) InputsReady(c Call) bool {
	in := i.again(c).LookupPath(cue.MakePath(cue.Str("inputs")))
	return !in.Exists() || in.Validate(cue.Concrete(true)) == nil
}

// again looks a call up in the present value of the instance.
func (i *Instance) again(c Call) cue.Value { return i.root.LookupPath(c.path()) }

func (c Call) path() cue.Path {
	if c.HasKey {
		return cue.MakePath(cue.Str("module"), cue.Str(c.Name), cue.Str("for_each"), cue.Str(c.Key))
	}
	return cue.MakePath(cue.Str("module"), cue.Str(c.Name))
}

// Input is a value that a call gives to a variable.
type Input struct {
	Value      any
	Range, Key hcl.Range
}

// Inputs decodes the inputs of a call.
func (i *Instance) Inputs(c Call) (map[string]Input, []Problem) {
	d := i.decoder()
	out := map[string]Input{}
	in := i.again(c).LookupPath(cue.MakePath(cue.Str("inputs")))
	if !in.Exists() {
		return out, nil
	}
	it, err := in.Fields()
	if err != nil {
		d.broken(nil, in, "inputs")
		return out, d.problems
	}
	for it.Next() {
		x, ok := d.value(nil, it.Value(), labelText(it))
		if !ok {
			continue
		}
		v := Input{Value: x, Range: c.Decl, Key: c.Decl}
		if rng, ok := d.pkg.valueRange(it.Value(), false); ok {
			v.Range = rng
		}
		if rng, ok := d.pkg.valueRange(it.Value(), true); ok {
			v.Key = rng
		}
		out[labelText(it)] = v
	}
	return out, d.problems
}

// SetOutputs gives the outputs of a call to the expressions that read them.
func (i *Instance) SetOutputs(c Call, outputs map[string]any) {
	i.filled = append(i.filled, filled{c, outputs})
	i.root = i.root.FillPath(cue.MakePath(append(c.path().Selectors(), cue.Str("outputs"))...), plain(outputs))
}
