package planner

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/lang"
	"mbuild.dev/mbuild/lang/value"
)

// ActionFormat names the layout of an encoded action. It is part of every key, so it changes only when every result of
// every kind must be made again.
const ActionFormat = "mbuild/action/v1"

// Source is where the bytes of an input come from: an output of another action, or a file of the source tree.
type Source struct {
	Action *Action // nil for a file
	Output string  // name of the output of Action
	File   string  // slash-separated path relative to the spec's directory
}

// String is the source as plans and reasons print it: "dataset.csv.digits.data" or "file:digits.csv".
func (s Source) String() string {
	if s.Action == nil {
		return "file:" + s.File
	}
	return s.Action.Addr + "." + s.Output
}

// Input is a named input of an action.
type Input struct {
	Name string
	Source
}

// OutputDecl declares an output that an action must produce.
type OutputDecl struct {
	Name      string
	MediaType string
	Directory bool
}

// Gate says that an action decides whether what depends on it may go on. The action's result carries the metrics
// "verdict" (1 pass, 0 inconclusive, -1 fail), "value", "bound" and "margin" (>= 0 exactly when the bound is met).
type Gate struct {
	Metric string // "accuracy"
	Bound  string // "min" or "max"
}

// Limits bounds what a run may use; zero is no limit. It is no part of the key.
type Limits struct {
	Memory    int64 // bytes
	Processes int
	CPUs      int // also how many of the apply's slots it takes
}

// Action is one unit of work. It is immutable once its Graph is built.
type Action struct {
	Index   int    // position in Graph.Actions, a topological order
	Addr    string // "train.supervised.base/segment[3]", or the block's address when the block has one action
	Block   *lang.Block
	Kind    *Kind
	Verb    string         // which of the kind's runs this is; "" for kinds that have one
	Params  map[string]any // normal form, defaults filled in, no references
	Inputs  []Input        // in the order in which the kind declared them; Encode sorts by name
	Outputs []OutputDecl
	After   []*Action // order-only edges: depends_on
	Gates   []*Action // must have passed before this action may run
	Gate    *Gate     // set when this action is a gate
	Compute bool      // its bytes depend on the compute backend, whose fingerprint then enters the key
	Work    Work      // of the whole series that it is a link of; zero where nothing is known
	Host    bool      // its bytes depend on the machine's platform ("linux/amd64"), which then enters the key
	Visible bool      // an output of it is bound to the block: its bytes are wanted, not only its record
	Limits  Limits
	Series  string // name of the chain this action is a link of ("segment"), "" for none; "extend" is about series
}

// Dependencies calls f for each action this one waits for: inputs, order-only edges and gates. An action may come up twice.
func (a *Action) Dependencies(f func(*Action)) {
	for i := range a.Inputs {
		if from := a.Inputs[i].Action; from != nil {
			f(from)
		}
	}
	for _, from := range a.After {
		f(from)
	}
	for _, from := range a.Gates {
		f(from)
	}
}

// Timeout is the longest run of the action: its block's, or its kind's; 0 is no limit. It is no part of the key.
func (a *Action) Timeout() time.Duration {
	if a.Block.Timeout > 0 {
		return a.Block.Timeout
	}
	return a.Kind.Timeout
}

// Work is a rough count of floating point operations, made of the spec and the sizes of source files alone, so that what is
// chosen by it is the same on every machine and at every time.
type Work struct {
	Fixed   float64
	PerByte float64 // of the source files that the action depends on
	Step    float64 // of what is computed at once, which says nothing of the whole; 0 where it is not known
}

// Toolchain is what a machine adds to the keys of kinds that ask for it.
type Toolchain struct {
	Backend     string `json:"backend"`     // "go"
	Fingerprint string `json:"fingerprint"` // everything of the backend that may change bits, as one line of text
	Platform    string `json:"platform"`    // "linux/amd64"
}

// Encode returns the canonical encoding of the action, the preimage of its key, given the digest of each of a.Inputs. It is the
// canonical JSON (package value) of a document with the members that AppendEncoded writes. An absent digest is an impossible
// state and panics.
func (a *Action) Encode(inputs []cache.Digest, tc Toolchain) []byte {
	return a.AppendEncoded(make([]byte, 0, 512), inputs, tc)
}

// AppendEncoded is Encode behind what b holds already. The document is written member by member, in canonical order: building
// it as a map first would take ten times as long, and keys are most of what a plan of many actions computes.
func (a *Action) AppendEncoded(b []byte, inputs []cache.Digest, tc Toolchain) []byte {
	b = append(b, '{')
	if a.Compute {
		b = a.member(b, `"backend":`, tc.Fingerprint)
	}
	b = a.member(b, `"format":`, ActionFormat)
	b = a.appendInputs(append(b, `"inputs":{`...), inputs)
	b = a.member(append(b, `},`...), `"kind":`, a.Kind.Name())
	b = append(b, `"outputs":[`...)
	for i := range a.Outputs {
		if i > 0 {
			b = append(b, ',')
		}
		b = a.value(b, a.Outputs[i].Name)
	}
	b = append(b, `],"params":`...)
	b = append(a.value(b, a.Params), ',')
	if a.Host {
		b = a.member(b, `"platform":`, tc.Platform)
	}
	if a.Verb != "" {
		b = a.member(b, `"verb":`, a.Verb)
	}
	b = strconv.AppendInt(append(b, `"version":`...), int64(a.Kind.Version), 10)
	return append(b, '}')
}

// appendInputs writes the members of "inputs", sorted by name.
func (a *Action) appendInputs(b []byte, inputs []cache.Digest) []byte {
	var few [8]int
	order := few[:0]
	for i := range a.Inputs {
		order = append(order, i)
	}
	slices.SortFunc(order, func(i, j int) int { return value.Compare(a.Inputs[i].Name, a.Inputs[j].Name) })
	for n, i := range order {
		if inputs[i].IsZero() {
			panic(fmt.Sprintf("planner: %s encoded without input %q", a.Addr, a.Inputs[i].Name))
		}
		if n > 0 {
			b = append(b, ',')
		}
		b = append(a.value(b, a.Inputs[i].Name), ':', '"')
		b = append(inputs[i].AppendText(b), '"')
	}
	return b
}

// member writes `"name":"text",`.
func (a *Action) member(b []byte, name, text string) []byte {
	return append(a.value(append(b, name...), text), ',')
}

func (a *Action) value(b []byte, v any) []byte {
	b, err := value.Append(b, v)
	if err != nil {
		panic(fmt.Sprintf("planner: %s has parameters without canonical form: %v", a.Addr, err))
	}
	return b
}
