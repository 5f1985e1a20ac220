package project

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"slices"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/cache/vfs"
	"mbuild.dev/mbuild/planner"
)

// Memory is what a project remembers of its last plan and apply: the last keys of every action, for reasons; the state of every
// source file, so that unchanged ones are not read; which blocks are made of which, and which of them had everything in the
// store, so that the next plan looks only at what may have changed.
//
// It is one file of plain columns, read at once and looked into where needed: a hundred thousand actions are 12 MB, and finding one
// takes a microsecond. Blocks go by their number in the spec (the position of their address among all), actions by their number in
// the graph. Numbers in the file are little-endian:
//
//	"mbuild memory 2\n"
//	CRC-32C of the rest
//	sizes (4 bytes each): meta, blocks, actions, edges, addresses, slots, files, readers, paths
//	meta: JSON (Meta)
//	the columns, in the order of the fields of columns
type Memory struct {
	Meta
	columns
	buf []byte // of all columns
}

// Meta is the part of a memory that is small.
type Meta struct {
	Spec      string                           `json:"spec"`    // lang.Packed.ID of what was planned
	Backend   string                           `json:"backend"` // as the spec asks for it, "" when it does not
	Toolchain planner.Toolchain                `json:"toolchain"`
	Backends  map[string]string                `json:"backends"` // fingerprints of all backends that blocks or the spec ask for
	Lock      string                           `json:"lock"`     // digest of the lock file that has all external files of the spec, "" for none; else what no digest is
	Warnings  []byte                           `json:"warnings"` // of lowering
	Store     json.RawMessage                  `json:"store"`    // disk.Witness
	Artifacts map[string]planner.ArtifactState `json:"artifacts"`
	Result    json.RawMessage                  `json:"result,omitempty"` // gates and artifacts of the last apply
}

// columns are parts of Memory.buf.
type columns struct {
	first    u32s   // blocks: number of its first action
	count    u32s   // blocks: how many actions it has
	complete []byte // blocks: 1 when all of it was in the store and in place
	prodAt   u32s   // blocks + 1: where its producers begin
	prod     u32s   // edges: numbers of blocks
	addrAt   u32s   // actions + 1: where its address begins
	addr     []byte // addresses
	last     []byte // actions: key at the last apply (keySize bytes)
	prior    []byte // actions: the key before that
	worth    []byte // actions: Worth
	slots    u32s   // hash table of addresses: action + 1, 0 is free
	pathAt   u32s   // files + 1
	path     []byte // paths
	stat     []byte // files: statSize bytes
	readAt   u32s   // files + 1: where its readers begin
	read     u32s   // readers: numbers of blocks
}

const (
	memoryMagic = "mbuild memory 2\n"
	memoryFile  = "memory"
	sizeCount   = 9
	keySize     = 36
	statSize    = 64
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// u32s is a column of 32-bit numbers.
type u32s []byte

func (c u32s) at(i int) int { return int(binary.LittleEndian.Uint32(c[4*i:])) }
func (c u32s) put(i, v int) { binary.LittleEndian.PutUint32(c[4*i:], uint32(v)) }
func (c u32s) len() int     { return len(c) / 4 }

// sizes are the numbers of things in a memory, in the order of the file.
type sizes [sizeCount]int

const (
	sizeMeta = iota
	sizeBlocks
	sizeActions
	sizeEdges
	sizeAddrs
	sizeSlots
	sizeFiles
	sizeReaders
	sizePaths
)

// layout cuts a buffer into columns, and returns how long it has to be.
func (c *columns) layout(n sizes, buf []byte) int {
	at := 0
	cut := func(size int) []byte {
		at += size
		if at > len(buf) {
			return nil
		}
		return buf[at-size : at : at]
	}
	c.first, c.count = cut(4*n[sizeBlocks]), cut(4*n[sizeBlocks])
	c.complete = cut(n[sizeBlocks])
	c.prodAt, c.prod = cut(4*(n[sizeBlocks]+1)), cut(4*n[sizeEdges])
	c.addrAt, c.addr = cut(4*(n[sizeActions]+1)), cut(n[sizeAddrs])
	c.last, c.prior = cut(keySize*n[sizeActions]), cut(keySize*n[sizeActions])
	c.worth = cut(n[sizeActions])
	c.slots = cut(4 * n[sizeSlots])
	c.pathAt, c.path = cut(4*(n[sizeFiles]+1)), cut(n[sizePaths])
	c.stat = cut(statSize * n[sizeFiles])
	c.readAt, c.read = cut(4*(n[sizeFiles]+1)), cut(4*n[sizeReaders])
	return at
}

func newMemory(n sizes) *Memory {
	m := &Memory{}
	m.buf = make([]byte, m.layout(n, nil))
	m.layout(n, m.buf)
	return m
}

var errMemory = errors.New("it is damaged or from another version")

// readMemory reads a memory that encode wrote.
func readMemory(fsys vfs.FS, path string) (*Memory, error) {
	raw, err := vfs.ReadFile(fsys, path)
	if err != nil {
		return nil, err
	}
	head := len(memoryMagic) + 4 + 4*sizeCount
	if len(raw) < head || string(raw[:len(memoryMagic)]) != memoryMagic {
		return nil, errMemory
	}
	rest := raw[len(memoryMagic)+4:]
	if crc32.Checksum(rest, castagnoli) != binary.LittleEndian.Uint32(raw[len(memoryMagic):]) {
		return nil, errMemory
	}
	var n sizes
	for i := range n {
		n[i] = u32s(rest).at(i)
	}
	m := &Memory{}
	rest = rest[4*sizeCount:]
	if n[sizeMeta] > len(rest) || json.Unmarshal(rest[:n[sizeMeta]], &m.Meta) != nil {
		return nil, errMemory
	}
	m.buf = rest[n[sizeMeta]:]
	if m.layout(n, nil) != len(m.buf) {
		return nil, errMemory
	}
	m.layout(n, m.buf)
	if !m.valid(n) {
		return nil, errMemory
	}
	return m, nil
}

// valid holds every number that leads somewhere against what there is: no file of the right checksum may lead out of it.
func (m *Memory) valid(n sizes) bool {
	rising := func(c u32s, end int) bool {
		last := 0
		for i := range c.len() {
			if v := c.at(i); v < last {
				return false
			} else {
				last = v
			}
		}
		return last == end
	}
	below := func(c u32s, end int) bool {
		for i := range c.len() {
			if c.at(i) >= end {
				return false
			}
		}
		return true
	}
	for b := range n[sizeBlocks] {
		if m.first.at(b)+m.count.at(b) > n[sizeActions] {
			return false
		}
	}
	return n[sizeSlots]&(n[sizeSlots]-1) == 0 && (n[sizeSlots] == 0 || n[sizeSlots] > n[sizeActions]) && below(m.slots, n[sizeActions]+1) &&
		rising(m.prodAt, n[sizeEdges]) && below(m.prod, n[sizeBlocks]) && rising(m.addrAt, n[sizeAddrs]) &&
		rising(m.pathAt, n[sizePaths]) && rising(m.readAt, n[sizeReaders]) && below(m.read, n[sizeBlocks])
}

// encode returns the parts of the file.
func (m *Memory) encode() ([][]byte, error) {
	meta, err := json.Marshal(&m.Meta)
	if err != nil {
		return nil, err
	}
	n := sizes{len(meta), m.first.len(), m.addrAt.len() - 1, m.prod.len(), len(m.addr), m.slots.len(), m.pathAt.len() - 1, m.read.len(), len(m.path)}
	head := make([]byte, len(memoryMagic)+4+4*sizeCount)
	copy(head, memoryMagic)
	rest := head[len(memoryMagic)+4:]
	for i, v := range n {
		u32s(rest).put(i, v)
	}
	sum := crc32.Checksum(rest, castagnoli)
	sum = crc32.Update(sum, castagnoli, meta)
	sum = crc32.Update(sum, castagnoli, m.buf)
	binary.LittleEndian.PutUint32(head[len(memoryMagic):], sum)
	return [][]byte{head, meta, m.buf}, nil
}

// Blocks is the number of blocks.
func (m *Memory) Blocks() int { return m.first.len() }

// Actions is the number of actions.
func (m *Memory) Actions() int { return m.addrAt.len() - 1 }

// Complete reports that all of a block was in the store and in its place.
func (m *Memory) Complete(block int) bool { return m.complete[block] != 0 }

// SetComplete says whether all of a block is in the store and in its place.
func (m *Memory) SetComplete(block int, is bool) {
	m.complete[block] = 0
	if is {
		m.complete[block] = 1
	}
}

// Address is the address of an action.
func (m *Memory) Address(action int) string {
	return string(m.addr[m.addrAt.at(action):m.addrAt.at(action+1)])
}

// ActionsOf are the numbers of a block's actions: from first, count of them.
func (m *Memory) ActionsOf(block int) (first, count int) { return m.first.at(block), m.count.at(block) }

// Keys returns the key of an action at the last apply, and the one before.
func (m *Memory) Keys(action int) (last, prior cache.ActionKey) {
	return getKey(m.last[keySize*action:]), getKey(m.prior[keySize*action:])
}

// Finish notes the key under which an action was built or found.
func (m *Memory) Finish(action int, key cache.ActionKey) {
	last, _ := m.Keys(action)
	if last == key {
		return
	}
	copy(m.prior[keySize*action:keySize*(action+1)], m.last[keySize*action:])
	putKey(m.last[keySize*action:], key)
}

// Worth says what the result of an action is good for, once it is there.
type Worth byte

// From the least to the most.
const (
	Intermediate Worth = iota // other actions have used it
	LastLink                  // a chain would go on from it
	Wanted                    // a block offers it
)

// Results calls f with the last key of every action that has one.
func (m *Memory) Results(f func(cache.ActionKey, Worth)) {
	for i := range m.Actions() {
		if last, _ := m.Keys(i); !last.IsZero() {
			f(last, Worth(m.worth[i]))
		}
	}
}

func getKey(b []byte) cache.ActionKey {
	return cache.KeyFrom(cache.NewDigest([32]byte(b), int64(binary.LittleEndian.Uint32(b[32:]))))
}

func putKey(b []byte, k cache.ActionKey) {
	sum := k.Digest().Bytes()
	copy(b, sum[:])
	binary.LittleEndian.PutUint32(b[32:], uint32(k.Digest().Size()))
}

// Action finds an action by its address.
func (m *Memory) Action(addr string) (int, bool) {
	n := m.slots.len()
	if n == 0 {
		return 0, false
	}
	for at := hashOf(addr) & uint32(n-1); ; at = (at + 1) & uint32(n-1) {
		i := m.slots.at(int(at))
		if i == 0 {
			return 0, false
		}
		if string(m.addr[m.addrAt.at(i-1):m.addrAt.at(i)]) == addr {
			return i - 1, true
		}
	}
}

// hashOf is FNV-1a.
func hashOf(s string) uint32 {
	h := uint32(2166136261)
	for i := range len(s) {
		h = (h ^ uint32(s[i])) * 16777619
	}
	return h
}

// Files is the number of source files.
func (m *Memory) Files() int { return m.pathAt.len() - 1 }

// File is a source file and what is known of it.
func (m *Memory) File(i int) (path string, stat planner.FileStat) {
	return string(m.path[m.pathAt.at(i):m.pathAt.at(i+1)]), m.statOf(i)
}

func (m *Memory) statOf(i int) planner.FileStat {
	b := m.stat[statSize*i:]
	num := func(i int) int64 { return int64(binary.LittleEndian.Uint64(b[i:])) }
	return planner.FileStat{ModTime: num(0), Inode: uint64(num(8)), Seen: num(16),
		Digest: cache.NewDigest([32]byte(b[24:]), num(56))}
}

func (m *Memory) putStat(i int, s planner.FileStat) {
	b := m.stat[statSize*i:]
	binary.LittleEndian.PutUint64(b, uint64(s.ModTime))
	binary.LittleEndian.PutUint64(b[8:], s.Inode)
	binary.LittleEndian.PutUint64(b[16:], uint64(s.Seen))
	sum := s.Digest.Bytes()
	copy(b[24:], sum[:])
	binary.LittleEndian.PutUint64(b[56:], uint64(s.Digest.Size()))
}

// Stat is what is known of a source file. Files are in the order of their paths.
func (m *Memory) Stat(path string) (planner.FileStat, bool) {
	i, ok := m.file(path)
	if !ok {
		return planner.FileStat{}, false
	}
	return m.statOf(i), true
}

func (m *Memory) file(path string) (int, bool) {
	lo, hi := 0, m.Files()
	for lo < hi {
		mid := (lo + hi) / 2
		switch cmp.Compare(string(m.path[m.pathAt.at(mid):m.pathAt.at(mid+1)]), path) {
		case -1:
			lo = mid + 1
		case 0:
			return mid, true
		default:
			hi = mid
		}
	}
	return 0, false
}

// Readers are the blocks that read a file.
func (m *Memory) Readers(file int) []int { return spread(m.readAt, m.read, file) }

func spread(at, items u32s, i int) []int {
	out := make([]int, 0, at.at(i+1)-at.at(i))
	for k := at.at(i); k < at.at(i+1); k++ {
		out = append(out, items.at(k))
	}
	return out
}

// Cone returns the blocks and all that depend on them, directly or not.
func (m *Memory) Cone(blocks []int) []int {
	n := m.Blocks()
	start := make([]uint32, n+1)
	for k := range m.prod.len() {
		start[m.prod.at(k)+1]++
	}
	for i := range n {
		start[i+1] += start[i]
	}
	users, next := make([]uint32, m.prod.len()), slices.Clone(start[:n])
	for b := range n {
		for k := m.prodAt.at(b); k < m.prodAt.at(b+1); k++ {
			p := m.prod.at(k)
			users[next[p]] = uint32(b)
			next[p]++
		}
	}
	return reach(n, blocks, func(b int, visit func(int)) {
		for _, u := range users[start[b]:start[b+1]] {
			visit(int(u))
		}
	})
}

// Closure returns the blocks and all that they depend on, directly or not.
func (m *Memory) Closure(blocks []int) []int {
	return reach(m.Blocks(), blocks, func(b int, visit func(int)) {
		for k := m.prodAt.at(b); k < m.prodAt.at(b+1); k++ {
			visit(m.prod.at(k))
		}
	})
}

// reach returns everything that can be reached, in order.
func reach(n int, from []int, next func(int, func(int))) []int {
	seen := make([]bool, n)
	var found []int
	visit := func(b int) {
		if !seen[b] {
			seen[b] = true
			found = append(found, b)
		}
	}
	for _, b := range from {
		visit(b)
	}
	for i := 0; i < len(found); i++ {
		next(found[i], visit)
	}
	slices.Sort(found)
	return found
}
