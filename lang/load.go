package lang

import (
	"context"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Request says what to load.
type Request struct {
	Dir      string
	Kinds    Catalog
	Vars     []VarArg                         // -var, in the order given
	VarFiles []string                         // -var-file, in the order given
	Env      func(name string) (string, bool) // os.LookupEnv; nil reads nothing
}

// VarArg is one -var name=value.
type VarArg struct{ Name, Value string }

// Load reads, evaluates and checks the spec of a directory. It returns a Spec even beside errors, so that tools can look at
// what is well; the Spec is complete only without errors.
func Load(ctx context.Context, req Request) (*Spec, hcl.Diagnostics) {
	m := &module{req: req, spec: &Spec{Dir: req.Dir, Variables: map[string]any{}, Files: map[string]*hcl.File{}}}
	names, err := specFiles(req.Dir)
	if err != nil {
		m.report(problem("unreadable", hcl.Range{Filename: req.Dir}, "Directory not readable", "%v", err))
		return m.spec, m.diags
	}
	if len(names) == 0 {
		m.report(problem("no-spec", hcl.Range{Filename: req.Dir}, "No spec here",
			"There is no file *.mbuild.hcl in %s. Use -C DIR to name another directory.", req.Dir))
		return m.spec, m.diags
	}
	m.parse(names)
	if m.diags.HasErrors() {
		return m.spec, m.diags
	}
	m.declare()
	m.loadVariables()
	if m.diags.HasErrors() {
		return m.spec, m.diags
	}
	m.evaluate(ctx)
	return m.spec, m.diags
}

// specFiles lists the spec files of a directory in lexical order.
func specFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".mbuild.hcl") && !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	sort.Strings(names)
	return names, nil
}

// limits on what is parsed, far above what people write.
const (
	maxFile  = 64 << 20
	maxDepth = 200
)

// parse reads all files in parallel.
func (m *module) parse(names []string) {
	files := make([]*hcl.File, len(names))
	diags := make([]hcl.Diagnostics, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Go(func() { files[i], diags[i] = parseFile(m.req.Dir, name) })
	}
	wg.Wait()
	for i, name := range names {
		for _, d := range diags[i] {
			m.report(d)
		}
		if files[i] != nil {
			m.spec.Files[name] = files[i]
			if body, ok := files[i].Body.(*hclsyntax.Body); ok && !diags[i].HasErrors() {
				m.bodies = append(m.bodies, body)
			}
		}
	}
}

func parseFile(dir, name string) (*hcl.File, hcl.Diagnostics) {
	at := hcl.Range{Filename: name, Start: hcl.InitialPos, End: hcl.InitialPos}
	src, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return nil, hcl.Diagnostics{problem("unreadable", at, "File not readable", "%s: %v", name, err)}
	}
	if len(src) > maxFile {
		return nil, hcl.Diagnostics{problem("too-large", at, "File too large", "%s has %d bytes; a spec file may have %d.", name, len(src), maxFile)}
	}
	if !utf8.Valid(src) {
		return nil, hcl.Diagnostics{problem("not-utf8", badByte(src, at), "File is not UTF-8", "%s holds bytes that are no UTF-8 text. Save it as UTF-8.", name)}
	}
	if depth, at := nesting(src, at); depth > maxDepth {
		return nil, hcl.Diagnostics{problem("too-deep", at, "Nested too deeply", "%s nests brackets more than %d levels deep.", name, maxDepth)}
	}
	return hclparse.NewParser().ParseHCL(src, name)
}

// badByte is the place of the first byte that is not UTF-8.
func badByte(src []byte, at hcl.Range) hcl.Range {
	line := 1
	start := 0
	for i := 0; i < len(src); {
		r, n := utf8.DecodeRune(src[i:])
		if r == utf8.RuneError && n == 1 {
			p := hcl.Pos{Line: line, Column: i - start + 1, Byte: i}
			at.Start, at.End = p, p
			return at
		}
		if r == '\n' {
			line++
			start = i + 1
		}
		i += n
	}
	return at
}

// nesting is an upper bound of how deeply brackets nest, so that the recursive parser is never given what would exhaust its
// stack. Brackets inside strings and comments count too; nobody writes hundreds of those unclosed.
func nesting(src []byte, at hcl.Range) (int, hcl.Range) {
	depth, deepest, line := 0, 0, 1
	for i, c := range src {
		switch c {
		case '{', '[', '(':
			if depth++; depth > deepest {
				deepest = depth
				at.Start = hcl.Pos{Line: line, Column: 1, Byte: i}
				at.End = at.Start
			}
		case '}', ']', ')':
			depth = max(0, depth-1)
		case '\n':
			line++
		}
	}
	return deepest, at
}
