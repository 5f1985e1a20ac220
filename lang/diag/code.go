package diag

import "strings"

// Code says what sort of mistake a diagnostic is about. It is stable: scripts may compare it.
type Code string

// The codes of the language. Problems that schemas and kinds find have codes of their own.
const (
	Unreadable       Code = "unreadable"
	NoSpec           Code = "no-spec"
	TooLarge         Code = "too-large"
	NotUTF8          Code = "not-utf8"
	TooDeep          Code = "too-deep"
	TooMany          Code = "too-many"
	Syntax           Code = "syntax"
	Interrupted      Code = "interrupted"
	Unsupported      Code = "unsupported"
	Version          Code = "version"
	UnknownBlock     Code = "unknown-block"
	UnknownType      Code = "unknown-type"
	UnknownAttribute Code = "unknown-attribute"
	MissingAttribute Code = "missing-attribute"
	BlockNotAttr     Code = "block-for-attribute"
	WrongLabels      Code = "wrong-labels"
	BadName          Code = "bad-name"
	Duplicate        Code = "duplicate"
	Conflict         Code = "conflict"
	WrongType        Code = "wrong-type"
	BadValue         Code = "bad-value"
	BadType          Code = "bad-type"
	NotLiteral       Code = "not-literal"
	NoValue          Code = "no-value"
	BadCondition     Code = "bad-condition"
	Validation       Code = "validation"
	Sensitive        Code = "sensitive"
	UnknownName      Code = "unknown-name"
	UnknownVariable  Code = "unknown-variable"
	UnknownLocal     Code = "unknown-local"
	UnknownTarget    Code = "unknown-target"
	UnknownOutput    Code = "unknown-output"
	UnknownInstance  Code = "unknown-instance"
	UnknownFunction  Code = "unknown-function"
	BadArgument      Code = "bad-argument"
	BadExpression    Code = "bad-expression"
	BadDynamic       Code = "bad-dynamic"
	Incomplete       Code = "incomplete"
	MissingKey       Code = "missing-key"
	NoInstance       Code = "no-instance"
	Disabled         Code = "disabled"
	Cycle            Code = "cycle"
)

// summaries holds a noun phrase for each code.
var summaries = map[Code]string{
	Unreadable:       "File not readable",
	NoSpec:           "No spec here",
	TooLarge:         "Too large",
	NotUTF8:          "File is not UTF-8",
	TooDeep:          "Nested too deeply",
	TooMany:          "Too many instances",
	Syntax:           "Syntax error",
	Interrupted:      "Interrupted",
	Unsupported:      "Not supported yet",
	Version:          "Wrong version of mbuild",
	UnknownBlock:     "Unknown block",
	UnknownType:      "Unknown block type",
	UnknownAttribute: "Unknown attribute",
	MissingAttribute: "Missing attribute",
	BlockNotAttr:     "Block where an attribute is meant",
	WrongLabels:      "Wrong number of labels",
	BadName:          "Invalid name",
	Duplicate:        "Duplicate definition",
	Conflict:         "Attributes that exclude each other",
	WrongType:        "Wrong type",
	BadValue:         "Invalid value",
	BadType:          "Invalid type",
	NotLiteral:       "Value is no literal",
	NoValue:          "Variable without a value",
	BadCondition:     "Invalid condition",
	Validation:       "Invalid value for variable",
	Sensitive:        "Sensitive value",
	UnknownName:      "Unknown name",
	UnknownVariable:  "Unknown variable",
	UnknownLocal:     "Unknown local",
	UnknownTarget:    "Reference to nothing",
	UnknownOutput:    "Unknown output or attribute",
	UnknownInstance:  "Unknown instance",
	UnknownFunction:  "Unknown function",
	BadArgument:      "Invalid function argument",
	BadExpression:    "Invalid expression",
	BadDynamic:       "Invalid dynamic block",
	Incomplete:       "Incomplete reference",
	MissingKey:       "Reference without a key",
	NoInstance:       "Not inside for_each or count",
	Disabled:         "Reference to a disabled block",
	Cycle:            "Cycle",
}

// Summary is the constant noun phrase that heads every diagnostic of the code.
func (c Code) Summary() string {
	if s, ok := summaries[c]; ok {
		return s
	}
	s := strings.ReplaceAll(string(c), "-", " ")
	if s == "" {
		return "Problem"
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// Codes lists all codes of the language, for documents and tests.
func Codes() []Code {
	out := make([]Code, 0, len(summaries))
	for c := range summaries {
		out = append(out, c)
	}
	return out
}
