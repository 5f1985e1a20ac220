package contract

import (
	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/planner/runs"
)

// RunSummary is what log says of one run.
type RunSummary struct {
	Run       string            `json:"run"`
	Started   string            `json:"started"`
	Seconds   float64           `json:"seconds"`
	Status    string            `json:"status"` // ok, failed, gate failed, gate inconclusive, interrupted, killed, running
	ExitCode  *int              `json:"exit_code"`
	Args      []string          `json:"args"`
	Mbuild    string            `json:"mbuild_version"`
	Spec      string            `json:"spec_digest"`
	Toolchain planner.Toolchain `json:"toolchain"`
	Jobs      int               `json:"jobs"`
	Estimate  float64           `json:"estimate_seconds"` // what the plan promised; 0 when it promised nothing
	Built     int               `json:"built"`
	Cached    int               `json:"cached"`
	Failed    int               `json:"failed"`
	Skipped   int               `json:"skipped"`
	Omitted   int               `json:"omitted"` // executions that did not fit into the record
}

// Execution is one action of a run.
type Execution struct {
	Address string           `json:"address"`
	Kind    string           `json:"kind"`   // with the verb: train.supervised/segment
	Result  string           `json:"result"` // built, failed, skipped, running
	Key     *string          `json:"key"`
	Start   float64          `json:"start"` // seconds since the run began
	Seconds float64          `json:"seconds"`
	Queued  float64          `json:"queued_seconds"`
	CPU     *float64         `json:"cpu_seconds"`
	Slot    int              `json:"slot"`
	Worker  string           `json:"worker"`
	Memory  *int64           `json:"memory_bytes"`
	Store   int64            `json:"store_bytes"`
	Reasons []planner.Reason `json:"reasons"`
	Log     *string          `json:"log"` // digest of what it printed
	Error   string           `json:"error,omitempty"`
	Wait    *float64         `json:"wait_seconds,omitempty"` // critical-path: after the one before
}

// Log is the document of log.
type Log struct {
	FormatVersion string       `json:"format_version"`
	Runs          []RunSummary `json:"runs"` // the newest first
}

// LogActions is the document of log what-ran, what-failed, slowest and critical-path.
type LogActions struct {
	FormatVersion string      `json:"format_version"`
	Run           RunSummary  `json:"run"`
	Actions       []Execution `json:"actions"`
}

// LogShow is the document of log show.
type LogShow struct {
	FormatVersion string     `json:"format_version"`
	Run           RunSummary `json:"run"`
	Action        Execution  `json:"action"`
	Text          *string    `json:"text"` // what it printed; null when that is gone or there was nothing
}

// LogDiff is the document of log diff.
type LogDiff struct {
	FormatVersion string           `json:"format_version"`
	Before        RunSummary       `json:"before"`
	After         RunSummary       `json:"after"`
	Toolchain     []planner.Reason `json:"toolchain"`
	Actions       []LogChange      `json:"actions"` // that only one run ran, that ended otherwise, or that had another key
	Times         []LogTime        `json:"times"`   // of actions that both runs ran
}

// LogChange is an action that fared otherwise in two runs.
type LogChange struct {
	Address string           `json:"address"`
	Before  *Execution       `json:"before"`
	After   *Execution       `json:"after"`
	Changes []planner.Reason `json:"changes"` // of what the action is, where the store still has both
}

// LogTime is how long an action took in two runs.
type LogTime struct {
	Address string  `json:"address"`
	Before  float64 `json:"before"`
	After   float64 `json:"after"`
}

// RunOf converts a run.
func RunOf(r *runs.Run) RunSummary {
	s := RunSummary{Run: r.ID, Started: Stamp(r.Started), Seconds: r.Seconds(), Status: r.Status(), Args: append([]string{}, r.Args...), Mbuild: r.Mbuild,
		Spec: r.Spec, Toolchain: r.Toolchain, Jobs: r.Jobs, Estimate: r.Estimate}
	if e := r.End; e != nil {
		s.ExitCode, s.Built, s.Cached, s.Failed, s.Skipped, s.Omitted = &e.ExitCode, e.Built, e.Cached, e.Failed, e.Skipped, e.Omitted
		return s
	}
	s.Built, s.Failed, s.Skipped = len(r.With(runs.Built)), len(r.With(runs.Failed)), len(r.With(runs.Skipped))
	return s
}

// ExecutionOf converts an execution.
func ExecutionOf(a runs.Action) Execution {
	x := Execution{Address: a.Addr, Kind: a.Kind, Result: a.State.String(), Key: digest(a.Key), Start: a.Start.Seconds(), Seconds: a.Wall.Seconds(), Queued: a.Queue.Seconds(),
		Slot: a.Slot, Worker: a.Worker, Store: a.Store, Reasons: []planner.Reason{}, Log: digest(a.Log), Error: a.Error}
	if a.CPU > 0 {
		s := a.CPU.Seconds()
		x.CPU = &s
	}
	if a.Memory > 0 {
		x.Memory = &a.Memory
	}
	if a.Reason.Code != "" {
		x.Reasons = append(x.Reasons, a.Reason)
	}
	return x
}

// ExecutionsOf converts executions.
func ExecutionsOf(all []runs.Action) []Execution {
	out := make([]Execution, 0, len(all))
	for _, a := range all {
		out = append(out, ExecutionOf(a))
	}
	return out
}

func digest(d cache.Digest) *string {
	if d.IsZero() {
		return nil
	}
	return text(d.String())
}
