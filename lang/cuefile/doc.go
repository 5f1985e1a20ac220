// Package cuefile evaluates the spec files of a module that are written in CUE, and gives their blocks as plain values: what
// the HCL frontend makes of HCL.
//
// It deliberately does not check blocks against their schemas, place modules or follow references: package lang does that for
// both syntaxes. CUE proper does the evaluation; what is added to the user's files is a prelude, generated from the kinds, in
// which outputs of blocks are concrete structs {"$ref", type}. So a reference is a value that survives unification,
// comprehensions, lists and let clauses.
//
// The nouns, in the order in which they appear:
//
//	File      one parsed file
//	Package   the files of a module
//	Request   the kinds, and the values of variables
//	Instance  a Package evaluated for a Request
//	Block     one artifact block: raw attributes, and where they were written
//	Problem   what is wrong, with a range in the user's files
//
// What HCL writes as labels of nested blocks, CUE writes as keys: optimizer: adamw: {…}, or a list of such where order
// counts: layer: [{dense: hidden: {units: 64}}, …]. The labels may as well stand as fields: {type: "adamw", …}. See label.go.
//
// Read next: instance.go, then decode.go.
package cuefile
