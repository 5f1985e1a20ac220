package lang

import (
	"fmt"
	"strings"

	"mbuild.dev/mbuild/lang/schema"
)

// SchemaCUE is the source of the CUE package mbuild.dev/std/schema: a definition for each kind, #TrainSupervised for
// `train supervised`, that blocks can be unified with.
func SchemaCUE(kinds Catalog) []byte {
	var b strings.Builder
	b.WriteString("// Package schema has a definition for each kind of block.\npackage schema\n")
	for _, family := range Families {
		for _, typ := range kinds.Types(family) {
			k := kinds.Kind(family, typ)
			fmt.Fprintf(&b, "\n%s#%s: {\n", comment(k.Doc, ""), DefinitionName(family, typ))
			schema.WriteCUE(&b, k.Struct, "\t")
			for _, o := range kinds.Outputs(family, typ) {
				fmt.Fprintf(&b, "\t// Output.\n\t%s?: _\n", o.Name)
			}
			b.WriteString("\tenabled?: bool\n\ttags?: [...string]\n\tdepends_on?: [...string]\n}\n")
		}
	}
	return []byte(b.String())
}

// DefinitionName is the name of a kind's definition in CUE, without its number sign.
func DefinitionName(family, typ string) string {
	var b strings.Builder
	for _, part := range strings.Split(family+"_"+typ, "_") {
		if part != "" {
			b.WriteString(strings.ToUpper(part[:1]) + part[1:])
		}
	}
	return b.String()
}

func comment(doc, indent string) string {
	if doc == "" {
		return ""
	}
	var b strings.Builder
	for _, line := range strings.Split(strings.TrimSpace(doc), "\n") {
		b.WriteString(strings.TrimRight(indent+"// "+line, " ") + "\n")
	}
	return b.String()
}
