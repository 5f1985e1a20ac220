package stdlib

import (
	"fmt"
	"strings"

	"mbuild.dev/mbuild/lang"
	"mbuild.dev/mbuild/lang/schema"
)

// KindsMarkdown is docs/kinds.md: what every kind takes and gives, with an example in both syntaxes.
func KindsMarkdown() string {
	var b strings.Builder
	b.WriteString("# Kinds\n\nGenerated from each kind's `schema.cue`. Every block may also have `for_each` or `count`, `depends_on`, `enabled` and `tags`\n(docs/language.md). The examples are planned by a test.\n")
	for _, k := range Kinds() {
		fmt.Fprintf(&b, "\n## %s %q\n\n%s\n\n", k.Family, k.Type, strings.TrimSpace(k.Schema.Doc))
		for _, o := range k.Outputs {
			fmt.Fprintf(&b, "- output `.%s`: %s (`%s`)\n", o.Name, o.Type, o.MediaType)
		}
		b.WriteString("\n" + schema.Markdown(k.Schema.Struct))
		for _, syntax := range []string{"hcl", "cue"} {
			if src, err := Example(k.Family, k.Type, syntax); err == nil {
				fmt.Fprintf(&b, "\n```%s\n%s```\n", syntax, src)
			}
		}
	}
	return b.String()
}

// ModulesMarkdown is docs/modules.md: the modules that come with mbuild.
func ModulesMarkdown() string {
	var b strings.Builder
	b.WriteString("# Modules\n\nModules that come with mbuild, generated from their variables and outputs. Call one with `module \"NAME\" { source = \"std/…\" }` in HCL, or\n`module: NAME: {source: \"std/…\", inputs: {…}}` in CUE. Their sources are specs like any other, in `stdlib/modules`.\n")
	for _, name := range Modules.Modules() {
		doc, err := lang.DescribeModule(Modules, name)
		if err != nil {
			panic(err) // a module of the program that does not parse
		}
		b.WriteString("\n" + doc.Markdown())
	}
	return b.String()
}
