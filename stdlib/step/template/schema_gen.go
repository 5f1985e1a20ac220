// Code generated from schema.cue by lang/schema/gen. DO NOT EDIT.

package template

import "mbuild.dev/mbuild/lang/schema"

// Schema is the table of step.template.
var Schema = &schema.Kind{Family: "step", Type: "template", Version: 1, Doc: "Renders a text file from a template, values and other files, inside the process.", Struct: &schema.Type{Op: schema.Struct, Fields: []schema.Field{
	{Name: "template", Required: true, Type: &schema.Type{Op: schema.String, Doc: "Go text/template. .values holds the values, .inputs the text of each input, .digests their digests."}},
	{Name: "inputs", Type: &schema.Type{Op: schema.Map, Doc: "Texts that the template reads: files of the project, or outputs of blocks that are one file.", Elem: &schema.Type{Op: schema.Union, Alts: []*schema.Type{
		&schema.Type{Op: schema.String},
		&schema.Type{Op: schema.Ref, RefTypes: []string{"file", "artifact", "report", "graph", "history", "effect", "predictions"}},
	}}}},
	{Name: "values", Type: &schema.Type{Op: schema.Map, Doc: "Values that the template reads.", Elem: &schema.Type{Op: schema.Any}}},
}}}
