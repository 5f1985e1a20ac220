// Package lock reads and writes mbuild.lock.hcl, which is checked in beside a spec and holds what the spec takes from outside
// by digest. This package knows its pins of backends' plugins:
//
//	backend "xla:cpu" {
//	  plugin "linux/amd64" {
//	    digest = "sha256:…"
//	    source = "a_wheel.whl"
//	  }
//	}
//
// The nouns: File (the lock of a directory), Pin (one plugin for one platform). Blocks of other types belong to others and are
// kept as they are, comments included. Invariant: a pin that is read has a well-formed digest.
package lock

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

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

// File is the lock of one directory.
type File struct {
	Path string
	Pins []Pin // by backend and platform

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
	f.text = text
	parsed, diags := hclsyntax.ParseConfig(text, Name, hcl.InitialPos)
	if diags.HasErrors() {
		return nil, diags
	}
	for _, b := range parsed.Body.(*hclsyntax.Body).Blocks {
		if b.Type == "backend" {
			diags = append(diags, f.backend(b)...)
		}
	}
	if diags.HasErrors() {
		return nil, diags
	}
	f.sort()
	return f, nil
}

func (f *File) sort() {
	slices.SortFunc(f.Pins, func(a, b Pin) int { return strings.Compare(a.Backend+" "+a.Platform, b.Backend+" "+b.Platform) })
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

var digest = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// text is a literal string attribute, "" when it is absent.
func text(b *hclsyntax.Block, name string) (string, hcl.Diagnostics) {
	a := b.Body.Attributes[name]
	if a == nil {
		return "", nil
	}
	v, diags := a.Expr.Value(nil)
	if diags.HasErrors() || v.IsNull() || v.Type() != cty.String {
		return "", hcl.Diagnostics{wrong(a.Expr.Range(), "%q needs a literal string.", name)}
	}
	return v.AsString(), nil
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
	}, append(slices.DeleteFunc(slices.Clone(f.Pins), func(q Pin) bool { return q.Backend == p.Backend && q.Platform == p.Platform }), p))
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
	}, slices.DeleteFunc(slices.Clone(f.Pins), func(q Pin) bool { return q.Backend == backend && q.Platform == platform }))
}

// edit changes the text and replaces the file as a whole.
func (f *File) edit(change func(*hclwrite.Body), pins []Pin) error {
	text := f.text
	if len(text) == 0 {
		text = []byte("# Written by mbuild; check it in. It holds what the spec takes from outside, by digest.\n\n")
	}
	file, diags := hclwrite.ParseConfig(text, Name, hcl.InitialPos)
	if diags.HasErrors() {
		return fmt.Errorf("%s: %w", f.Path, diags)
	}
	change(file.Body())
	tmp, err := os.CreateTemp(filepath.Dir(f.Path), ".lock-")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(hclwrite.Format(file.Bytes()))
	if err := errors.Join(err, tmp.Chmod(0o644), tmp.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), f.Path); err != nil {
		return err
	}
	f.text, f.Pins = file.Bytes(), pins
	f.sort()
	return nil
}
