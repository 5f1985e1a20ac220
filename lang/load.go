package lang

import (
	"context"
	"errors"
	"io"
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
	src, err := readRegular(filepath.Join(dir, name))
	if err != nil {
		return nil, hcl.Diagnostics{problem("unreadable", place(nil, name, 0), "File not readable", "%s: %v", name, plain(err))}
	}
	if d := refuse(src, name, false); d != nil {
		return &hcl.File{Bytes: src}, hcl.Diagnostics{d}
	}
	return hclparse.NewParser().ParseHCL(src, name)
}

// readRegular reads a regular file, and of it no more than one byte beyond the limit: nothing else ends, or ends soon.
func readRegular(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is no regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFile+1))
}

// refuse reports what the parsers cannot be given; nil when they can.
func refuse(src []byte, name string, isJSON bool) *hcl.Diagnostic {
	if len(src) > maxFile {
		return problem("too-large", place(nil, name, 0), "File too large", "%s is larger than %d bytes. Put data into files of its own, and read them with functions.", name, maxFile)
	}
	if bad := firstBad(src); bad < len(src) {
		return problem("not-utf8", place(src, name, bad), "File is not UTF-8", "%s holds bytes that are no UTF-8 text. Save it as UTF-8.", name)
	}
	if isJSON {
		depth, at, long := measureJSON(src)
		if long >= 0 {
			return problem("too-large", place(src, name, long), "String too long", "This string is longer than %d bytes. Put the text into a file of its own and read it with file().", maxJSON)
		}
		return tooDeep(src, name, at, depth, 0)
	}
	depth, chain, at := measure(src, false)
	return tooDeep(src, name, at, depth, chain)
}

func tooDeep(src []byte, name string, at, depth, chain int) *hcl.Diagnostic {
	switch {
	case depth > maxDepth:
		return problem("too-deep", place(src, name, at), "Nested too deeply", "Brackets, blocks and strings nest more than %d levels deep here.", maxDepth)
	case chain > maxChain:
		return problem("too-deep", place(src, name, at), "Nested too deeply", "This expression has more than %d operators. Split it into locals.", maxChain)
	}
	return nil
}

// firstBad is the offset of the first byte that is not UTF-8, the length when all are.
func firstBad(src []byte) int {
	if utf8.Valid(src) {
		return len(src)
	}
	for i := 0; i < len(src); {
		r, n := utf8.DecodeRune(src[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return len(src)
}
