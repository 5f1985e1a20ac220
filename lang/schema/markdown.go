package schema

import (
	"fmt"
	"slices"
	"strings"
)

// Markdown is a table of the attributes of a struct; those of nested blocks follow under their path.
func Markdown(t *Type) string {
	var b strings.Builder
	b.WriteString("| attribute | takes | default | |\n|---|---|---|---|\n")
	rows(&b, t, "", nil)
	return b.String()
}

func rows(b *strings.Builder, t *Type, prefix string, labels []string) {
	for _, f := range t.Fields {
		if slices.Contains(labels, f.Name) {
			continue
		}
		name := prefix + f.Name
		takes, dflt := Describe(f.Type), ""
		switch {
		case f.Required:
			dflt = "required"
		case f.Default != nil && f.Type.Op != Struct:
			dflt = "`" + Show(f.Default) + "`"
		}
		if nested, repeated := f.Type.Nested(); nested {
			takes = blockText(f, repeated)
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", name, strings.ReplaceAll(takes, "|", "\\|"), dflt, strings.ReplaceAll(strings.TrimSpace(docSentence(f.Type.Doc)), "|", "\\|"))
		nestedRows(b, f.Type, name)
	}
}

// blockText says how a nested block is written.
func blockText(f Field, repeated bool) string {
	s := "block `" + f.Name
	for _, l := range f.Type.Labels {
		s += " \"" + strings.ToUpper(l) + "\""
	}
	s += " { … }`"
	if repeated {
		s += ", repeated"
	}
	return s
}

func nestedRows(b *strings.Builder, t *Type, name string) {
	if nested, _ := t.Nested(); !nested {
		return
	}
	elem := t
	if t.Op == List || t.Op == Map {
		elem = t.Elem
	}
	if elem.Tag == "" {
		rows(b, elem, name+".", t.Labels)
		return
	}
	for _, tag := range elem.Tags() {
		arm := elem.Arm(tag)
		if doc := docSentence(arm.Doc); doc != "" || len(arm.Fields) <= len(t.Labels) {
			fmt.Fprintf(b, "| `%s \"%s\"` | | | %s |\n", name, tag, strings.TrimSpace(doc))
		}
		rows(b, arm, name+" \""+tag+"\" ", t.Labels)
	}
}
