// Package planner turns a lang.Spec into a Plan: which actions exist, which of them the store already answers, which must
// run, and why.
//
// What it deliberately does not know: what any action computes. A kind (dataset, train, pass, …) is a row of a Table; the
// planner asks the row to lower a block to actions and treats their parameters as opaque canonical JSON. It does not run
// anything either: package executor does.
//
// The nouns, in the order in which they appear:
//
//	Kind      the static half of a block kind: schema, outputs, determinism class, Lower
//	Lowering  what Lower sees of one block, and where it emits actions
//	Action    one unit of work: kind, verb, parameters, inputs, outputs. Its Encode is the preimage of its key
//	Graph     all actions of a Spec in topological order, with the artifacts and gates they serve
//	Snapshot  the digests of the source files the graph reads, through a stat cache
//	Plan      a Step (status, key, result, reasons) for each action, and the same summed up for each block
//
// The invariant: a key is a pure function of what an action means. Paths, block names, times, hosts and flags never enter
// Encode, and there is no second way to compute a key: the executor calls the same function with the digests that came out
// of the run. Gates and depends_on are edges that order and permit; they are no inputs and so in no key.
//
// Read next: action.go (Encode), walk.go (how statuses come about), then package executor.
package planner
