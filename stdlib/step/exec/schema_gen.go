// Code generated from schema.cue by lang/schema/gen. DO NOT EDIT.

package exec

import "mbuild.dev/mbuild/lang/schema"

// Schema is the table of step.exec.
var Schema = &schema.Kind{Family: "step", Type: "exec", Version: 2, Doc: "Runs a command in a sandbox: the way out for what no kind does. It sees its inputs, read-only, and the system's programs; no\nother file, no network, no environment but its own. What it leaves beside its outputs is an error. See docs/sandbox.md.", Struct: &schema.Type{Op: schema.Struct, Fields: []schema.Field{
	{Name: "command", Required: true, Type: &schema.Type{Op: schema.List, Doc: "Program and arguments, without a shell.", MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
	{Name: "inputs", Type: &schema.Type{Op: schema.Map, Doc: "What the command finds in its directory: from the path there to a path in the project, or to an output of a block.", Elem: &schema.Type{Op: schema.Union, Alts: []*schema.Type{
		&schema.Type{Op: schema.String},
		&schema.Type{Op: schema.Ref, RefTypes: []string{"file", "files", "artifact", "report", "graph", "model", "data", "history", "effect", "predictions"}},
	}}}},
	{Name: "outputs", Required: true, Type: &schema.Type{Op: schema.List, Doc: "Files that the command must leave in its directory, or directories with all that is in them; together they are the output.", MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
	{Name: "env", Type: &schema.Type{Op: schema.Map, Doc: "Environment; beside it the command sees PATH, HOME, TMPDIR, PWD, LANG, TZ and SOURCE_DATE_EPOCH, which are the same everywhere.", Sensitive: true, Elem: &schema.Type{Op: schema.String, Sensitive: true}}},
	{Name: "memory", Type: &schema.Type{Op: schema.String, Doc: "Most memory that it may use, all its processes and files in memory together: \"512MB\", \"4GB\". A limit is not part of what\nthe block means: to change one builds nothing again.", Pattern: "^[0-9]+(MB|GB)$"}},
	{Name: "processes", Type: &schema.Type{Op: schema.Int, Doc: "Most processes and threads at a time; 4096 when absent.", Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1e+06, Exclusive: false}}},
	{Name: "cpus", Type: &schema.Type{Op: schema.Int, Doc: "Processors that it may run on, and slots of the apply that it takes; one slot and all processors when absent.", Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1024, Exclusive: false}}},
}}}
