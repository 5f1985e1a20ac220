// Package contract holds the documents that mbuild writes for machines: the plan, the lines of an apply, show, why and
// validate. Scripts rely on them to the letter; fields may be added, never renamed or removed, within a major FormatVersion.
package contract

import (
	"slices"
	"time"

	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/lang"
	"mbuild.dev/mbuild/planner"
)

// FormatVersion is the version of all documents.
const FormatVersion = "1.0"

// Pos is a place in a file; line and column from 1.
type Pos struct {
	Line   int `json:"line"`
	Column int `json:"column"`
}

// Range is a stretch of a file.
type Range struct {
	File  string `json:"file"`
	Start Pos    `json:"start"`
	End   Pos    `json:"end"`
}

// RangeOf converts a range; nil stays nil.
func RangeOf(r *hcl.Range) *Range {
	if r == nil || r.Filename == "" {
		return nil
	}
	return &Range{File: r.Filename, Start: Pos{r.Start.Line, r.Start.Column}, End: Pos{r.End.Line, r.End.Column}}
}

// Diagnostic is G of the contract.
type Diagnostic struct {
	Severity   string  `json:"severity"` // error, warning
	Code       string  `json:"code"`
	Summary    string  `json:"summary"`
	Detail     string  `json:"detail"`
	Address    *string `json:"address"`
	Range      *Range  `json:"range"`
	Suggestion *string `json:"suggestion"`
}

// Diagnostics converts diagnostics; the result is never nil.
func Diagnostics(diags hcl.Diagnostics) []Diagnostic {
	out := make([]Diagnostic, 0, len(diags))
	for _, d := range diags {
		out = append(out, DiagnosticOf(d))
	}
	return out
}

// DiagnosticOf converts one diagnostic.
func DiagnosticOf(d *hcl.Diagnostic) Diagnostic {
	x := lang.ExtraOf(d)
	g := Diagnostic{Severity: "error", Code: x.Code, Summary: d.Summary, Detail: d.Detail, Range: RangeOf(d.Subject), Address: text(x.Address), Suggestion: text(x.Suggestion)}
	if d.Severity == hcl.DiagWarning {
		g.Severity = "warning"
	}
	return g
}

func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// Plan is the document of plan -json.
type Plan struct {
	FormatVersion string            `json:"format_version"`
	MbuildVersion string            `json:"mbuild_version"`
	SpecDigest    string            `json:"spec_digest"`
	Variables     map[string]any    `json:"variables"`
	Toolchain     planner.Toolchain `json:"toolchain"`
	Blocks        []Block           `json:"blocks"`
	Actions       []Action          `json:"actions"`
	Drift         []planner.Drift   `json:"drift"`
	Pins          []Pin             `json:"pins"` // files that others made, as they are
	Summary       planner.Summary   `json:"summary"`
	Estimate      planner.Estimate  `json:"estimate"` // of the whole: seconds on the slots of this machine, the largest memory of one action
	Diagnostics   []Diagnostic      `json:"diagnostics"`
}

// Block is one block of a plan.
type Block struct {
	Address string           `json:"address"`
	Kind    string           `json:"kind"`
	Status  planner.Status   `json:"status"`
	Actions Counts           `json:"actions"`
	Reasons []planner.Reason `json:"reasons"`
}

// Counts counts the actions of a block.
type Counts struct {
	Cached  int `json:"cached"`
	Build   int `json:"build"`
	Unknown int `json:"unknown"`
}

// Action is one action of a plan.
type Action struct {
	Address     string            `json:"address"`
	Block       string            `json:"block"`
	Kind        string            `json:"kind"`
	KindVersion int               `json:"kind_version"`
	Status      planner.Status    `json:"status"`
	Key         *string           `json:"key"`
	PriorKey    *string           `json:"prior_key"`
	Reasons     []planner.Reason  `json:"reasons"`
	Inputs      map[string]Input  `json:"inputs"`
	Outputs     map[string]Output `json:"outputs"`
	Estimate    planner.Estimate  `json:"estimate"`
	Backend     string            `json:"backend,omitempty"` // that it computes with; none for actions that do not compute
	Range       *Range            `json:"range"`
}

// Input is an input of an action.
type Input struct {
	From   string  `json:"from"` // "address.output" or "file:path"
	Digest *string `json:"digest"`
}

// Output is an output of an action.
type Output struct {
	MediaType string  `json:"media_type"`
	Digest    *string `json:"digest"`
	Size      *int64  `json:"size"`
	Path      string  `json:"path,omitempty"`
}

// PlanOf converts a plan.
func PlanOf(p *planner.Plan, version, specDigest string, diags hcl.Diagnostics) *Plan {
	doc := &Plan{FormatVersion: FormatVersion, MbuildVersion: version, SpecDigest: specDigest, Variables: p.Graph.Spec.Variables,
		Toolchain: p.Toolchain, Blocks: []Block{}, Actions: []Action{}, Drift: append([]planner.Drift{}, p.Drift...), Summary: p.Summary, Estimate: p.Total, Diagnostics: Diagnostics(diags)}
	doc.Pins = []Pin{}
	for _, f := range p.Graph.Files {
		if f.External {
			pinned := !slices.Contains(p.Unpinned, f)
			doc.Pins = append(doc.Pins, Pin{Path: f.Path, Digest: p.Snapshot.Files[f.Path].String(), Pinned: &pinned})
		}
	}
	for _, b := range p.Blocks {
		doc.Blocks = append(doc.Blocks, Block{Address: b.Block.Addr.String(), Kind: b.Kind.Name(), Status: b.Status,
			Actions: Counts{b.Counts.Cached, b.Counts.Build, b.Counts.Unknown}, Reasons: reasons(b.Reasons)})
	}
	for _, s := range p.Steps {
		if s != nil {
			doc.Actions = append(doc.Actions, ActionOf(p, s))
		}
	}
	return doc
}

func reasons(rs []planner.Reason) []planner.Reason { return append([]planner.Reason{}, rs...) }

// ActionOf converts a step.
func ActionOf(p *planner.Plan, s *planner.Step) Action {
	a := Action{Address: s.Addr, Block: s.Block.Addr.String(), Kind: s.Kind.Name(), KindVersion: s.Kind.Version, Status: s.Status,
		Key: key(s.Key), PriorKey: key(s.PriorKey), Reasons: reasons(s.Reasons), Inputs: map[string]Input{}, Outputs: map[string]Output{},
		Estimate: s.Estimate, Range: declRange(s.Block)}
	if s.Compute {
		a.Backend = p.ToolchainOf(s.Action).Backend
	}
	for i, in := range s.Action.Inputs {
		x := Input{From: in.Source.String()}
		if s.Inputs != nil {
			x.Digest = text(s.Inputs[i].String())
		}
		a.Inputs[in.Name] = x
	}
	for _, decl := range s.Action.Outputs {
		x := Output{MediaType: decl.MediaType}
		if out, ok := p.Output(planner.Source{Action: s.Action, Output: decl.Name}); ok && s.Status == planner.Cached {
			x = OutputOf(out)
		}
		a.Outputs[decl.Name] = x
	}
	return a
}

// OutputOf converts an output that exists.
func OutputOf(o cache.Output) Output {
	size := o.Digest.Size()
	return Output{MediaType: o.MediaType, Digest: text(o.Digest.String()), Size: &size}
}

func key(k cache.ActionKey) *string {
	if k.IsZero() {
		return nil
	}
	return text(k.String())
}

// Event is one line of apply -json. Fields that do not belong to the type are left out.
type Event struct {
	Type string `json:"type"`
	Time string `json:"time"`

	Mbuild        string `json:"mbuild,omitempty"`         // version
	FormatVersion string `json:"format_version,omitempty"` // version

	*planner.Summary // plan_summary

	Address string             `json:"address,omitempty"`
	Block   string             `json:"block,omitempty"`
	Step    *int64             `json:"step,omitempty"`
	Total   *int64             `json:"total,omitempty"`
	Metrics map[string]float64 `json:"metrics,omitempty"`

	Result  string   `json:"result,omitempty"` // built, cached, failed, skipped
	Key     *string  `json:"key,omitempty"`
	Seconds *float64 `json:"seconds,omitempty"`

	Metric  string             `json:"metric,omitempty"`
	Bound   map[string]float64 `json:"bound,omitempty"`
	Value   *float64           `json:"value,omitempty"`
	Margin  *float64           `json:"margin,omitempty"`
	Verdict string             `json:"verdict,omitempty"`

	Path      string   `json:"path,omitempty"`
	MediaType string   `json:"media_type,omitempty"`
	Digest    *string  `json:"digest,omitempty"`
	Size      *int64   `json:"size,omitempty"`
	Overwrote []string `json:"overwrote,omitempty"`

	Text string `json:"text,omitempty"`

	Attempt int    `json:"attempt,omitempty"` // action_retry: the one that failed, from 1
	Retries int    `json:"retries,omitempty"`
	Why     string `json:"why,omitempty"`

	For string `json:"for,omitempty"` // action_waiting: who builds it now
}

// DiagnosticLine is a line of type diagnostic: a diagnostic with type and time.
type DiagnosticLine struct {
	Type string `json:"type"`
	Time string `json:"time"`
	Diagnostic
}

// Complete is the last line of apply -json.
type Complete struct {
	Type     string  `json:"type"` // apply_complete
	Time     string  `json:"time"`
	Built    int     `json:"built"`
	Cached   int     `json:"cached"`
	Failed   int     `json:"failed"`
	Skipped  int     `json:"skipped"`
	Gates    Gates   `json:"gates"`
	Seconds  float64 `json:"seconds"`
	ExitCode int     `json:"exit_code"`
}

// Gates counts gates by outcome.
type Gates struct {
	Pass         int `json:"pass"`
	Fail         int `json:"fail"`
	Inconclusive int `json:"inconclusive"`
}

// Stamp is the form of times.
func Stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// EventOf converts an event of the executor.
func EventOf(e executor.Event) any {
	if e.Diagnostic != nil {
		return DiagnosticLine{Type: "diagnostic", Time: Stamp(e.Time), Diagnostic: DiagnosticOf(e.Diagnostic)}
	}
	out := Event{Time: Stamp(e.Time)}
	if e.Step != nil {
		out.Address, out.Block = e.Step.Addr, e.Step.Block.Addr.String()
	}
	switch {
	case e.Started != nil:
		out.Type = "action_started"
	case e.Progress != nil:
		out.Type, out.Step, out.Total, out.Metrics = "action_progress", &e.Progress.Step, &e.Progress.Total, e.Progress.Metrics
	case e.Retry != nil:
		out.Type, out.Attempt, out.Retries, out.Why = "action_retry", e.Retry.Attempt, e.Retry.Retries, e.Retry.Why
	case e.Waits != nil:
		out.Type, out.For = "action_waiting", e.Waits.For
	case e.Finished != nil:
		out.Type, out.Result, out.Key, out.Seconds = "action_finished", e.Finished.State.String(), key(e.Finished.Key), &e.Finished.Seconds
	case e.Gate != nil:
		g := e.Gate
		out.Type, out.Address, out.Metric, out.Bound, out.Verdict = "gate", "", g.Metric, map[string]float64{g.Bound: g.Limit}, string(g.Verdict)
		if g.Verdict != planner.Inconclusive {
			out.Value, out.Margin = &g.Value, &g.Margin
		}
	case e.Artifact != nil:
		size := e.Artifact.Size
		out.Type, out.Address, out.Path, out.MediaType, out.Digest, out.Size = "artifact", "", e.Artifact.Path, e.Artifact.MediaType, text(e.Artifact.Digest.String()), &size
		out.Overwrote = e.Artifact.Overwrote
	case e.Log != nil:
		out.Type, out.Text = "log", e.Log.Text
	}
	return out
}

// Validate is the document of validate -json.
type Validate struct {
	Valid        bool         `json:"valid"`
	ErrorCount   int          `json:"error_count"`
	WarningCount int          `json:"warning_count"`
	Diagnostics  []Diagnostic `json:"diagnostics"`
}

// Why is the document of why -json.
type Why struct {
	Address  string           `json:"address"` // of the action that is explained
	Block    string           `json:"block"`
	Status   planner.Status   `json:"status"` // of what was asked about: the block, or the action
	Key      *string          `json:"key"`
	PriorKey *string          `json:"prior_key"`
	Actions  Counts           `json:"actions"` // of the block
	Changes  []planner.Reason `json:"changes"` // since it was last built; of a cached one: its last change
	Upstream []Upstream       `json:"upstream"`
	Causes   []planner.Cause  `json:"causes"` // where the changes began
	Gates    []Gate           `json:"gates"`  // that stand before it and have not passed
	Last     *LastRun         `json:"last_run"`
}

// Gate is what a gate says.
type Gate struct {
	Address string          `json:"address"`
	Metric  string          `json:"metric"`
	Bound   string          `json:"bound"` // min or max
	Limit   float64         `json:"limit"`
	Value   float64         `json:"value"`
	Verdict planner.Outcome `json:"verdict"`
}

// LastRun is the last time that an action ran, or was to run.
type LastRun struct {
	Run     *string          `json:"run"` // null when no record of this project has it: the result came from elsewhere, or long ago
	Time    string           `json:"time"`
	Result  string           `json:"result"` // built, failed, skipped
	Seconds float64          `json:"seconds"`
	Reasons []planner.Reason `json:"reasons"`
	Error   string           `json:"error,omitempty"` // of a failure; of a skipped action, what it waited for
}

// Upstream is an input that changed.
type Upstream struct {
	Address string  `json:"address"`
	Output  string  `json:"output"`
	Before  *string `json:"before"`
	After   *string `json:"after"`
}

// Instances is the document of show -json ADDRESS where the address is that of a block under for_each or count, without a key.
type Instances struct {
	Address   string  `json:"address"`
	Kind      string  `json:"kind"`
	Instances []*Show `json:"instances"`
}

// Show is the document of show -json ADDRESS.
type Show struct {
	Address string             `json:"address"`
	Kind    string             `json:"kind"`
	Status  planner.Status     `json:"status"`
	Key     *string            `json:"key"`
	Outputs map[string]Output  `json:"outputs"`
	Metrics map[string]float64 `json:"metrics"`
	Report  any                `json:"report,omitempty"`
	History any                `json:"history,omitempty"`
	Actions []Action           `json:"actions"`

	// Attributes are those that not all instances of the block share, by path; among instances only.
	Attributes map[string]any `json:"attributes,omitempty"`
}

// Text and Key convert optional strings and keys for the documents above.
func Text(s string) *string { return text(s) }

// Key converts a key; nil when there is none.
func Key(k cache.ActionKey) *string { return key(k) }

// declRange is where a block is declared.
func declRange(b *lang.Block) *Range {
	r := b.Decl()
	return RangeOf(&r)
}

// Verify is the document of verify.
type Verify struct {
	Reproducible bool         `json:"reproducible"`
	Verified     int          `json:"verified"` // actions built again
	Divergences  []Divergence `json:"divergences"`
	Within       int          `json:"within"`  // outputs that differ, within the tolerance that their kind states
	Skipped      []string     `json:"skipped"` // blocks of kinds that promise nothing
}

// Divergence is an output that came out different.
type Divergence struct {
	Address  string `json:"address"`
	Output   string `json:"output"`
	Path     string `json:"path"` // file of an output that is a directory
	Before   string `json:"before"`
	After    string `json:"after"`
	Detail   string `json:"detail"`
	Promised bool   `json:"promised"` // the kind promises equal bytes
}

// Day is today's date.
func Day() string { return time.Now().UTC().Format(time.DateOnly) }
