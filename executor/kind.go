package executor

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"mbuild.dev/mbuild/lang/value"
	"mbuild.dev/mbuild/planner"
)

// Kind is a planner.Kind with what runs its actions.
type Kind struct {
	planner.Kind
	Runs map[string]Run // by verb; "" for kinds whose actions have no verb
}

// Run executes the actions of one verb.
type Run struct {
	Func func(context.Context, *Job) error

	// InProcess runs Func in the process of mbuild itself. Only kinds that move bytes may do so: a panic is caught, but
	// nothing there can be killed, and memory does not come back.
	InProcess bool

	// InMemory is for runs in the process whose inputs and outputs are small files: they get no private directory, and use
	// ReadInput and WriteOutput instead of paths. That is ten times as fast.
	InMemory bool

	// Programs says that Func runs foreign programs (Job.Command), which may take long whatever their inputs.
	Programs bool

	// CPUs is how many of the apply's slots a run takes; 0 stands for 1.
	CPUs int
}

// brief reports that a run is over in no time, so that several may share a goroutine.
func (r Run) brief() bool { return r.InMemory && !r.Programs }

// Table finds the kinds by name.
type Table struct {
	Planner *planner.Table
	kinds   map[string]*Kind
}

// NewTable makes a table of kinds. A kind without runs is a mistake in the program and panics.
func NewTable(kinds ...*Kind) *Table {
	t := &Table{kinds: map[string]*Kind{}}
	static := make([]*planner.Kind, len(kinds))
	for i, k := range kinds {
		if len(k.Runs) == 0 {
			panic("executor: kind " + k.Name() + " runs nothing")
		}
		static[i] = &k.Kind
		t.kinds[k.Name()] = k
	}
	t.Planner = planner.NewTable(static...)
	return t
}

// Run finds what runs a verb of a kind ("train.supervised", "segment").
func (t *Table) Run(kind, verb string) (Run, error) {
	k := t.kinds[kind]
	if k == nil {
		return Run{}, fmt.Errorf("no kind %q in this program", kind)
	}
	r, ok := k.Runs[verb]
	if !ok {
		return Run{}, fmt.Errorf("kind %s has no run %q", kind, verb)
	}
	return r, nil
}

// Job is what a Run sees of its action. Paths are absolute; inputs are read-only; outputs that are directories exist and
// are empty, outputs that are files do not exist yet. A Run that leaves a declared output out fails.
type Job struct {
	ID      int // unique within the process that runs it
	Addr    string
	Params  map[string]any // normal form
	Inputs  map[string]JobInput
	Outputs map[string]string // path by output name
	Scratch string            // private directory, empty at the start, gone afterwards
	Backend string            // name of the compute backend, "go"; "" for actions that do not compute
	Need    int64             // bytes of memory that the run expects to take, as Expects says; 0 where that is not known
	Step    float64           // operations that are computed at once, roughly, as planner.Work says; 0 where that is not known
	Limits  planner.Limits
	Log     io.Writer

	// Next is what the action that follows in the series has as parameters, if it takes nothing but outputs of this one and
	// inputs that this one has, too: a Run may begin with it while its outputs are stored. nil when there is none.
	Next map[string]any

	// Metrics is recorded with the result. It is not part of any output's bytes.
	Metrics map[string]float64

	// Expected is told what Need becomes; it may be nil.
	Expected func(need int64)

	// Progress reports that step of total is done. It is cheap to call often: what is not shown is dropped.
	Progress func(step, total int64, metrics map[string]float64)

	// What a run in memory reads and writes; nil for the others.
	open  func(name string) ([]byte, error)
	wrote map[string][]byte
	files *fileAccess

	// Memory lives as long as the process that runs the job: compiled programs, device buffers, decoded data.
	Memory *Memory
}

// Expects says how many bytes of memory the run is going to take, for the message when there are fewer. It is to be called before they
// are taken: what is said then is known even when the process of the run does not live to tell.
func (j *Job) Expects(need int64) {
	j.Need = need
	if j.Expected != nil {
		j.Expected(need)
	}
}

// JobInput is one materialised input.
type JobInput struct {
	Path    string
	Digest  string // "sha256:<hex>"
	Display string // how to name it to the user: a source file's path, or the output's address

	// Origin is "<job id>/<output>" when an earlier job of this same process made exactly these bytes, so that a Run
	// which still holds them in memory need not read them back.
	Origin string
}

// In returns the path of an input and panics when the action does not declare it.
func (j *Job) In(name string) string {
	in, ok := j.Inputs[name]
	if !ok {
		panic(fmt.Sprintf("executor: %s reads input %q, which it does not declare", j.Addr, name))
	}
	return in.Path
}

// ReadInput reads an input that is one file. A run in memory has no other way.
func (j *Job) ReadInput(name string) ([]byte, error) {
	if _, ok := j.Inputs[name]; !ok {
		panic(fmt.Sprintf("executor: %s reads input %q, which it does not declare", j.Addr, name))
	}
	if j.open != nil {
		return j.open(name)
	}
	return os.ReadFile(j.Inputs[name].Path)
}

// WriteOutput writes an output that is one file. A run in memory has no other way.
func (j *Job) WriteOutput(name string, b []byte) error {
	if j.wrote == nil {
		return os.WriteFile(j.Out(name), b, 0o644)
	}
	j.Out(name)
	j.wrote[name] = b
	return nil
}

// Has reports whether the action has an input of that name.
func (j *Job) Has(name string) bool { _, ok := j.Inputs[name]; return ok }

// Out returns the path of an output and panics when the action does not declare it.
func (j *Job) Out(name string) string {
	p, ok := j.Outputs[name]
	if !ok {
		panic(fmt.Sprintf("executor: %s writes output %q, which it does not declare", j.Addr, name))
	}
	return p
}

// Bind decodes the parameters into a struct by its json tags. Parameters that the struct does not have are an error.
func (j *Job) Bind(into any) error { return BindParams(j.Params, into) }

// BindParams decodes parameters in normal form into a struct by its json tags.
func BindParams(params map[string]any, into any) error {
	enc, err := value.Canonical(params)
	if err != nil {
		return fmt.Errorf("encoding parameters: %w", err)
	}
	if err := json.Unmarshal(enc, into); err != nil {
		return fmt.Errorf("decoding parameters: %w", err)
	}
	return nil
}

// Memory is a small table that Runs of one process share from job to job. It is used by one job at a time.
type Memory struct{ slots map[string]any }

// Get returns what was put under the name, or nil.
func (m *Memory) Get(name string) any { return m.slots[name] }

// Put keeps v under the name and lets go of what was there. A v of nil empties the slot.
func (m *Memory) Put(name string, v any) {
	if m.slots == nil {
		m.slots = map[string]any{}
	}
	m.slots[name] = v
}

// Failure is an error that tells the user what went wrong in terms of the block. Runs return it (or wrap it) where they
// know more than an error text; everything else becomes the detail of a general one.
type Failure struct {
	Summary string `json:"summary"` // constant noun phrase: "Ragged row"
	Detail  string `json:"detail"`  // found, allowed, what to do
	Attr    string `json:"attr"`    // attribute path to point at; "" points at the block
	Code    string `json:"code"`    // stable identifier: "ragged-row"
}

// Error is the summary and the detail on one line.
func (f *Failure) Error() string { return f.Summary + ": " + f.Detail }
