package lang

import (
	"sort"

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

	byAddr map[Addr]*Block
}

// Settings is the `mbuild {}` block.
type Settings struct {
	RequiredVersion string
	VersionRange    hcl.Range
	Backend         string
}

// Block returns the block at an address, or nil.
func (s *Spec) Block(a Addr) *Block { return s.byAddr[a] }

func (s *Spec) index() {
	sort.Slice(s.Blocks, func(i, j int) bool { return s.Blocks[i].Addr.Compare(s.Blocks[j].Addr) < 0 })
	s.byAddr = make(map[Addr]*Block, len(s.Blocks))
	for _, b := range s.Blocks {
		s.byAddr[b.Addr] = b
	}
}

// Block is one artifact block.
type Block struct {
	Addr
	Attrs     map[string]any // normal form, defaults filled in; references are value.Ref
	Refs      []Ref          // in the order of their paths
	DependsOn []Addr
	Tags      []string

	decl   func() hcl.Range
	ranges func(path string, onKey bool) hcl.Range
}

// Decl is the place of the block's header. Places are found when asked for: most blocks are never reported.
func (b *Block) Decl() hcl.Range {
	if b.decl == nil {
		return hcl.Range{}
	}
	return b.decl()
}

// RangeOf is the place of the attribute at a path ("layer.2.units"): of its value, or of its name. Where the path leads to
// nothing that was written (a default), it is the nearest block around it.
func (b *Block) RangeOf(path string, onKey bool) hcl.Range {
	if b.ranges == nil || path == "" {
		return b.Decl()
	}
	return b.ranges(path, onKey)
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
