package lang

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"mbuild.dev/mbuild/lang/cuefile"
)

// Library holds the modules that come with mbuild: sources "std/NAME".
type Library interface {
	Modules() []string               // sorted
	Open(name string) (fs.FS, error) // the module's files at the top
}

// source is the files of a module, parsed; instances of the module share it.
type source struct {
	dir    string // as messages name it: relative to the root, "" for the root itself, "std/mlp" for a module of the library
	std    bool
	bodies []*hclsyntax.Body // HCL in either of its syntaxes
	cue    *cuefile.Package  // nil for HCL
}

// suffixes of spec files.
const (
	suffixHCL  = ".mbuild.hcl"
	suffixJSON = ".mbuild.hcl.json"
	suffixCUE  = ".mbuild.cue"
)

// IsSpecFile reports whether a file of that name is read as part of a spec.
func IsSpecFile(name string) bool {
	return strings.HasSuffix(name, suffixHCL) || strings.HasSuffix(name, suffixJSON) || strings.HasSuffix(name, suffixCUE)
}

// openRoot reads the files of the root module.
func (l *loader) openRoot() *source {
	dir := os.DirFS(l.req.Dir)
	names, err := specFiles(dir)
	if err != nil {
		l.report(problem("unreadable", hcl.Range{Filename: l.req.Dir}, "Directory not readable", "%v", err))
		return nil
	}
	if len(names) == 0 {
		l.report(problem("no-spec", hcl.Range{Filename: l.req.Dir}, "No spec here",
			"There is no file *.mbuild.hcl or *.mbuild.cue in %s. Use -C DIR to name another directory, or mbuild init to begin a spec here.", l.req.Dir))
		return nil
	}
	l.read.list("", names)
	return l.parse(&source{}, dir, names)
}

// specFiles lists the spec files of a directory in lexical order.
func specFiles(dir fs.FS) ([]string, error) {
	entries, err := fs.ReadDir(dir, ".")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if IsSpecFile(e.Name()) && !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	sort.Strings(names)
	return names, nil
}

// parse reads the named files of a module in parallel.
func (l *loader) parse(s *source, dir fs.FS, names []string) *source {
	if !l.oneSyntax(s, names) {
		return nil
	}
	type parsed struct {
		src   []byte
		body  *hclsyntax.Body
		cue   *cuefile.File
		diags hcl.Diagnostics
	}
	files := make([]parsed, len(names))
	var wg sync.WaitGroup
	slots := make(chan struct{}, 8)
	for i, name := range names {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			f := &files[i]
			shown := path.Join(s.dir, name)
			if f.src, f.diags = readSpec(dir, name, shown); f.diags.HasErrors() {
				return
			}
			switch {
			case strings.HasSuffix(name, suffixCUE):
				f.cue, f.diags = parseCUE(f.src, shown)
			case strings.HasSuffix(name, suffixJSON):
				f.body, f.diags = parseJSON(f.src, shown, l.req.Kinds)
			default:
				f.body, f.diags = parseHCL(f.src, shown)
			}
		})
	}
	wg.Wait()
	var cues []*cuefile.File
	for i, name := range names {
		shown := path.Join(s.dir, name)
		l.spec.Files[shown] = &hcl.File{Bytes: files[i].src}
		if !s.std {
			l.read.file(shown, files[i].src)
		}
		for _, d := range files[i].diags {
			l.report(d)
		}
		if files[i].body != nil && !files[i].diags.HasErrors() {
			s.bodies = append(s.bodies, files[i].body)
		}
		if files[i].cue != nil {
			cues = append(cues, files[i].cue)
		}
	}
	if cues != nil {
		s.cue = cuefile.NewPackage(cues)
	}
	return s
}

// oneSyntax reports a module that mixes HCL and CUE.
func (l *loader) oneSyntax(s *source, names []string) bool {
	var hclFile, cueFile string
	for _, n := range names {
		if strings.HasSuffix(n, suffixCUE) {
			cueFile = n
		} else {
			hclFile = n
		}
	}
	if hclFile == "" || cueFile == "" {
		return true
	}
	l.report(problem("mixed", place(nil, path.Join(s.dir, cueFile), 0), "Two syntaxes in one module",
		"%s is HCL and %s is CUE: a module is written in one of them. Move one of the two to a directory of its own and call it as a module.", hclFile, cueFile))
	return false
}

func parseHCL(src []byte, name string) (*hclsyntax.Body, hcl.Diagnostics) {
	f, diags := hclparse.NewParser().ParseHCL(src, name)
	for i, d := range diags {
		diags[i] = libraryDiagnostic(d, "syntax")
	}
	if diags.HasErrors() {
		return nil, diags
	}
	body := f.Body.(*hclsyntax.Body)
	return body, append(diags, duplicateKeys(body)...)
}

func parseCUE(src []byte, name string) (*cuefile.File, hcl.Diagnostics) {
	f, problems := cuefile.Parse(name, src)
	return f, cueDiagnostics(problems)
}

// readSpec reads a spec file and refuses what the parsers cannot be given.
func readSpec(dir fs.FS, name, shown string) ([]byte, hcl.Diagnostics) {
	src, err := readRegular(dir, name)
	if err != nil {
		return nil, hcl.Diagnostics{problem("unreadable", place(nil, shown, 0), "File not readable", "%s: %v.", shown, plain(err))}
	}
	syntax := syntaxHCL
	switch {
	case strings.HasSuffix(name, suffixJSON):
		syntax = syntaxJSON
	case strings.HasSuffix(name, suffixCUE):
		syntax = syntaxCUE
	}
	if d := refuse(src, shown, syntax); d != nil {
		return src, hcl.Diagnostics{d}
	}
	return src, nil
}

// readRegular reads a regular file, and of it no more than one byte beyond the limit: nothing else ends, or ends soon. A
// symbolic link must stay inside the directory.
func readRegular(dir fs.FS, name string) ([]byte, error) {
	if real, ok := dir.(interface{ ReadLink(string) (string, error) }); ok {
		if to, err := real.ReadLink(name); err == nil {
			if clean := path.Clean(filepath.ToSlash(to)); path.IsAbs(clean) || clean == ".." || strings.HasPrefix(clean, "../") {
				return nil, errors.New("it is a symbolic link that leads out of its directory; copy the file, or make the other directory a module")
			}
		}
	}
	f, err := dir.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is no regular file")
	}
	return io.ReadAll(io.LimitReader(f, maxFile+1))
}

// syntax is what a text is written in.
type syntax uint8

const (
	syntaxHCL syntax = iota
	syntaxJSON
	syntaxCUE
)

// refuse reports what the parsers cannot be given; nil when they can.
func refuse(src []byte, name string, s syntax) *hcl.Diagnostic {
	if len(src) > maxFile {
		return problem("too-large", place(nil, name, 0), "File too large", "%s is larger than %d bytes. Put data into files of its own, and read them with functions.", name, maxFile)
	}
	if bad := firstBad(src); bad < len(src) {
		return problem("not-utf8", place(src, name, bad), "File is not UTF-8", "%s holds bytes that are no UTF-8 text. Save it as UTF-8.", name)
	}
	switch s {
	case syntaxJSON:
		depth, at, long := measureJSON(src)
		if long >= 0 {
			return problem("too-large", place(src, name, long), "String too long", "This string is longer than %d bytes. Put the text into a file of its own and read it with file().", maxJSON)
		}
		return tooDeep(src, name, at, depth, 0)
	case syntaxCUE:
		depth, chain, at := measureCUE(src)
		return tooDeep(src, name, at, depth, chain)
	}
	depth, chain, at := measure(src, false)
	return tooDeep(src, name, at, depth, chain)
}

func tooDeep(src []byte, name string, at, depth, chain int) *hcl.Diagnostic {
	switch {
	case depth > maxDepth:
		return problem("too-deep", place(src, name, at), "Nested too deeply", "Brackets, blocks and strings nest more than %d levels deep here.", maxDepth)
	case chain > maxChain:
		return problem("too-deep", place(src, name, at), "Nested too deeply", "This expression has more than %d operators. Split it into several.", maxChain)
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

func digestOf(b []byte) string {
	s := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(s[:])
}

// duplicateKeys reports keys that stand twice in one object. HCL would take the last without a word.
func duplicateKeys(body *hclsyntax.Body) hcl.Diagnostics {
	var diags hcl.Diagnostics
	_ = hclsyntax.VisitAll(body, func(n hclsyntax.Node) hcl.Diagnostics {
		o, ok := n.(*hclsyntax.ObjectConsExpr)
		if !ok {
			return nil
		}
		seen := make(map[string]hcl.Range, len(o.Items))
		for _, item := range o.Items {
			name := hcl.ExprAsKeyword(item.KeyExpr)
			if name == "" {
				if v, d := item.KeyExpr.Value(nil); !d.HasErrors() && !v.IsNull() && v.IsKnown() && v.Type() == cty.String {
					name = v.AsString()
				}
			}
			if at, twice := seen[name]; twice && name != "" {
				diags = append(diags, problem("duplicate", item.KeyExpr.Range(), "Duplicate key", "There is a key %q in this object already, at line %d. Remove one of them.", name, at.Start.Line))
			}
			seen[name] = item.KeyExpr.Range()
		}
		return nil
	})
	return diags
}
