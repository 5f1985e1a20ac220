package schema

// JSON returns the JSON Schema (2020-12) of values of a type in HCL's JSON syntax. Any value may be a template there, a string
// that holds ${…}, and nested blocks are objects under their labels, or lists of such.
func JSON(t *Type) map[string]any {
	out := jsonType(t)
	if t.Doc != "" {
		out["description"] = t.Doc
	}
	return out
}

var template = map[string]any{"type": "string", "pattern": `\$\{`}

func orTemplate(s map[string]any) map[string]any { return map[string]any{"anyOf": []any{s, template}} }

func jsonType(t *Type) map[string]any {
	switch t.Op {
	case Bool, Int, Number, String:
		return jsonScalar(t)
	case Ref:
		return map[string]any{"type": "string", "pattern": `^\$\{.*\}$`}
	case List:
		if n, _ := t.Elem.Nested(); n {
			return labelled(t, t.Labels, t.Elem)
		}
		s := map[string]any{"type": "array", "items": JSON(t.Elem)}
		if t.MinItems > 0 {
			s["minItems"] = t.MinItems
		}
		return orTemplate(s)
	case Map:
		s := map[string]any{"type": "object", "additionalProperties": JSON(t.Elem)}
		if n, _ := t.Elem.Nested(); n {
			return s
		}
		return orTemplate(s)
	case Struct:
		return jsonStruct(t, nil)
	case Union:
		if t.Tag != "" {
			return labelled(t, t.Labels, t)
		}
		var alts []any
		for _, a := range t.Alts {
			alts = append(alts, JSON(a))
		}
		return map[string]any{"anyOf": alts}
	}
	return map[string]any{}
}

func jsonScalar(t *Type) map[string]any {
	s := map[string]any{"type": map[Op]string{Bool: "boolean", Int: "integer", Number: "number", String: "string"}[t.Op]}
	if t.Min != nil {
		s[map[bool]string{true: "exclusiveMinimum", false: "minimum"}[t.Min.Exclusive]] = t.Min.Value
	}
	if t.Max != nil {
		s[map[bool]string{true: "exclusiveMaximum", false: "maximum"}[t.Max.Exclusive]] = t.Max.Value
	}
	if t.Pattern != "" {
		s["pattern"] = t.Pattern
	}
	if t.Enum != nil {
		s["enum"] = t.Enum
	}
	return orTemplate(s)
}

// jsonStruct is an object with the fields of a struct but those that are written as labels.
func jsonStruct(t *Type, labels []string) map[string]any {
	props, required := map[string]any{"//": map[string]any{}}, []any{}
	isLabel := map[string]bool{}
	for _, l := range labels {
		isLabel[l] = true
	}
	for _, f := range t.Fields {
		if isLabel[f.Name] {
			continue
		}
		p := JSON(f.Type)
		if f.Default != nil {
			p["default"] = f.Default
		}
		props[f.Name] = p
		if f.Required {
			required = append(required, f.Name)
		}
	}
	s := map[string]any{"type": "object", "properties": props, "additionalProperties": false}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

// labelled nests a body under its labels; at each level a list repeats it.
func labelled(t *Type, labels []string, elem *Type) map[string]any {
	if len(labels) == 0 {
		return repeat(t, jsonStruct(elem, nil))
	}
	all := t.Labels
	level := map[string]any{"type": "object"}
	inner := func(e *Type) map[string]any {
		if len(labels) == 1 {
			return repeat(t, jsonStruct(e, all))
		}
		return labelled(t, labels[1:], e)
	}
	if elem.Tag == labels[0] {
		props := map[string]any{"//": map[string]any{}}
		for _, tag := range elem.Tags() {
			props[tag] = inner(elem.Arm(tag))
		}
		level["properties"], level["additionalProperties"] = props, false
	} else {
		level["additionalProperties"] = inner(elem)
	}
	return repeat(t, level)
}

func repeat(t *Type, s map[string]any) map[string]any {
	if t.Op != List {
		return s
	}
	return map[string]any{"anyOf": []any{s, map[string]any{"type": "array", "items": s}}}
}
