// Package executor carries out a planner.Plan: it runs what is missing, stores what came out by digest, and writes the
// artifacts whose gates have passed.
//
// What it deliberately does not know: languages, schemas, machine learning. A Kind adds a Run for each verb to the
// planner's static half; a Run sees a Job (parameters, input paths, output paths, a log, a progress function) and nothing
// else of the program.
//
// The nouns, in the order in which they appear:
//
//	Kind     planner.Kind plus what runs
//	Job      what a Run sees of one action
//	State    where an action is in its life; one enum, one table of legal moves (state.go)
//	Apply    the state machine: one goroutine owns every State (apply.go)
//	Event    what the machine tells; views, JSON lines and tests consume this one stream
//	worker   a persistent subprocess of the same binary in which kinds that compute run (package executor/worker)
//
// The invariant: a result is recorded only after its blobs and then its preimage are in the store, and a failure is never
// recorded. So whatever instant the process dies at, the next apply goes on from the last finished action.
//
// Read next: apply.go, then run.go (the life of one action).
package executor
