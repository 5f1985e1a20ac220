package cuefile

import (
	"fmt"

	"cuelang.org/go/cue"

	"mbuild.dev/mbuild/lang/schema"
)

// labelled is the key that stands for a label, and the value under it.
type labelled struct {
	text string
	v    cue.Value
}

// explicit reports that a struct writes its labels as fields: {type: "dense", name: "hidden", units: 64}.
func explicit(v cue.Value, labels []string) bool {
	f := v.LookupPath(cue.MakePath(cue.Str(labels[0])))
	return f.Exists() && f.IncompleteKind() == cue.StringKind
}

// keyed decodes blocks whose labels are keys, {dense: hidden: {units: 64}}, and appends one element a block.
func (d *decoder) keyed(elem *schema.Type, labels []string, v cue.Value, path string, outer map[string]labelled, out *[]any) bool {
	it, err := v.Fields()
	if err != nil {
		return d.broken(nil, v, path)
	}
	ok := true
	for it.Next() {
		here := map[string]labelled{labels[0]: {labelText(it), it.Value()}}
		for k, l := range outer {
			here[k] = l
		}
		if len(labels) > 1 && it.Value().IncompleteKind() == cue.StructKind {
			ok = d.keyed(elem, labels[1:], it.Value(), path, here, out) && ok
			continue
		}
		x, good := d.element(elem, it.Value(), join(path, fmt.Sprint(len(*out))), here)
		ok = ok && good
		*out = append(*out, x)
	}
	return ok
}

// single decodes one block whose label is its only key: optimizer: adamw: {lr: 0.001}.
func (d *decoder) single(t *schema.Type, v cue.Value, path string) (any, bool) {
	it, err := v.Fields()
	if err != nil {
		return nil, d.broken(t, v, path)
	}
	if !it.Next() {
		return map[string]any{}, true
	}
	name, inner := labelText(it), it.Value()
	if it.Next() {
		d.report(v, "duplicate", "Duplicate block", fmt.Sprintf("There may be one block here, but there are %q and %q.", name, labelText(it)))
		return nil, false
	}
	return d.element(t, inner, path, map[string]labelled{t.Labels[0]: {name, inner}})
}

// element decodes the body of a labelled block and adds its labels as fields.
func (d *decoder) element(t *schema.Type, v cue.Value, path string, labels map[string]labelled) (any, bool) {
	d.record(path, v, false)
	arm := t
	if t != nil && t.Tag != "" {
		arm = t.Arm(labels[t.Tag].text)
	}
	if v.IncompleteKind() != cue.StructKind {
		x, ok := d.value(nil, v, path)
		if !ok {
			return nil, false
		}
		d.report(v, "wrong-type", "Wrong type", fmt.Sprintf("A block is needed here, but this is %s.", schema.DescribeValue(x)))
		return nil, false
	}
	x, ok := d.fields(arm, v, path)
	m, _ := x.(map[string]any)
	if m == nil {
		return x, ok
	}
	for name, l := range labels {
		m[name] = l.text
		d.record(join(path, name), l.v, true)
	}
	return m, ok
}
