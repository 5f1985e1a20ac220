package lang

import (
	"slices"
	"time"

	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/lang/schema"
)

// Spec is a directory of spec files after evaluation.
type Spec struct {
	Dir       string
	Blocks    []*Block // in address order
	Outputs   []Output
	Variables map[string]any // values in normal form, by name; sensitive ones are "(sensitive)"
	Settings  Settings
	Reads     Reads                // what the Spec was made of, beside the Request
	Files     map[string]*hcl.File // sources by the name that ranges have

	byAddr map[Addr]*Block // made when first asked for
	ID     string          // of the Packed spec in Request.Cache; "" when none was kept
	Cached bool            // read from Request.Cache, not evaluated
}

// Settings is the `mbuild {}` block.
type Settings struct {
	RequiredVersion string
	VersionRange    hcl.Range
	Backend         string
	BackendRange    hcl.Range
}

// Block returns the block at an address, or nil.
func (s *Spec) Block(a Addr) *Block {
	if s.byAddr == nil {
		s.byAddr = make(map[Addr]*Block, len(s.Blocks))
		for _, b := range s.Blocks {
			s.byAddr[b.Addr] = b
		}
	}
	return s.byAddr[a]
}

func (s *Spec) sort() {
	slices.SortFunc(s.Blocks, func(a, b *Block) int { return a.Addr.Compare(b.Addr) })
	s.byAddr = nil
}

// Block is one artifact block.
type Block struct {
	Addr
	Refs      []Ref // in the order of their paths
	DependsOn []Addr
	Tags      []string
	Timeout   time.Duration // longest run of one of its actions; 0 is none of its own
	Retries   int           // how often a failed action is run again, for kinds that allow it
	Backend   string        // the compute backend that the block asks for, "" for the plan's

	attrs  map[string]any
	packed *packed // of a Spec from a cache
	decl   func() hcl.Range
	ranges func(path string, onKey bool) hcl.Range
	inner  func(path string, onKey bool) hcl.Range // of a block in a module of mbuild, whose decl and ranges are the call of the module

	// While it is loaded:
	seen  state    // how far checkEdges is with it
	needs []*Block // the blocks that it refers to, and depends on
}

// Attrs is the block's attributes in normal form, defaults filled in; references are value.Ref. It is not to be changed.
func (b *Block) Attrs() map[string]any {
	if b.attrs == nil && b.packed != nil {
		b.attrs = b.packed.attributes()
	}
	return b.attrs
}

// Decl is the place of the block's header. Places are found when asked for: most blocks are never reported.
func (b *Block) Decl() hcl.Range {
	switch {
	case b.packed != nil:
		return (&unpacker{s: b.packed.decl}).place()
	case b.decl != nil:
		return b.decl()
	}
	return hcl.Range{}
}

// RangeOf is the place of the attribute at a path ("layer.2.units"): of its value, or of its name. Where the path leads to
// nothing that was written (a default), it is the nearest block around it.
func (b *Block) RangeOf(path string, onKey bool) hcl.Range {
	switch {
	case path != "" && b.packed != nil:
		return b.packed.rangeOf(b.Addr, path, onKey)
	case path == "" || b.ranges == nil:
		return b.Decl()
	}
	return b.ranges(path, onKey)
}

// Within ends the text of a diagnostic at RangeOf(path, onKey): of a block in a module of mbuild that range is the call of the module, in a
// file of the user, and this says where the attribute is in the module. It is "" of all other blocks.
func (b *Block) Within(path string, onKey bool) string {
	switch {
	case b.inner != nil:
		return within(b.inner(path, onKey))
	case b.packed != nil && b.Module != "":
		return b.packed.within(b.Addr, path, onKey)
	}
	return ""
}

// Ref is a reference from an attribute to an output of another block.
type Ref struct {
	At           string // path of the attribute
	To           Addr
	Output, Type string
}

// Output is an `output` block of the root module.
type Output struct {
	Name        string
	Value       any // normal form, may hold references
	Description string
	Sensitive   bool // Value holds value.Secret
	Range       hcl.Range
}

// Catalog says what block types there are. planner.Table is one.
type Catalog interface {
	Kind(family, typ string) *schema.Kind // nil when there is none
	Types(family string) []string
	Outputs(family, typ string) []OutputType
}

// OutputType is an output that blocks of a type offer.
type OutputType struct{ Name, Type string }

// Families are the families of artifact blocks, closed.
var Families = []string{"dataset", "tokenizer", "model", "train", "pass", "eval", "target", "step"}
