// Package schema holds what a block may say, as tables, and checks values against them.
//
// The tables are not written by hand: each kind's schema.cue is compiled to one by package schema/gen (go generate), and a
// test holds tables and CUE against each other. CUE is not imported here: checking a block costs microseconds.
//
// It does not know syntax: problems carry paths into the value, which the frontends map to places in files.
//
// The nouns: Kind (one block type), Type (what a value may be), Field (one attribute of a struct), Problem (what is wrong).
// The invariant: Check fills in defaults and returns a value in normal form, or at least one Problem.
package schema

// Kind is the schema of one block type.
type Kind struct {
	Family, Type string
	Version      int
	Doc          string
	Struct       *Type // Op is Struct
}

// Op tells the sorts of types apart.
type Op uint8

// The sorts.
const (
	Any Op = iota
	Bool
	Int    // whole number
	Number // whole or not
	String
	List
	Map    // free keys, one type of value
	Struct // known fields
	Ref    // reference to an output
	Union  // one of several types; discriminated by a field when Tag is set
)

// Type says what a value may be.
type Type struct {
	Op       Op
	Doc      string
	Min, Max *Bound
	Pattern  string   // String: regular expression that must match
	Enum     []any    // Bool, Int, Number, String: the values allowed; nil allows all
	RefTypes []string // Ref: output types accepted
	Elem     *Type    // List, Map
	MinItems int      // List
	Fields   []Field  // Struct, in the order of the schema
	Alts     []*Type  // Union
	Tag      string   // Union of structs: the field whose literal value chooses the alternative

	Sensitive bool // value.Secret is taken, here and in elements: the kind keeps it out of outputs and logs

	// Labels are the fields that HCL writes as block labels. With Labels, or when a Struct stands where a value could, HCL
	// writes the value as nested blocks; a List of them repeats, in order.
	Labels []string
}

// Bound is an inclusive or exclusive limit of a number.
type Bound struct {
	Value     float64
	Exclusive bool
}

// Field is one attribute of a struct.
type Field struct {
	Name     string
	Type     *Type
	Required bool
	Default  any    // in normal form; nil when there is none
	Was      string // name in an earlier version of the schema, for a hint to whoever still writes it
}

// Field returns the field called name, or nil.
func (t *Type) Field(name string) *Field {
	for i := range t.Fields {
		if t.Fields[i].Name == name {
			return &t.Fields[i]
		}
	}
	return nil
}

// Arm returns the alternative of a tagged union that a tag chooses, or nil.
func (t *Type) Arm(tag string) *Type {
	for _, a := range t.Alts {
		if f := a.Field(t.Tag); f != nil && len(f.Type.Enum) == 1 && f.Type.Enum[0] == tag {
			return a
		}
	}
	return nil
}

// Tags lists what chooses an alternative of a tagged union.
func (t *Type) Tags() []string {
	var tags []string
	for _, a := range t.Alts {
		if f := a.Field(t.Tag); f != nil {
			for _, v := range f.Type.Enum {
				if s, ok := v.(string); ok {
					tags = append(tags, s)
				}
			}
		}
	}
	return tags
}

// Nested reports whether HCL writes values of the type as nested blocks, and whether they repeat.
func (t *Type) Nested() (nested, repeated bool) {
	switch t.Op {
	case Struct:
		return true, false
	case Union:
		return t.Tag != "", false
	case List:
		n, _ := t.Elem.Nested()
		return n, n
	case Map:
		n, _ := t.Elem.Nested()
		return n, n
	}
	return false, false
}
