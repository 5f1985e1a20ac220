// Package lock reads and writes mbuild.lock.hcl, which is checked in beside a spec and holds what the spec takes from outside
// by digest: plugins of backends, and the files of checkpoints, by their directory relative to the spec.
//
//	backend "xla:cpu" {
//	  plugin "linux/amd64" {
//	    digest = "sha256:…"
//	    source = "a_wheel.whl"
//	  }
//	}
//
//	checkpoint "minilm" {
//	  files = {
//	    "config.json"       = "sha256:…"
//	    "model.safetensors" = "sha256:…"
//	  }
//	}
//
// The nouns: File (the lock of a directory), Pin (one plugin for one platform), Sum (one file of a checkpoint). Blocks of other types
// belong to others and are kept as they are, comments included. Invariant: what is read has well-formed digests, and says nothing twice.
package lock

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"mbuild.dev/mbuild/lang"
)

// Name is the name of the file.
const Name = "mbuild.lock.hcl"

// Pin says which plugin a backend uses on a platform.
type Pin struct {
	Backend  string // "xla:cpu"
	Platform string // "linux/amd64"
	Digest   string // "sha256:<hex>"
	Source   string // the file or wheel it came from, for people
	Range    hcl.Range
}

// Sum is the digest of one file of a checkpoint.
type Sum struct {
	Path   string // relative to the spec, with slashes: "minilm/config.json"
	Digest string // "sha256:<hex>"
	Range  hcl.Range
}

// File is the lock of one directory.
type File struct {
	Path string
	Pins []Pin // by backend and platform
	Sums []Sum // by path

	text []byte
}

// Read reads the lock of a directory. One that is not there is empty.
func Read(dir string) (*File, hcl.Diagnostics) {
	f := &File{Path: filepath.Join(dir, Name)}
	text, err := os.ReadFile(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return nil, hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Lock file is not readable", Detail: err.Error() + "."}}
	}
	if diags := f.parse(text); diags.HasErrors() {
		return nil, diags
	}
	return f, nil
}

// parse reads the text of a lock.
func (f *File) parse(text []byte) hcl.Diagnostics {
	if !utf8.Valid(text) {
		return hcl.Diagnostics{wrong(hcl.Range{Filename: Name, Start: hcl.InitialPos, End: hcl.InitialPos}, "It is not UTF-8 text.")}
	}
	parsed, diags := hclsyntax.ParseConfig(text, Name, hcl.InitialPos)
	if diags.HasErrors() {
		return diags
	}
	f.text = text
	for _, b := range parsed.Body.(*hclsyntax.Body).Blocks {
		switch b.Type {
		case "backend":
			diags = append(diags, f.backend(b)...)
		case "checkpoint":
			diags = append(diags, f.checkpoint(b)...)
		}
	}
	slices.SortFunc(f.Pins, func(a, b Pin) int { return strings.Compare(a.Backend+" "+a.Platform, b.Backend+" "+b.Platform) })
	slices.SortFunc(f.Sums, func(a, b Sum) int { return strings.Compare(a.Path, b.Path) })
	return diags
}

func (f *File) backend(b *hclsyntax.Block) (diags hcl.Diagnostics) {
	if len(b.Labels) != 1 {
		return hcl.Diagnostics{wrong(b.DefRange(), "A backend of the lock is written: backend \"xla:cpu\" { plugin \"linux/amd64\" { digest = \"sha256:…\" } }.")}
	}
	for _, p := range b.Body.Blocks {
		if p.Type != "plugin" || len(p.Labels) != 1 {
			diags = append(diags, wrong(p.DefRange(), "A backend of the lock has blocks plugin \"os/arch\" { digest = \"sha256:…\" }, and no others."))
			continue
		}
		pin := Pin{Backend: b.Labels[0], Platform: p.Labels[0], Range: p.DefRange()}
		var d hcl.Diagnostics
		pin.Digest, d = text(p, "digest")
		diags = append(diags, d...)
		pin.Source, d = text(p, "source")
		diags = append(diags, d...)
		if !digest.MatchString(pin.Digest) {
			diags = append(diags, wrong(p.DefRange(), "The digest of plugin %q is %q. Write sha256: and 64 hexadecimal digits, or let mbuild backend pin write it.", pin.Platform, pin.Digest))
		}
		if old, ok := f.Plugin(pin.Backend, pin.Platform); ok {
			diags = append(diags, wrong(p.DefRange(), "Backend %q has a plugin for %s already, at line %d. Remove one of them.", pin.Backend, pin.Platform, old.Range.Start.Line))
		}
		f.Pins = append(f.Pins, pin)
	}
	return diags
}

const checkpointForm = "A checkpoint of the lock is written: checkpoint \"DIRECTORY\" { files = { \"FILE\" = \"sha256:…\" } }."

func (f *File) checkpoint(b *hclsyntax.Block) (diags hcl.Diagnostics) {
	files := b.Body.Attributes["files"]
	if len(b.Labels) != 1 || len(b.Body.Blocks) > 0 || len(b.Body.Attributes) != 1 || files == nil {
		return hcl.Diagnostics{wrong(b.DefRange(), checkpointForm)}
	}
	list, ok := files.Expr.(*hclsyntax.ObjectConsExpr)
	if !ok {
		return hcl.Diagnostics{wrong(files.Expr.Range(), checkpointForm)}
	}
	for _, item := range list.Items {
		name, ok := literal(item.KeyExpr)
		sum, isText := literal(item.ValueExpr)
		at := hcl.RangeBetween(item.KeyExpr.Range(), item.ValueExpr.Range())
		switch {
		case !ok || name == "" || strings.Contains(name, "/"):
			diags = append(diags, wrong(at, "Files of a checkpoint have their names alone: their directory is %q.", b.Labels[0]))
			continue
		case !isText || !digest.MatchString(sum):
			diags = append(diags, wrong(at, "The digest of %q is %q. Write sha256: and 64 hexadecimal digits, or let mbuild lock write it.", name, sum))
			continue
		}
		s := Sum{Path: path.Join(b.Labels[0], name), Digest: sum, Range: at}
		if old, ok := f.Sum(s.Path); ok {
			diags = append(diags, wrong(at, "There is a digest of %s already, at line %d. Remove one of them.", s.Path, old.Range.Start.Line))
			continue
		}
		f.Sums = append(f.Sums, s)
	}
	return diags
}

// literal is a string that needs no evaluation; false for anything else.
func literal(e hcl.Expression) (string, bool) {
	v, diags := e.Value(nil)
	if diags.HasErrors() || v.IsNull() || !v.IsKnown() || v.Type() != cty.String {
		return "", false
	}
	return v.AsString(), true
}

var digest = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// text is a literal string attribute, "" when it is absent.
func text(b *hclsyntax.Block, name string) (string, hcl.Diagnostics) {
	a := b.Body.Attributes[name]
	if a == nil {
		return "", nil
	}
	s, ok := literal(a.Expr)
	if !ok {
		return "", hcl.Diagnostics{wrong(a.Expr.Range(), "%q needs a literal string.", name)}
	}
	return s, nil
}

func wrong(at hcl.Range, format string, args ...any) *hcl.Diagnostic {
	return lang.Errorf("bad-lock", lang.Addr{}, at, "Lock file is not in order", format, args...)
}

// Plugin is the pin of a backend on a platform.
func (f *File) Plugin(backend, platform string) (Pin, bool) {
	for _, p := range f.Pins {
		if p.Backend == backend && p.Platform == platform {
			return p, true
		}
	}
	return Pin{}, false
}

// Sum is the digest that a file of a checkpoint must have.
func (f *File) Sum(file string) (Sum, bool) {
	file = cty.NormalizeString(file)
	for _, s := range f.Sums {
		if s.Path == file {
			return s, true
		}
	}
	return Sum{}, false
}

// Set adds a pin or puts it in the place of the one for its backend and platform, and writes the file.
func (f *File) Set(p Pin) error {
	return f.edit(func(root *hclwrite.Body) {
		b := root.FirstMatchingBlock("backend", []string{p.Backend})
		if b == nil {
			if len(root.Blocks()) > 0 {
				root.AppendNewline()
			}
			b = root.AppendNewBlock("backend", []string{p.Backend})
		}
		plugin := b.Body().FirstMatchingBlock("plugin", []string{p.Platform})
		if plugin == nil {
			plugin = b.Body().AppendNewBlock("plugin", []string{p.Platform})
		}
		plugin.Body().SetAttributeValue("digest", cty.StringVal(p.Digest))
		plugin.Body().RemoveAttribute("source")
		if p.Source != "" {
			plugin.Body().SetAttributeValue("source", cty.StringVal(p.Source))
		}
	})
}

// Drop removes the pin of a backend on a platform and writes the file; false when there is none.
func (f *File) Drop(backend, platform string) (bool, error) {
	if _, ok := f.Plugin(backend, platform); !ok {
		return false, nil
	}
	return true, f.edit(func(root *hclwrite.Body) {
		b := root.FirstMatchingBlock("backend", []string{backend})
		b.Body().RemoveBlock(b.Body().FirstMatchingBlock("plugin", []string{platform}))
		if len(b.Body().Blocks()) == 0 {
			root.RemoveBlock(b)
		}
	})
}

// Lock adds the digests of files, or puts them in the place of those that they have, and writes the file.
func (f *File) Lock(sums map[string]string) error { // by path
	if len(sums) == 0 {
		return nil
	}
	all := f.byDirectory()
	changed := map[string]bool{}
	for file, sum := range sums {
		file = cty.NormalizeString(file)
		dir := path.Dir(file)
		if all[dir] == nil {
			all[dir] = map[string]cty.Value{}
		}
		all[dir][path.Base(file)], changed[dir] = cty.StringVal(sum), true
	}
	return f.edit(func(root *hclwrite.Body) { putCheckpoints(root, all, changed) })
}

// Unlock removes the digests of files, given by path or by directory, and writes the file. It returns the paths of those it removed.
func (f *File) Unlock(paths ...string) ([]string, error) {
	all := f.byDirectory()
	changed := map[string]bool{}
	var gone []string
	for _, s := range f.Sums {
		dir, name := path.Dir(s.Path), path.Base(s.Path)
		if !slices.ContainsFunc(paths, func(p string) bool { return Within(p, s.Path) }) {
			continue
		}
		delete(all[dir], name)
		changed[dir], gone = true, append(gone, s.Path)
	}
	if len(gone) == 0 {
		return nil, nil
	}
	return gone, f.edit(func(root *hclwrite.Body) { putCheckpoints(root, all, changed) })
}

// Within reports that a file is the one at a path, or below the directory there.
func Within(p, file string) bool {
	p, file = cty.NormalizeString(path.Clean(p)), cty.NormalizeString(file)
	return p == file || p == "." && !path.IsAbs(file) && file != ".." && !strings.HasPrefix(file, "../") || strings.HasPrefix(file, p+"/")
}

// byDirectory are the digests of files by directory and name.
func (f *File) byDirectory() map[string]map[string]cty.Value {
	all := map[string]map[string]cty.Value{}
	for _, s := range f.Sums {
		dir := path.Dir(s.Path)
		if all[dir] == nil {
			all[dir] = map[string]cty.Value{}
		}
		all[dir][path.Base(s.Path)] = cty.StringVal(s.Digest)
	}
	return all
}

// putCheckpoints makes the blocks of the directories that changed say what they are to say: one block each, and none of what is empty.
func putCheckpoints(root *hclwrite.Body, all map[string]map[string]cty.Value, changed map[string]bool) {
	for _, dir := range slices.Sorted(maps.Keys(changed)) {
		var block *hclwrite.Block
		for _, b := range root.Blocks() {
			if b.Type() != "checkpoint" || len(b.Labels()) != 1 || path.Clean(b.Labels()[0]) != dir {
				continue
			}
			if block != nil || len(all[dir]) == 0 {
				root.RemoveBlock(b)
			} else {
				block = b
			}
		}
		if len(all[dir]) == 0 {
			continue
		}
		if block == nil {
			if len(root.Blocks()) > 0 {
				root.AppendNewline()
			}
			block = root.AppendNewBlock("checkpoint", []string{dir})
		}
		block.Body().SetAttributeValue("files", cty.ObjectVal(all[dir]))
	}
}

// edit changes the text, replaces the file as a whole and reads it again.
func (f *File) edit(change func(*hclwrite.Body)) error {
	text := f.text
	if len(text) == 0 {
		text = []byte("# Written by mbuild; check it in. It holds what the spec takes from outside, by digest.\n\n")
	}
	if text[len(text)-1] != '\n' {
		text = append(slices.Clone(text), '\n') // else what follows a comment would be of it
	}
	file, diags := hclwrite.ParseConfig(text, Name, hcl.InitialPos)
	if diags.HasErrors() {
		return fmt.Errorf("%s: %w", f.Path, diags)
	}
	change(file.Body())
	now := File{Path: f.Path}
	text = hclwrite.Format(file.Bytes())
	if diags := now.parse(text); diags.HasErrors() {
		return fmt.Errorf("%s: %w", f.Path, diags)
	}
	tmp, err := os.CreateTemp(filepath.Dir(f.Path), ".lock-")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(text)
	if err := errors.Join(err, tmp.Chmod(0o644), tmp.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), f.Path); err != nil {
		return err
	}
	*f = now
	return nil
}
