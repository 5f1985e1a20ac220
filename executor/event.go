package executor

import (
	"time"

	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/planner"
)

// Event is one thing that happened. Exactly one of the pointers is set.
type Event struct {
	Time       time.Time
	Step       *planner.Step // the action it is about; nil for a diagnostic of the whole apply
	Started    *Started
	Progress   *Progress
	Retry      *Retry
	Waits      *Waits
	Finished   *Finished
	Gate       *GateResult
	Artifact   *ArtifactResult
	Log        *LogLine
	Diagnostic *hcl.Diagnostic
}

// Started says that an action has begun to run.
type Started struct {
	Slot   int           // the lowest of the slots it takes, from 0
	Queued time.Duration // how long it was ready and no slot was free
}

// Progress says how far a running action is.
type Progress struct {
	Step, Total int64
	Metrics     map[string]float64
}

// Retry says that a run failed and will be tried again after a pause.
type Retry struct {
	Attempt int     // the one that failed, from 1
	Retries int     // how many the block allows
	Why     string  // what went wrong, in a line
	Pause   float64 // seconds
}

// Waits says that another process does the same action at this moment, and that its result is waited for.
type Waits struct {
	For string // who, in words; "" when that cannot be told
}

// Finished says how an action ended.
type Finished struct {
	State   State // Cached, Built, Failed or Skipped
	Key     cache.ActionKey
	Seconds float64 // wall time of a run, 0 for everything else
	Result  *cache.ActionResult
	Why     string        // of a skipped action: what it waited for
	Began   time.Time     // of a run: when it had its slot
	CPU     time.Duration // processor time, 0 when not known
	Worker  string        // where it ran, for people
	Log     cache.Digest  // of what a failed action printed; that of others is in Result
}

// GateResult is what a gate decided, in this run or, if its action is cached, in an earlier one.
type GateResult struct {
	Block         string
	Metric, Bound string // Bound is "min" or "max"
	Limit         float64
	Value         float64
	Margin        float64 // how far the value is on the good side of the limit; negative when the gate fails
	Verdict       planner.Outcome
}

// ArtifactResult is an artifact at its place in the project.
type ArtifactResult struct {
	Block     string
	Path      string // as the spec gives it
	MediaType string
	Digest    cache.Digest
	Size      int64    // bytes; of a directory, those of all its files
	Written   bool     // false when it was there already
	Overwrote []string // files that no apply had written and that are gone now, because Artifacts.Force is set
}

// LogLine is a line that an action wrote to its log.
type LogLine struct{ Text string }
