package lang

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"
)

// The spec cache: one file with the evaluated spec and with everything its evaluation looked at. A Load first holds all of
// that against what there is now; every source is read and hashed again, so a stale entry cannot be used. A spec that any
// sensitive value has gone into is not kept: nothing of it goes to disk. packfile.go has the file.

// cacheHeader says what the entry was made of.
type cacheHeader struct {
	Program string   `json:"program"` // version, and the executable's size and time
	Kinds   []string `json:"kinds"`
	Vars    []VarArg `json:"vars"`
	Files   []string `json:"var_files"`
	Reads   Reads    `json:"reads"`
}

func requestHeader(req Request) cacheHeader {
	h := cacheHeader{Program: req.Version + " " + executable(), Vars: req.Vars, Files: req.VarFiles}
	for _, f := range Families {
		for _, t := range req.Kinds.Types(f) {
			h.Kinds = append(h.Kinds, fmt.Sprintf("%s.%s.%d", f, t, req.Kinds.Kind(f, t).Version))
		}
	}
	return h
}

// executable tells builds of one version apart.
var executable = sync.OnceValue(func() string {
	p, err := os.Executable()
	if err != nil {
		return ""
	}
	info, err := os.Stat(p)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%s %d %d", p, info.Size(), info.ModTime().UnixNano())
})

// same reports that two headers ask for the same.
func (h cacheHeader) same(o cacheHeader) bool {
	h.Reads, o.Reads = Reads{}, Reads{}
	a, _ := json.Marshal(h)
	b, _ := json.Marshal(o)
	return string(a) == string(b)
}

// readCache returns the spec that a cache file holds when nothing it was made of has changed; else nil.
func readCache(ctx context.Context, req Request) (*Spec, hcl.Diagnostics) {
	p := OpenPacked(ctx, req)
	if p == nil {
		return nil, nil
	}
	defer p.Close()
	return p.Spec(nil)
}

// sourceOf loads the spec from its sources when a place in them is asked for: an error is to be shown.
func sourceOf(ctx context.Context, req Request) func() *Spec {
	return sync.OnceValue(func() *Spec {
		req.Cache = ""
		spec, _ := Load(context.WithoutCancel(ctx), req)
		return spec
	})
}

// unchanged holds what was read against what there is, and returns the spec's files.
func (r *Reads) unchanged(req Request) (map[string]*hcl.File, bool) {
	for name, digest := range r.Env {
		now := ""
		if req.Env != nil {
			if v, ok := req.Env(name); ok {
				now = digestOf([]byte(v))
			}
		}
		if now != digest {
			return nil, false
		}
	}
	for dir, names := range r.Lists {
		if listNow(req.Dir, dir) != names {
			return nil, false
		}
	}
	for pattern, names := range r.Globs {
		now, err := glob(os.DirFS(req.Dir), pattern)
		if err != nil || strings.Join(now, "\n") != names {
			return nil, false
		}
	}
	files := make(map[string]*hcl.File, len(r.Files))
	for name, digest := range r.Files {
		p := name
		if !filepath.IsAbs(p) && !r.outside(name) {
			p = filepath.Join(req.Dir, filepath.FromSlash(name))
		}
		b, err := os.ReadFile(p)
		if digest == "" {
			if err == nil {
				return nil, false
			}
			continue
		}
		if err != nil || digestOf(b) != digest {
			return nil, false
		}
		files[name] = &hcl.File{Bytes: b}
	}
	return files, true
}

// outside reports that a file was named on the command line, relative to where the command runs.
func (r *Reads) outside(name string) bool { return r.Given[name] }

// listNow lists a directory as Reads.list noted it.
func listNow(root, dir string) string {
	if dir == autoList {
		autos, _ := filepath.Glob(filepath.Join(root, autoList))
		for i := range autos {
			autos[i] = filepath.Base(autos[i])
		}
		return strings.Join(autos, "\n")
	}
	names, err := specFiles(os.DirFS(filepath.Join(root, filepath.FromSlash(path.Clean(dir)))))
	if err != nil {
		return "\x00"
	}
	return strings.Join(names, "\n")
}

// writeCache keeps a spec, and reports whether it did. It is an optimisation: what goes wrong is not reported. The file's
// directory must be there.
func writeCache(req Request, s *Spec, diags hcl.Diagnostics) bool {
	if req.Cache == "" {
		return false
	}
	h := requestHeader(req)
	h.Reads = s.Reads
	var err error
	if s.ID, err = writePacked(req.fsys(), req.Cache, h, s, diags); err != nil {
		s.ID = ""
		if errors.Is(err, errSecret) {
			req.fsys().Remove(req.Cache)
		}
		return false
	}
	return true
}

func (p *packer) spec(s *Spec, diags hcl.Diagnostics) error {
	vars := map[string]any{}
	for k, v := range s.Variables {
		if v == Hidden {
			return errSecret
		}
		vars[k] = v
	}
	if err := p.value(vars); err != nil {
		return err
	}
	p.text(s.Settings.RequiredVersion)
	p.place(s.Settings.VersionRange)
	p.text(s.Settings.Backend)
	p.place(s.Settings.BackendRange)
	p.uint(len(s.Outputs))
	for _, o := range s.Outputs {
		p.text(o.Name)
		p.text(o.Description)
		p.place(o.Range)
		if err := p.value(o.Value); err != nil {
			return err
		}
	}
	p.warnings(diags)
	return nil
}

// PackDiagnostics writes warnings for UnpackDiagnostics.
func PackDiagnostics(diags hcl.Diagnostics) []byte {
	p := &packer{}
	p.warnings(diags)
	return p.b
}

// UnpackDiagnostics reads what PackDiagnostics wrote; false when it is something else.
func UnpackDiagnostics(b []byte) (hcl.Diagnostics, bool) {
	u := &unpacker{s: string(b)}
	diags := u.warnings()
	return diags, !u.bad
}

func (p *packer) warnings(diags hcl.Diagnostics) {
	p.uint(len(diags))
	for _, d := range diags {
		x := ExtraOf(d)
		p.texts([]string{d.Summary, d.Detail, x.Code, x.Address, x.Suggestion})
		rng := hcl.Range{}
		if d.Subject != nil {
			rng = *d.Subject
		}
		p.place(rng)
	}
}

func (p *packer) place(r hcl.Range) {
	p.text(r.Filename)
	for _, q := range []hcl.Pos{r.Start, r.End} {
		p.uint(q.Line)
		p.uint(q.Column)
		p.uint(q.Byte)
	}
}

func (u *unpacker) spec(s *Spec) hcl.Diagnostics {
	s.Variables, _ = u.value().(map[string]any)
	s.Settings.RequiredVersion = u.text()
	s.Settings.VersionRange = u.place()
	s.Settings.Backend = u.text()
	s.Settings.BackendRange = u.place()
	for range u.count() {
		o := Output{Name: u.text(), Description: u.text(), Range: u.place()}
		o.Value = u.value()
		s.Outputs = append(s.Outputs, o)
	}
	return u.warnings()
}

func (u *unpacker) warnings() hcl.Diagnostics {
	var diags hcl.Diagnostics
	for range u.count() {
		t := append(u.texts(), make([]string, 5)...)
		d := warning(t[2], u.place(), t[0], "%s", t[1])
		*d.Extra.(*Extra) = Extra{Code: t[2], Address: t[3], Suggestion: t[4]}
		diags = append(diags, d)
	}
	return diags
}

func (u *unpacker) place() hcl.Range {
	r := hcl.Range{Filename: u.text()}
	r.Start = hcl.Pos{Line: u.uint(), Column: u.uint(), Byte: u.uint()}
	r.End = hcl.Pos{Line: u.uint(), Column: u.uint(), Byte: u.uint()}
	return r
}

// packed is what a block from a cache decodes when asked for.
type packed struct {
	attrs, decl string
	source      func() *Spec
}

func (p *packed) attributes() map[string]any {
	m, _ := (&unpacker{s: p.attrs}).value().(map[string]any)
	return m
}

func (p *packed) rangeOf(a Addr, path string, onKey bool) hcl.Range {
	if s := p.source(); s != nil {
		if b := s.Block(a); b != nil {
			return b.RangeOf(path, onKey)
		}
	}
	return (&unpacker{s: p.decl}).place()
}

func (p *packed) within(a Addr, path string, onKey bool) string {
	if s := p.source(); s != nil {
		if b := s.Block(a); b != nil {
			return b.Within(path, onKey)
		}
	}
	return ""
}
