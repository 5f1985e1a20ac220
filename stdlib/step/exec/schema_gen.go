// Code generated from schema.cue by lang/schema/gen. DO NOT EDIT.

package exec

import "mbuild.dev/mbuild/lang/schema"

// Schema is the table of step.exec.
var Schema = &schema.Kind{Family: "step", Type: "exec", Version: 2, Doc: "Runs a command in a private directory with a cleared environment: the way out for what no kind does.", Struct: &schema.Type{Op: schema.Struct, Fields: []schema.Field{
	{Name: "command", Required: true, Type: &schema.Type{Op: schema.List, Doc: "Program and arguments, without a shell.", MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
	{Name: "inputs", Type: &schema.Type{Op: schema.Map, Doc: "What the command finds in its directory: from the path there to a path in the project, or to an output of a block.", Elem: &schema.Type{Op: schema.Union, Alts: []*schema.Type{
		&schema.Type{Op: schema.String},
		&schema.Type{Op: schema.Ref, RefTypes: []string{"file", "files", "artifact", "report", "graph", "model", "data", "history", "effect", "predictions"}},
	}}}},
	{Name: "outputs", Required: true, Type: &schema.Type{Op: schema.List, Doc: "Files that the command must leave in its directory; together they are the output.", MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
	{Name: "env", Type: &schema.Type{Op: schema.Map, Doc: "Environment; beside it the command sees PATH and HOME only.", Sensitive: true, Elem: &schema.Type{Op: schema.String, Sensitive: true}}},
}}}
