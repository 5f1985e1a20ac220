package lang

import (
	"fmt"
	"io/fs"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// ModuleDoc is what a module's files say of it.
type ModuleDoc struct {
	Name      string
	Doc       string // the comment at the top of its first file
	Variables []VariableDoc
	Outputs   []OutputDoc
}

// VariableDoc is a variable as declared; Default is "" where there is none.
type VariableDoc struct{ Name, Type, Default, Description string }

// OutputDoc is an output as declared.
type OutputDoc struct{ Name, Description string }

// DescribeModule reads what a module of a library says of itself. Modules of the library are written in HCL.
func DescribeModule(lib Library, name string) (*ModuleDoc, error) {
	dir, err := lib.Open(name)
	if err != nil {
		return nil, err
	}
	names, err := specFiles(dir)
	if err != nil {
		return nil, err
	}
	doc := &ModuleDoc{Name: "std/" + name}
	for i, file := range names {
		src, err := fs.ReadFile(dir, file)
		if err != nil {
			return nil, err
		}
		body, diags := parseHCL(src, file)
		if diags.HasErrors() {
			return nil, diags
		}
		if i == 0 {
			doc.Doc = topComment(string(src))
		}
		for _, b := range body.Blocks {
			doc.add(b, src)
		}
	}
	return doc, nil
}

func topComment(src string) string {
	var lines []string
	for _, line := range strings.Split(src, "\n") {
		text, ok := strings.CutPrefix(line, "#")
		if !ok {
			break
		}
		lines = append(lines, strings.TrimSpace(text))
	}
	return strings.Join(lines, " ")
}

func (d *ModuleDoc) add(b *hclsyntax.Block, src []byte) {
	text := func(name string) string {
		a := b.Body.Attributes[name]
		if a == nil {
			return ""
		}
		if name == "description" {
			if v, diags := a.Expr.Value(nil); !diags.HasErrors() {
				return v.AsString()
			}
		}
		return string(a.Expr.Range().SliceBytes(src))
	}
	switch b.Type {
	case "variable":
		d.Variables = append(d.Variables, VariableDoc{b.Labels[0], text("type"), text("default"), text("description")})
	case "output":
		d.Outputs = append(d.Outputs, OutputDoc{b.Labels[0], text("description")})
	}
}

// Markdown is the module's section of docs/modules.md.
func (d *ModuleDoc) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n%s\n\n| input | type | default | |\n|---|---|---|---|\n", d.Name, d.Doc)
	for _, v := range d.Variables {
		typ, dflt := v.Type, v.Default
		if typ == "" {
			typ = "any"
		}
		if dflt == "" {
			dflt = "required"
		} else {
			dflt = "`" + dflt + "`"
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s |\n", v.Name, typ, dflt, v.Description)
	}
	b.WriteString("\n| output | |\n|---|---|\n")
	for _, o := range d.Outputs {
		fmt.Fprintf(&b, "| `%s` | %s |\n", o.Name, o.Description)
	}
	return b.String()
}
