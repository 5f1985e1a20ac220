// Code generated from schema.cue by lang/schema/gen. DO NOT EDIT.

package cast

import "mbuild.dev/mbuild/lang/schema"

// Schema is the table of pass.cast.
var Schema = &schema.Kind{Family: "pass", Type: "cast", Version: 1, Doc: "Stores float parameters in 16 bits; computation stays in float32.", Struct: &schema.Type{Op: schema.Struct, Fields: []schema.Field{
	{Name: "from", Required: true, Type: &schema.Type{Op: schema.Ref, RefTypes: []string{"model"}}},
	{Name: "dtype", Required: true, Type: &schema.Type{Op: schema.String, Enum: []any{"float16", "bfloat16"}}},
}}}
