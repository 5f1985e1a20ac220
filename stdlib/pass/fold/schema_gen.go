// Code generated from schema.cue by lang/schema/gen. DO NOT EDIT.

package fold

import "mbuild.dev/mbuild/lang/schema"

// Schema is the table of pass.fold.
var Schema = &schema.Kind{Family: "pass", Type: "fold", Version: 1, Doc: "Multiplies batch normalisation into the layer before it, which then does both in one.", Struct: &schema.Type{Op: schema.Struct, Fields: []schema.Field{
	{Name: "from", Required: true, Type: &schema.Type{Op: schema.Ref, RefTypes: []string{"model"}}},
}}}
