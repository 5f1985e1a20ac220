// Code generated from schema.cue by lang/schema/gen. DO NOT EDIT.

package index

import "mbuild.dev/mbuild/lang/schema"

// Schema is the table of target.index.
var Schema = &schema.Kind{Family: "target", Type: "index", Version: 2, Doc: "An index to search in by the cosine: the vector that a model gives each row of a dataset, brought to length 1, in vectors.safetensors (vectors, [rows, width], F32), and the texts of the rows, in the same order, an object a line, in rows.jsonl.", Struct: &schema.Type{Op: schema.Struct, Fields: []schema.Field{
	{Name: "from", Required: true, Type: &schema.Type{Op: schema.Ref, RefTypes: []string{"model"}}},
	{Name: "data", Required: true, Type: &schema.Type{Op: schema.Ref, Doc: "Rows of the index: all splits, one after the other as the dataset has them.", RefTypes: []string{"data"}}},
	{Name: "output", Type: &schema.Type{Op: schema.String, Doc: "Layer whose vectors are taken; the model's output when absent. Of a model of two towers, the last of the tower that data is for; the other tower is left out."}},
	{Name: "gates", Type: &schema.Type{Op: schema.List, Doc: "Reports all of whose gates must have passed before the directory is written.", Elem: &schema.Type{Op: schema.Ref, RefTypes: []string{"report"}}}},
	{Name: "path", Required: true, Type: &schema.Type{Op: schema.String, Doc: "Where the directory goes, relative to the spec and inside its directory."}},
}}}
