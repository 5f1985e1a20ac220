package planner

import (
	"fmt"
	"sort"
	"time"

	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/lang"
	"mbuild.dev/mbuild/lang/schema"
)

// Determinism is the class a kind promises for its outputs, given equal keys.
type Determinism string

// The classes, from strongest to weakest.
const (
	Bitwise   Determinism = "bitwise"   // equal keys give equal bytes
	Tolerance Determinism = "tolerance" // equal keys give numbers equal within a stated tolerance
	None      Determinism = "none"      // no promise (a command that the kind knows nothing of)
)

// Output is one output that blocks of a kind offer to references.
type Output struct {
	Name      string // as in `train.supervised.base.model`
	Type      string // what a reference attribute accepts: "graph", "model", "data", …
	MediaType string
	Directory bool
}

// Kind is the static half of a block kind: everything planning needs and nothing that runs.
type Kind struct {
	Family, Type string
	Version      int // raised when equal parameters and inputs would give other bytes; enters every key of the kind
	Schema       *schema.Kind
	Outputs      []Output
	Determinism  Determinism
	Tolerance    float64 // of kinds whose Determinism is Tolerance: how far apart values may be, relative to the larger of 1 and their magnitude

	// External says that the source files of the kind's blocks were made by others, such as checkpoints: the lock file pins them.
	External bool

	// Transient says that an action may fail today and succeed tomorrow with nothing changed: blocks of the kind may have
	// retries. A kind that computes is not transient: what failed will fail again.
	Transient bool

	// Timeout is the longest run of an action whose block has no timeout; 0 is no limit.
	Timeout time.Duration

	// Lower emits the actions of one block and binds its outputs. It reports what the schema cannot say (shapes that do
	// not fit, fractions that do not sum to 1) as diagnostics on attribute paths. It reads nothing but what Lowering.Look gives
	// it, and writes nothing.
	Lower func(*Lowering) hcl.Diagnostics

	// Estimate guesses the cost of an action that has no record yet; nil means no estimate.
	Estimate func(*Action) Estimate
}

// Name is "family.type".
func (k *Kind) Name() string { return k.Family + "." + k.Type }

// output returns the declared output called name, or nil.
func (k *Kind) output(name string) *Output {
	for i := range k.Outputs {
		if k.Outputs[i].Name == name {
			return &k.Outputs[i]
		}
	}
	return nil
}

// Estimate is a guess of what running an action costs.
type Estimate struct {
	Seconds     float64 `json:"seconds"`
	MemoryBytes int64   `json:"memory_bytes"`
	StoreBytes  int64   `json:"store_bytes"`
	Basis       string  `json:"basis"` // "record": an earlier run of the same address; "model": the kind's own guess; "none"
}

// Table is the set of kinds a program knows. It is the lang.Catalog that specs are checked against.
type Table struct {
	kinds map[string]map[string]*Kind // family -> type -> kind
}

// NewTable makes a table. Two kinds with one name, or a kind without schema or Lower, are a mistake in the program and panic.
func NewTable(kinds ...*Kind) *Table {
	t := &Table{kinds: map[string]map[string]*Kind{}}
	for _, k := range kinds {
		if k.Schema == nil || k.Lower == nil || k.Version < 1 {
			panic(fmt.Sprintf("planner: kind %s needs Schema, Lower and a Version from 1", k.Name()))
		}
		if (k.Determinism == Tolerance) != (k.Tolerance > 0) {
			panic(fmt.Sprintf("planner: kind %s states a tolerance exactly when that is its class", k.Name()))
		}
		if t.Lookup(k.Family, k.Type) != nil {
			panic(fmt.Sprintf("planner: kind %s twice in the table", k.Name()))
		}
		if t.kinds[k.Family] == nil {
			t.kinds[k.Family] = map[string]*Kind{}
		}
		t.kinds[k.Family][k.Type] = k
	}
	return t
}

// Lookup returns the kind family.typ, or nil.
func (t *Table) Lookup(family, typ string) *Kind { return t.kinds[family][typ] }

// Kinds lists all kinds by name.
func (t *Table) Kinds() []*Kind {
	var all []*Kind
	for _, byType := range t.kinds {
		for _, k := range byType {
			all = append(all, k)
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Name() < all[j].Name() })
	return all
}

// Kind implements lang.Catalog.
func (t *Table) Kind(family, typ string) *schema.Kind {
	if k := t.Lookup(family, typ); k != nil {
		return k.Schema
	}
	return nil
}

// Types implements lang.Catalog.
func (t *Table) Types(family string) []string {
	var types []string
	for typ := range t.kinds[family] {
		types = append(types, typ)
	}
	sort.Strings(types)
	return types
}

// Outputs implements lang.Catalog.
func (t *Table) Outputs(family, typ string) []lang.OutputType {
	k := t.Lookup(family, typ)
	if k == nil {
		return nil
	}
	outs := make([]lang.OutputType, len(k.Outputs))
	for i, o := range k.Outputs {
		outs[i] = lang.OutputType{Name: o.Name, Type: o.Type}
	}
	return outs
}
