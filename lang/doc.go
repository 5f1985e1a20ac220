// Package lang turns the spec files of a directory into a Spec: every block evaluated, defaults filled in, checked against its
// schema, in one normal form whatever syntax it was written in.
//
// It deliberately does not know what any block means, what is built or cached, or that blocks become actions. What block types
// there are, it is told by a Catalog.
//
// The nouns, in the order in which they appear:
//
//	Request   a directory, a Catalog, and where values of variables come from
//	source    the parsed files of a module, in HCL, HCL's JSON or CUE (source.go, json.go; CUE in package cuefile)
//	part      a module in its place: the root, or an instance of a call; module for HCL, cueModule for CUE (module.go, cue.go)
//	scope     what an expression of HCL may see; values are made on demand, each once, and cycles are reported (scope.go)
//	Block     one artifact block after for_each and count, its attributes in normal form (block.go, body.go)
//	Ref       a reference from a Block to an output of another
//	Spec      all Blocks in address order, and what was read to make them: as long as Reads are the same, it comes from a cache
//
// The invariant: the Spec depends on what the files mean, not on how they are written, split or ordered. Every problem is an
// hcl.Diagnostic with a range, a code, what was found, what is allowed and what to do; one cause gives one diagnostic.
//
// Read next: load.go, then lang/value and lang/schema.
package lang
