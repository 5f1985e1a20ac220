package lang

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash/crc32"
	"maps"
	"path/filepath"
	"slices"
	"sort"
	"time"
	"unsafe"

	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/cache/vfs"
	"mbuild.dev/mbuild/lang/value"
)

// The file of a packed spec. Its front says what it was made of and where each block is; a block is found by its number, the
// position of its address among all, and decoded on its own, so that a plan that needs fifty blocks of a hundred thousand reads
// fifty. Numbers are little-endian.
//
//	"mbuild spec 3\n"
//	CRC-32C of the rest of the front
//	lengths of header and body, number of blocks (4 bytes each)
//	header: JSON, what the spec was made of (cacheHeader)
//	body: settings, variables, outputs, warnings
//	index: offset (8 bytes), length (4) and CRC-32C (4) of each block
//	the blocks

const (
	packMagic = "mbuild spec 3\n"
	packFixed = len(packMagic) + 16
	packEntry = 16
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Packed is a spec in its file. It holds no blocks: Spec decodes those that are asked for.
type Packed struct {
	header cacheHeader
	body   string
	index  []byte
	id     string
	f      vfs.File
	size   int64
	dir    string
	files  map[string]*hcl.File
	source func() *Spec
}

// OpenPacked opens the cache of a request: nil when there is none, or when anything that the spec was made of has changed.
func OpenPacked(ctx context.Context, req Request) *Packed {
	if req.Cache == "" {
		return nil
	}
	p := ReadPacked(req.fsys(), req.Cache)
	if p == nil {
		return nil
	}
	if p.header.same(requestHeader(req)) {
		if files, ok := p.header.Reads.unchanged(req); ok {
			p.dir, p.files, p.source = req.Dir, files, sourceOf(ctx, req)
			return p
		}
	}
	p.Close()
	return nil
}

// ReadPacked opens the file of a spec whatever has become of what it was made of: it tells what blocks were. It is nil when the
// file is missing or damaged.
func ReadPacked(fsys vfs.FS, path string) *Packed {
	f, err := vfs.Open(fsys, path)
	if err != nil {
		return nil
	}
	p := &Packed{f: f, source: func() *Spec { return nil }}
	if !p.readFront() {
		f.Close()
		return nil
	}
	return p
}

func (p *Packed) readFront() bool {
	info, err := p.f.Stat()
	if err != nil || info.Size < int64(packFixed) {
		return false
	}
	p.size = info.Size
	fixed := make([]byte, packFixed)
	if _, err := p.f.ReadAt(fixed, 0); err != nil || string(fixed[:len(packMagic)]) != packMagic {
		return false
	}
	num := func(i int) int64 { return int64(binary.LittleEndian.Uint32(fixed[len(packMagic)+4*i:])) }
	header, body, blocks := num(1), num(2), num(3)
	rest := header + body + blocks*packEntry
	if rest > p.size-int64(packFixed) {
		return false
	}
	front := make([]byte, rest)
	if _, err := p.f.ReadAt(front, int64(packFixed)); err != nil {
		return false
	}
	sum := crc32.Update(crc32.Checksum(fixed[len(packMagic)+4:], castagnoli), castagnoli, front)
	if sum != uint32(num(0)) || json.Unmarshal(front[:header], &p.header) != nil {
		return false
	}
	p.id = packID(front)
	p.body, p.index = string(front[header:header+body]), front[header+body:]
	return true
}

// Close lets go of the file.
func (p *Packed) Close() error { return p.f.Close() }

// ID tells specs apart: of the same sources it is the same.
func (p *Packed) ID() string { return p.id }

// Len is the number of blocks.
func (p *Packed) Len() int { return len(p.index) / packEntry }

// Spec decodes the blocks of the given numbers, which are in order; nil means all. Blocks that they refer to and that are not
// among them are not in the Spec. It is nil when the file is damaged.
func (p *Packed) Spec(numbers []int) (*Spec, hcl.Diagnostics) {
	s := &Spec{Dir: p.dir, Reads: p.header.Reads, Files: p.files, ID: p.id, Cached: true}
	u := &unpacker{s: p.body}
	diags := u.spec(s)
	if u.bad || p.blocks(s, numbers) != nil {
		return nil, nil
	}
	return s, diags
}

var errPacked = errors.New("the file of the spec is damaged")

// blocks adds blocks to a spec. References hold numbers of blocks, which become addresses when all are there.
func (p *Packed) blocks(s *Spec, numbers []int) error {
	texts, err := p.texts(numbers)
	if err != nil {
		return err
	}
	all := make([]Block, len(texts))
	s.Blocks = make([]*Block, len(texts))
	var targets []int
	bad := false
	for i, text := range texts {
		u := &unpacker{s: text}
		targets = u.block(&all[i], p.source, targets)
		bad = bad || u.bad
		s.Blocks[i] = &all[i]
	}
	at := make(map[int]int, len(numbers))
	for i, n := range numbers {
		at[n] = i
	}
	next := func() (a Addr) {
		n := targets[0]
		targets = targets[1:]
		if numbers == nil && n < len(all) {
			return all[n].Addr
		}
		if i, ok := at[n]; ok {
			return all[i].Addr
		}
		a, ok := p.addr(n)
		bad = bad || !ok
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
	if bad {
		return errPacked
	}
	return nil
}

// texts reads the bytes of blocks.
func (p *Packed) texts(numbers []int) ([]string, error) {
	if numbers != nil {
		texts := make([]string, len(numbers))
		for i, n := range numbers {
			text, ok := p.text(n)
			if !ok {
				return nil, errPacked
			}
			texts[i] = text
		}
		return texts, nil
	}
	texts := make([]string, p.Len())
	if len(texts) == 0 {
		return texts, nil
	}
	from, _, _ := p.entry(0)
	if from < 0 || from > p.size {
		return nil, errPacked
	}
	buf := make([]byte, p.size-from)
	if _, err := p.f.ReadAt(buf, from); err != nil {
		return nil, err
	}
	for i := range texts {
		off, n, sum := p.entry(i)
		if off -= from; off < 0 || off+n > int64(len(buf)) || crc32.Checksum(buf[off:off+n], castagnoli) != sum {
			return nil, errPacked
		}
		texts[i] = unsafe.String(unsafe.SliceData(buf[off:off+n]), n) // buf is never written again
	}
	return texts, nil
}

// entry says where a block is.
func (p *Packed) entry(n int) (offset, length int64, sum uint32) {
	e := p.index[n*packEntry:]
	return int64(binary.LittleEndian.Uint64(e)), int64(binary.LittleEndian.Uint32(e[8:])), binary.LittleEndian.Uint32(e[12:])
}

// text reads the bytes of one block.
func (p *Packed) text(n int) (string, bool) {
	if n < 0 || n >= p.Len() {
		return "", false
	}
	off, length, sum := p.entry(n)
	if off < 0 || off+length > p.size {
		return "", false
	}
	buf := make([]byte, length)
	if _, err := p.f.ReadAt(buf, off); err != nil || crc32.Checksum(buf, castagnoli) != sum {
		return "", false
	}
	return unsafe.String(unsafe.SliceData(buf), len(buf)), true
}

func (p *Packed) addr(n int) (Addr, bool) {
	text, ok := p.text(n)
	u := &unpacker{s: text}
	a := u.addr()
	return a, ok && !u.bad
}

// Find returns the number of the block at an address.
func (p *Packed) Find(a Addr) (int, bool) {
	n := sort.Search(p.Len(), func(i int) bool {
		b, _ := p.addr(i)
		return b.Compare(a) >= 0
	})
	if n == p.Len() {
		return 0, false
	}
	b, ok := p.addr(n)
	return n, ok && b == a
}

// Attrs decodes the attributes of the block at an address, as Block.Attrs has them; false when there is no such block.
func (p *Packed) Attrs(a Addr) (map[string]any, bool) {
	n, ok := p.Find(a)
	if !ok {
		return nil, false
	}
	text, ok := p.text(n)
	if !ok {
		return nil, false
	}
	var b Block
	u := &unpacker{s: text}
	u.block(&b, nil, nil)
	return b.Attrs(), !u.bad
}

// WriteApplied keeps blocks in a file for ReadPacked, so that a later plan can say what has changed in them. Sensitive values are
// written as the digest that keys have of them.
func WriteApplied(fsys vfs.FS, path string, blocks map[Addr]*Block) error {
	s := &Spec{Blocks: slices.Collect(maps.Values(blocks))}
	s.sort()
	_, err := writePacked(fsys, path, cacheHeader{}, s, nil, hideSecrets)
	return err
}

// hideSecrets replaces secrets by what canonical JSON has for them.
func hideSecrets(v any) any {
	switch t := v.(type) {
	case value.Secret:
		enc, _ := t.MarshalJSON() // an encoding of normal form does not fail
		hidden, _ := value.Decode(enc)
		return hidden
	case []any:
		out := make([]any, len(t))
		for i, e := range t {
			out[i] = hideSecrets(e)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(t))
		for k, e := range t {
			out[k] = hideSecrets(e)
		}
		return out
	}
	return v
}

// writePacked writes the file of a spec in one step.
func writePacked(fsys vfs.FS, path string, h cacheHeader, s *Spec, diags hcl.Diagnostics, edit ...func(any) any) (id string, err error) {
	header, err := json.Marshal(h)
	if err != nil {
		return "", err
	}
	body := &packer{}
	if err := body.spec(s, diags); err != nil {
		return "", err
	}
	front := binary.LittleEndian.AppendUint32([]byte(packMagic), 0)
	for _, n := range []int{len(header), len(body.b), len(s.Blocks)} {
		front = binary.LittleEndian.AppendUint32(front, uint32(n))
	}
	front = append(append(front, header...), body.b...)
	index := len(front)
	front = append(front, make([]byte, len(s.Blocks)*packEntry)...)
	blocks, err := packBlocks(s, front[index:], len(front), edit)
	if err != nil {
		return "", err
	}
	binary.LittleEndian.PutUint32(front[len(packMagic):], crc32.Checksum(front[len(packMagic)+4:], castagnoli))
	return packID(front[packFixed:]), vfs.WriteParts(fsys, filepath.Dir(path), path, 0o600, append([][]byte{front}, blocks...)...)
}

// packID is a digest of the front, which holds checksums of all blocks.
func packID(front []byte) string {
	sum := sha256.Sum256(front)
	return hex.EncodeToString(sum[:16])
}

// packBlocks encodes the blocks, which begin at an offset of the file, in pieces of some size, and fills in their index.
func packBlocks(s *Spec, index []byte, offset int, edit []func(any) any) (pieces [][]byte, err error) {
	number := make(map[Addr]int, len(s.Blocks))
	for i, b := range s.Blocks {
		number[b.Addr] = i
	}
	const piece = 1 << 20
	p, attrs := &packer{}, &packer{}
	for i, b := range s.Blocks {
		attrs.b = attrs.b[:0]
		var v any = b.Attrs()
		for _, e := range edit {
			v = e(v)
		}
		if err := attrs.value(v); err != nil {
			return nil, err
		}
		start := len(p.b)
		p.block(b, attrs.b, number)
		e, text := index[i*packEntry:], p.b[start:]
		binary.LittleEndian.PutUint64(e, uint64(offset))
		binary.LittleEndian.PutUint32(e[8:], uint32(len(text)))
		binary.LittleEndian.PutUint32(e[12:], crc32.Checksum(text, castagnoli))
		offset += len(text)
		if len(p.b) > piece {
			pieces = append(pieces, p.b)
			p = &packer{b: make([]byte, 0, piece+piece/8)}
		}
	}
	return append(pieces, p.b), nil
}

func (p *packer) block(b *Block, attrs []byte, number map[Addr]int) {
	for _, part := range []string{b.Module, b.Family, b.Type, b.Name, b.Key} {
		p.text(part)
	}
	p.uint(len(attrs))
	p.b = append(p.b, attrs...)
	decl := &packer{b: make([]byte, 0, 64)}
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
	p.uint(int(b.Timeout / time.Second))
	p.uint(b.Retries)
	p.text(b.Backend)
}

func (u *unpacker) addr() Addr {
	return Addr{Module: u.text(), Family: u.text(), Type: u.text(), Name: u.text(), Key: u.text()}
}

// block reads a block, and appends the numbers of the blocks that it refers to and depends on.
func (u *unpacker) block(b *Block, source func() *Spec, targets []int) []int {
	b.Addr = u.addr()
	b.packed = &packed{attrs: u.text(), decl: u.text(), source: source}
	if n := u.count(); n > 0 {
		b.Refs = make([]Ref, n)
	}
	for r := range b.Refs {
		b.Refs[r].At = u.text()
		targets = append(targets, u.uint())
		b.Refs[r].Output, b.Refs[r].Type = u.text(), u.text()
	}
	if n := u.count(); n > 0 {
		b.DependsOn = make([]Addr, n)
	}
	for range b.DependsOn {
		targets = append(targets, u.uint())
	}
	b.Tags = u.texts()
	b.Timeout, b.Retries = time.Duration(u.uint())*time.Second, u.uint()
	b.Backend = u.text()
	return targets
}
