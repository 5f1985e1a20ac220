package lang

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"
)

// The spec cache: one file with the evaluated spec and with everything its evaluation looked at. A Load first holds all of
// that against what there is now; every source is read and hashed again, so a stale entry cannot be used. A spec that any
// sensitive value has gone into is not kept: nothing of it goes to disk.
//
// The file: a line that names the format, CRC-32C of the rest, the length of the header, the header (JSON: cacheHeader), then
// the spec as packer wrote it. Blocks are found at once, their attributes decoded when asked for.

const cacheMagic = "mbuild spec 1\n"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

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

// Provenance is everything a spec was made of, for SameProvenance; nil when that may not be kept, for a sensitive value is in it.
func Provenance(req Request, s *Spec) []byte {
	for _, v := range s.Variables {
		if v == Hidden {
			return nil
		}
	}
	h := requestHeader(req)
	h.Reads = s.Reads
	b, err := json.Marshal(h)
	if err != nil {
		return nil
	}
	return b
}

// SameProvenance reports that a request would give the spec that Provenance was taken of: every source is read again and is as
// it was.
func SameProvenance(req Request, provenance []byte) bool {
	var h cacheHeader
	if json.Unmarshal(provenance, &h) != nil || !h.same(requestHeader(req)) {
		return false
	}
	_, ok := h.Reads.unchanged(req)
	return ok
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
	if req.Cache == "" {
		return nil, nil
	}
	raw, err := os.ReadFile(req.Cache)
	if err != nil || len(raw) < len(cacheMagic)+8 || string(raw[:len(cacheMagic)]) != cacheMagic {
		return nil, nil
	}
	rest := raw[len(cacheMagic):]
	if crc32.Checksum(rest[4:], castagnoli) != binary.LittleEndian.Uint32(rest) {
		return nil, nil
	}
	n := int(binary.LittleEndian.Uint32(rest[4:]))
	if n > len(rest)-8 {
		return nil, nil
	}
	var h cacheHeader
	if json.Unmarshal(rest[8:8+n], &h) != nil || !h.same(requestHeader(req)) {
		return nil, nil
	}
	files, ok := h.Reads.unchanged(req)
	if !ok {
		return nil, nil
	}
	u := &unpacker{s: string(rest[8+n:])}
	spec := &Spec{Dir: req.Dir, Reads: h.Reads, Files: files, Cached: true}
	diags := u.spec(spec, sourceOf(ctx, req))
	if u.bad {
		return nil, nil
	}
	return spec, diags
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
		now, err := fs.Glob(os.DirFS(req.Dir), pattern)
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

// writeCache keeps a spec. It is an optimisation: what goes wrong is not reported. The file's directory must be there.
func writeCache(req Request, s *Spec, diags hcl.Diagnostics) {
	if req.Cache == "" {
		return
	}
	p := &packer{}
	if p.spec(s, diags) != nil {
		os.Remove(req.Cache)
		return
	}
	h := requestHeader(req)
	h.Reads = s.Reads
	header, err := json.Marshal(h)
	if err != nil {
		return
	}
	body := binary.LittleEndian.AppendUint32(nil, uint32(len(header)))
	body = append(append(body, header...), p.b...)
	out := binary.LittleEndian.AppendUint32([]byte(cacheMagic), crc32.Checksum(body, castagnoli))
	f, err := os.CreateTemp(filepath.Dir(req.Cache), ".spec-*")
	if err != nil {
		return
	}
	_, err = f.Write(append(out, body...))
	if cerr := f.Close(); err != nil || cerr != nil || os.Rename(f.Name(), req.Cache) != nil {
		os.Remove(f.Name())
	}
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
	p.uint(len(s.Outputs))
	for _, o := range s.Outputs {
		p.text(o.Name)
		p.text(o.Description)
		p.place(o.Range)
		if err := p.value(o.Value); err != nil {
			return err
		}
	}
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
	return p.blocks(s)
}

func (p *packer) place(r hcl.Range) {
	p.text(r.Filename)
	for _, q := range []hcl.Pos{r.Start, r.End} {
		p.uint(q.Line)
		p.uint(q.Column)
		p.uint(q.Byte)
	}
}

func (p *packer) blocks(s *Spec) error {
	number := make(map[Addr]int, len(s.Blocks))
	for i, b := range s.Blocks {
		number[b.Addr] = i
	}
	p.uint(len(s.Blocks))
	refs := 0
	for _, b := range s.Blocks {
		refs += len(b.Refs)
	}
	p.uint(refs)
	for _, b := range s.Blocks {
		a := &packer{}
		if err := a.value(b.Attrs()); err != nil {
			return err
		}
		for _, part := range []string{b.Module, b.Family, b.Type, b.Name, b.Key} {
			p.text(part)
		}
		p.text(string(a.b))
		decl := &packer{}
		decl.place(b.Decl())
		p.text(string(decl.b))
		p.uint(len(b.Refs))
		for _, r := range b.Refs {
			p.text(r.At)
			p.uint(number[r.To])
			p.text(r.Output)
			p.text(r.Type)
		}
		p.uint(len(b.DependsOn))
		for _, d := range b.DependsOn {
			p.uint(number[d])
		}
		p.texts(b.Tags)
	}
	return nil
}

func (u *unpacker) spec(s *Spec, source func() *Spec) hcl.Diagnostics {
	s.Variables, _ = u.value().(map[string]any)
	s.Settings.RequiredVersion = u.text()
	s.Settings.VersionRange = u.place()
	s.Settings.Backend = u.text()
	for range u.count() {
		o := Output{Name: u.text(), Description: u.text(), Range: u.place()}
		o.Value = u.value()
		s.Outputs = append(s.Outputs, o)
	}
	var diags hcl.Diagnostics
	for range u.count() {
		t := append(u.texts(), make([]string, 5)...)
		d := warning(t[2], u.place(), t[0], "%s", t[1])
		*d.Extra.(*Extra) = Extra{Code: t[2], Address: t[3], Suggestion: t[4]}
		diags = append(diags, d)
	}
	u.blocks(s, source)
	return diags
}

func (u *unpacker) place() hcl.Range {
	r := hcl.Range{Filename: u.text()}
	r.Start = hcl.Pos{Line: u.uint(), Column: u.uint(), Byte: u.uint()}
	r.End = hcl.Pos{Line: u.uint(), Column: u.uint(), Byte: u.uint()}
	return r
}

// blocks reads the blocks. References hold numbers of blocks, which become addresses when all are there.
func (u *unpacker) blocks(s *Spec, source func() *Spec) {
	n := u.count()
	all := make([]Block, n)
	s.Blocks = make([]*Block, n)
	var numbers []int
	refs := make([]Ref, u.count())
	for i := range all {
		b := &all[i]
		s.Blocks[i] = b
		b.Addr = Addr{Module: u.text(), Family: u.text(), Type: u.text(), Name: u.text(), Key: u.text()}
		b.packed = &packed{attrs: u.text(), decl: u.text(), source: source}
		if n := u.count(); n > 0 && n <= len(refs) {
			b.Refs, refs = refs[:n:n], refs[n:]
		}
		for r := range b.Refs {
			b.Refs[r].At = u.text()
			numbers = append(numbers, u.uint())
			b.Refs[r].Output, b.Refs[r].Type = u.text(), u.text()
		}
		if deps := u.count(); deps > 0 {
			b.DependsOn = make([]Addr, deps)
		}
		for range b.DependsOn {
			numbers = append(numbers, u.uint())
		}
		b.Tags = u.texts()
	}
	next := func() (a Addr) {
		if len(numbers) == 0 {
			u.bad = true
			return a
		}
		if numbers[0] < n {
			a = all[numbers[0]].Addr
		} else {
			u.bad = true
		}
		numbers = numbers[1:]
		return a
	}
	for i := range all {
		for r := range all[i].Refs {
			all[i].Refs[r].To = next()
		}
		for d := range all[i].DependsOn {
			all[i].DependsOn[d] = next()
		}
	}
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
	if b := p.source().Block(a); b != nil {
		return b.RangeOf(path, onKey)
	}
	return (&unpacker{s: p.decl}).place()
}
