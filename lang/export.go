package lang

import (
	"fmt"
	"strings"

	"mbuild.dev/mbuild/lang/schema"
)

// SchemaCUE is the source of the CUE package mbuild.dev/std/schema: a definition for each kind, #TrainSupervised for
// `train supervised`, that blocks can be unified with.
func SchemaCUE(kinds Catalog) []byte {
	var b strings.Builder
	b.WriteString("// Package schema has a definition for each kind of block.\npackage schema\n")
	for _, family := range Families {
		for _, typ := range kinds.Types(family) {
			k := kinds.Kind(family, typ)
			fmt.Fprintf(&b, "\n%s#%s: {\n", comment(k.Doc, ""), DefinitionName(family, typ))
			schema.WriteCUE(&b, k.Struct, "\t")
			for _, o := range kinds.Outputs(family, typ) {
				fmt.Fprintf(&b, "\t// Output.\n\t%s?: _\n", o.Name)
			}
			b.WriteString("\tenabled?: bool\n\ttags?: [...string]\n\tdepends_on?: [...string]\n\ttimeout?: string\n\tretries?: int\n\tbackend?: string\n}\n")
		}
	}
	return []byte(b.String())
}

// DefinitionName is the name of a kind's definition in CUE, without its number sign.
func DefinitionName(family, typ string) string {
	var b strings.Builder
	for _, part := range strings.Split(family+"_"+typ, "_") {
		if part != "" {
			b.WriteString(strings.ToUpper(part[:1]) + part[1:])
		}
	}
	return b.String()
}

func comment(doc, indent string) string {
	if doc == "" {
		return ""
	}
	var b strings.Builder
	for _, line := range strings.Split(strings.TrimSpace(doc), "\n") {
		b.WriteString(strings.TrimRight(indent+"// "+line, " ") + "\n")
	}
	return b.String()
}

// requiredAttributes lists what a block must say as attributes: for a nested block that is required, a dynamic one may stand.
func requiredAttributes(t *schema.Type) []any {
	var names []any
	for _, f := range t.Fields {
		if nested, _ := f.Type.Nested(); f.Required && !nested {
			names = append(names, f.Name)
		}
	}
	return names
}

// SchemaJSON is a JSON Schema (2020-12) of specs in HCL's JSON syntax.
func SchemaJSON(kinds Catalog) map[string]any {
	anything := map[string]any{}
	named := func(body map[string]any) map[string]any {
		return map[string]any{"type": "object", "additionalProperties": body}
	}
	props := map[string]any{
		"//": anything, "mbuild": map[string]any{"type": "object", "properties": map[string]any{"required_version": map[string]any{"type": "string"}, "backend": map[string]any{"type": "string"}}, "additionalProperties": false},
		"locals": map[string]any{"type": "object"},
		"variable": named(map[string]any{"type": "object", "properties": map[string]any{"type": map[string]any{"type": "string"}, "default": anything, "description": map[string]any{"type": "string"},
			"sensitive": map[string]any{"type": "boolean"}, "nullable": map[string]any{"type": "boolean"}, "validation": anything, "//": anything}, "additionalProperties": false}),
		"output": named(map[string]any{"type": "object", "properties": map[string]any{"value": anything, "description": map[string]any{"type": "string"}, "//": anything}, "required": []any{"value"}, "additionalProperties": false}),
		"check":  named(map[string]any{"type": "object", "properties": map[string]any{"condition": anything, "error_message": anything, "//": anything}, "required": []any{"condition", "error_message"}, "additionalProperties": false}),
		"module": named(map[string]any{"type": "object", "properties": map[string]any{"source": map[string]any{"type": "string"}}, "required": []any{"source"}}),
	}
	defs := map[string]any{}
	for _, family := range Families {
		types := map[string]any{"//": anything}
		for _, typ := range kinds.Types(family) {
			k := kinds.Kind(family, typ)
			body := schema.JSON(k.Struct)
			body["description"] = k.Doc
			fields := body["properties"].(map[string]any)
			for _, m := range append(meta, "dynamic") {
				fields[m] = anything
			}
			if r := requiredAttributes(k.Struct); len(r) > 0 {
				body["required"] = r
			} else {
				delete(body, "required")
			}
			name := family + "." + typ
			defs[name] = body
			types[typ] = named(map[string]any{"$ref": "#/$defs/" + name})
		}
		props[family] = map[string]any{"type": "object", "properties": types, "additionalProperties": false}
	}
	return map[string]any{"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "mbuild spec", "type": "object",
		"properties": props, "additionalProperties": false, "$defs": defs}
}
