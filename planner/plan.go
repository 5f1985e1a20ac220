package planner

import (
	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/lang"
)

// Status says what an apply would do with an action or a block.
type Status string

// The statuses. Extend is one of blocks only.
const (
	Cached  Status = "cached"  // the store has the result
	Build   Status = "build"   // the key is known and the store does not have the result, or not its bytes
	Extend  Status = "extend"  // some links of the block's chain are cached and the rest runs on top of them
	Unknown Status = "unknown" // an input does not exist yet: known after the step that makes it
	Blocked Status = "blocked" // a gate that has already failed stands before it
)

// Reason explains a status that is not Cached. Codes are those of the machine-readable contract.
type Reason struct {
	Code   string `json:"code"`             // new, attribute, input, kind_version, toolchain, lost, forced, interrupted, gate
	Path   string `json:"path,omitempty"`   // attribute path, or name of the input
	Before any    `json:"before,omitempty"` // value or digest
	After  any    `json:"after,omitempty"`
	From   string `json:"from,omitempty"` // the output the input comes from
}

// Step is what the plan says of one action.
type Step struct {
	*Action
	Status   Status
	Key      cache.ActionKey     // zero exactly when Status is Unknown or Blocked
	PriorKey cache.ActionKey     // key at the last apply; zero if there was none
	Inputs   []cache.Digest      // by position in Action.Inputs; nil when Key is zero
	Result   *cache.ActionResult // of a Cached step, and of one that is built again because its bytes are gone
	Reasons  []Reason
	Estimate Estimate
}

// BlockStep is what the plan says of one block: its steps summed up.
type BlockStep struct {
	Block   *lang.Block
	Kind    *Kind
	Status  Status
	Steps   []*Step
	Counts  Summary
	Reasons []Reason
}

// Summary counts actions by status.
type Summary struct {
	Cached  int `json:"cached"`
	Build   int `json:"build"`
	Unknown int `json:"unknown"`
	Blocked int `json:"blocked"`
}

// Add counts one status.
func (s *Summary) Add(st Status) {
	switch st {
	case Cached:
		s.Cached++
	case Build, Extend:
		s.Build++
	case Unknown:
		s.Unknown++
	case Blocked:
		s.Blocked++
	}
}

// Drift is an artifact on disk that is no longer what the last apply wrote.
type Drift struct {
	Block   string   `json:"block"`
	Path    string   `json:"path"`
	Change  string   `json:"change"`            // modified, deleted
	Detail  string   `json:"detail,omitempty"`  // what lies there instead, in words
	Foreign []string `json:"foreign,omitempty"` // files there that no apply wrote; "." is the artifact's path itself
}

// Plan is what an apply would do, and why. It is a plain value: making it changes nothing.
type Plan struct {
	Graph     *Graph
	Snapshot  *Snapshot
	Toolchain Toolchain    // of blocks that ask for no other
	Steps     []*Step      // by action index; nil where the targets do not want the action
	Blocks    []*BlockStep // wanted blocks in address order
	Drift     []Drift
	Unpinned  []SourceFile // external files that the lock file has no digest of; set by whoever reads that
	InTheWay  []Drift      // foreign files where steps that are still to run will want to write
	Summary   Summary      // Beyond included
	Costs     Costs        // what the estimates rest on
	Total     Estimate     // of all that would run, in as many slots as there will be; set by whoever knows the slots

	choose func(*Action) Toolchain

	// Beyond counts the actions of the spec that are not in Graph, for nothing that they depend on has changed since a plan
	// found them cached.
	Beyond int
}

// Cost adds up the estimates of what would run, but for the seconds, which depend on what runs beside what. Its basis is the
// weakest of theirs; actions of which nothing is known make it "none" only when there are no others.
func (p *Plan) Cost() Estimate {
	t := Estimate{Basis: "none"}
	for _, s := range p.Steps {
		if s == nil || s.Status == Cached || s.Status == Blocked || s.Estimate.Basis == "none" {
			continue
		}
		t.StoreBytes += s.Estimate.StoreBytes
		t.MemoryBytes = max(t.MemoryBytes, s.Estimate.MemoryBytes)
		if t.Basis == "none" || s.Estimate.Basis == "model" {
			t.Basis = s.Estimate.Basis
		}
	}
	return t
}

// ToolchainOf is the toolchain that an action computes with.
func (p *Plan) ToolchainOf(a *Action) Toolchain {
	if !a.Compute || p.choose == nil {
		return p.Toolchain
	}
	return p.choose(a)
}

// backendOf is the name of the backend that an action computes with, "" when it does not compute.
func (p *Plan) backendOf(a *Action) string {
	if !a.Compute {
		return ""
	}
	return p.ToolchainOf(a).Backend
}

// Empty reports that an apply would change nothing.
func (p *Plan) Empty() bool {
	return p.Summary.Build+p.Summary.Unknown == 0 && len(p.Drift) == 0
}

// Block returns the plan of the block at an address, or nil.
func (p *Plan) Block(addr string) *BlockStep {
	for _, b := range p.Blocks {
		if b.Block.Addr.String() == addr {
			return b
		}
	}
	return nil
}

// Output is the cached output that a source names, if the plan knows it.
func (p *Plan) Output(src Source) (cache.Output, bool) {
	if src.Action == nil || p.Steps[src.Action.Index] == nil {
		return cache.Output{}, false
	}
	return outputOf(p.Steps[src.Action.Index].Result, src.Output)
}

func outputOf(r *cache.ActionResult, name string) (cache.Output, bool) {
	if r == nil {
		return cache.Output{}, false
	}
	for _, o := range r.Outputs {
		if o.Name == name {
			return o, true
		}
	}
	return cache.Output{}, false
}
