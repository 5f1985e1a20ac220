// Package runs keeps the records of applies in .mbuild/runs: what ran, when, why, on which slot, what it cost and how it ended.
// `mbuild log`, traces and estimates read them.
//
// What it deliberately does not know: the executor. Whoever applies tells a Writer what happened, in the nouns of this package.
//
// The nouns, in the order in which they appear:
//
//	Header    what was asked for: arguments, toolchain, spec, the phases of planning
//	Action    one execution: a built or failed action, or one that was skipped
//	End       how the apply ended; a record without one is of an apply that runs, or was killed
//	Run       a record that was read back
//	Writer    appends to a record while the apply goes on
//	Dir       the records of one project: bounded in number and size, the oldest go first
//	Costs     what kinds of actions cost, learned from apply to apply (planner.Costs)
//
// A record is one file, only ever appended to, in checksummed frames (codec.go): after a kill at any instant everything up to
// the last frame can be read, and frames follow each other at least every tenth of a second. Actions that were cached leave
// nothing but a count, so a record is as large as the work was: some 100 bytes an execution.
//
// The invariant: records explain, they never decide. Without any of them everything is built as it would be with them.
package runs

import (
	"time"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/planner"
)

// Header says what an apply was asked to do.
type Header struct {
	ID        string            `json:"id"`
	Started   time.Time         `json:"started"`
	Mbuild    string            `json:"mbuild"`
	Args      []string          `json:"args"` // without values of sensitive variables
	Toolchain planner.Toolchain `json:"toolchain"`
	Spec      string            `json:"spec"` // digest of what the spec means
	Jobs      int               `json:"jobs"`
	Planned   planner.Summary   `json:"planned"`
	Estimate  float64           `json:"estimate"` // seconds that the plan promised
	Phases    []Phase           `json:"phases"`
}

// Phase is a stretch of time before anything ran.
type Phase struct {
	Name    string  `json:"name"`
	Start   float64 `json:"start"` // seconds since Started
	Seconds float64 `json:"seconds"`
}

// State is how an execution ended.
type State byte

// The states. Running is one of records without an End only.
const (
	Built State = iota
	Failed
	Skipped
	Running
)

var stateNames = [...]string{"built", "failed", "skipped", "running"}

func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "unknown"
}

// Action is one execution.
type Action struct {
	Addr   string
	Kind   string // kind and verb: "train.supervised/segment"
	State  State
	Key    cache.Digest  // digest of the encoded action, zero for one that never had a key
	Start  time.Duration // since Header.Started
	Wall   time.Duration // in its slot, storing included
	Queue  time.Duration // ready to run, and no slot free
	CPU    time.Duration // 0 when not known
	Slot   int           // from 0
	Worker string
	Memory int64 // peak of the process it ran in, bytes; 0 when not known
	Store  int64 // bytes of its outputs
	Reason planner.Reason
	Log    cache.Digest // of what it printed; zero when it printed nothing
	Error  string       // of a failed action; of a skipped one, what it waited for
	Deps   []int        // executions of this run that it waited for: indices into Run.Actions
}

// Gate is what a gate decided.
type Gate struct {
	Block   string  `json:"block"`
	Metric  string  `json:"metric"`
	Bound   string  `json:"bound"`
	Limit   float64 `json:"limit"`
	Value   float64 `json:"value"`
	Verdict string  `json:"verdict"`
}

// Artifact is an artifact that is in place.
type Artifact struct {
	Block   string `json:"block"`
	Path    string `json:"path"`
	Digest  string `json:"digest"`
	Written bool   `json:"written"`
}

// End says how an apply ended.
type End struct {
	Seconds     float64    `json:"seconds"` // since Header.Started
	Built       int        `json:"built"`
	Cached      int        `json:"cached"`
	Failed      int        `json:"failed"`
	Skipped     int        `json:"skipped"`
	ExitCode    int        `json:"exit_code"`
	Interrupted bool       `json:"interrupted"`
	Gates       []Gate     `json:"gates,omitempty"`
	Artifacts   []Artifact `json:"artifacts,omitempty"`
	Omitted     int        `json:"omitted,omitempty"` // executions that did not fit into the record
}

// Run is a record that was read.
type Run struct {
	Header
	Actions []Action
	End     *End // nil: running, or killed
	Alive   bool // the apply still runs
	Bytes   int64
	Damaged bool // the record ends in something that was never written like this
}

// Status is the run in a word.
func (r *Run) Status() string {
	switch {
	case r.End == nil && r.Alive:
		return "running"
	case r.End == nil:
		return "killed"
	case r.End.Interrupted:
		return "interrupted"
	case r.End.ExitCode == 0:
		return "ok"
	case r.End.Failed > 0:
		return "failed"
	case r.End.ExitCode == 3:
		return "gate failed"
	case r.End.ExitCode == 4:
		return "gate inconclusive"
	}
	return "failed"
}

// Seconds is how long the run took, or has taken as far as its record goes.
func (r *Run) Seconds() float64 {
	if r.End != nil {
		return r.End.Seconds
	}
	var last time.Duration
	for _, a := range r.Actions {
		last = max(last, a.Start+a.Wall)
	}
	return last.Seconds()
}
