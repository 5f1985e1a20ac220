package disk

import (
	"bufio"
	"encoding/binary"
	"hash/crc32"
	"io"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/cache/vfs"
)

// The file "index" finds records of the log without reading the log: opening a store of a million results costs what opening
// one of ten costs. It is an open-addressing hash table that is read in place; the log stays the truth, so that every hit is
// held against the record that it leads to, and an index that is missing, damaged or of another log only costs time.
//
//	 0  "MBI1"
//	 4  CRC-32C of bytes 8 to 127
//	 8  id of the log
//	40  how much of the log it covers
//	48  number of slots, a power of two
//	56  number of slots in use
//	64  the last 64 bytes of what it covers: another log of that id and length would have others
//	128 slots of 16 bytes: the first 8 of the sum (of a result: inverted), offset of the record + 1; 0 is free

const (
	indexHeader = 128
	slotSize    = 16
	indexTail   = 64

	// indexEvery is how much of a log may be without index before Close writes a new one: reading that much takes a few
	// milliseconds.
	indexEvery = 4 << 20
)

var indexMagic = []byte("MBI1")

type index struct {
	f       vfs.File
	covered int64
	slots   uint64
	used    uint64
}

func (x *index) close() { x.f.Close() }

// covered is how much of the log the index covers.
func (s *Store) covered() int64 {
	if s.index == nil {
		return 0
	}
	return s.index.covered
}

// openIndex opens the index of the log; nil when there is none that fits.
func (s *Store) openIndex() *index {
	f, err := vfs.Open(s.fs, s.path("index"))
	if err != nil {
		return nil
	}
	x, ok := s.checkIndex(f)
	if !ok {
		f.Close()
		return nil
	}
	return x
}

func (s *Store) checkIndex(f vfs.File) (*index, bool) {
	h := make([]byte, indexHeader)
	if _, err := f.ReadAt(h, 0); err != nil || string(h[:4]) != string(indexMagic) ||
		crc32.Checksum(h[8:], castagnoli) != binary.LittleEndian.Uint32(h[4:]) || logID(h[8:40]) != s.id {
		return nil, false
	}
	x := &index{f: f, covered: int64(binary.LittleEndian.Uint64(h[40:])), slots: binary.LittleEndian.Uint64(h[48:]), used: binary.LittleEndian.Uint64(h[56:])}
	info, err := f.Stat()
	if err != nil || info.Size() != indexHeader+int64(x.slots)*slotSize || x.slots == 0 || x.slots&(x.slots-1) != 0 {
		return nil, false
	}
	log, err := s.log.Stat()
	if err != nil || log.Size() < x.covered {
		return nil, false
	}
	tail, err := tailOf(s.log, x.covered)
	return x, err == nil && tail == [indexTail]byte(h[64:])
}

// tailOf is the last bytes of a log before an offset, zeros in front.
func tailOf(log io.ReaderAt, end int64) (tail [indexTail]byte, err error) {
	n := min(end, indexTail)
	_, err = log.ReadAt(tail[indexTail-n:], end-n)
	return tail, err
}

// prefix is what a slot keeps of a sum.
func prefix(sum [32]byte, result bool) uint64 {
	p := binary.LittleEndian.Uint64(sum[:])
	if result {
		return ^p
	}
	return p
}

// find looks a sum up. What a slot says is held against the record itself.
func (x *index) find(log io.ReaderAt, sum [32]byte, result bool) (place, bool) {
	want := prefix(sum, result)
	var b [8 * slotSize]byte
	for at, seen := want&(x.slots-1), uint64(0); seen < x.slots; {
		n := min(uint64(len(b)/slotSize), x.slots-at)
		if _, err := x.f.ReadAt(b[:n*slotSize], indexHeader+int64(at)*slotSize); err != nil {
			return place{}, false
		}
		for i := range n {
			slot := b[i*slotSize:]
			offset := binary.LittleEndian.Uint64(slot[8:])
			if offset == 0 {
				return place{}, false
			}
			if binary.LittleEndian.Uint64(slot) != want {
				continue
			}
			if r, ok := readHeader(log, int64(offset-1)); ok && (r.kind == recordResult) == result && r.digest.Bytes() == sum {
				return placeOf(r, int64(offset-1)+headerSize)
			}
		}
		at, seen = (at+n)&(x.slots-1), seen+n
	}
	return place{}, false
}

// readHeader reads the record at an offset: its payload too if it is a note of a file, else only how long it is.
func readHeader(log io.ReaderAt, offset int64) (record, bool) {
	var b [headerSize + 24]byte
	n, _ := log.ReadAt(b[:], offset)
	if n < headerSize || firstLength(b[:n]) == 0 {
		return record{}, false
	}
	r := record{kind: b[4], digest: digestIn(b[:])}
	length := binary.LittleEndian.Uint32(b[48:])
	if r.kind == recordFile {
		r, n = parse(b[:n])
		return r, n > 0
	}
	r.payload = lengthOnly(length)
	return r, true
}

// lengthOnly is a payload of which only the length counts.
func lengthOnly(n uint32) []byte { return zeros[:min(int(n), len(zeros))] }

var zeros = make([]byte, smallLimit*64)

// each calls f for every slot in use.
func (x *index) each(f func(prefix uint64, offset int64)) error {
	r := bufio.NewReaderSize(io.NewSectionReader(x.f, indexHeader, int64(x.slots)*slotSize), 1<<20)
	var slot [slotSize]byte
	for range x.slots {
		if _, err := io.ReadFull(r, slot[:]); err != nil {
			return err
		}
		if o := binary.LittleEndian.Uint64(slot[8:]); o != 0 {
			f(binary.LittleEndian.Uint64(slot[:]), int64(o-1))
		}
	}
	return nil
}

// table is an index in memory.
type table struct {
	slots []byte
	mask  uint64
	used  uint64
}

func newTable(entries int) *table {
	n := uint64(64)
	for n < uint64(entries)*3/2 {
		n *= 2
	}
	return &table{slots: make([]byte, n*slotSize), mask: n - 1}
}

// put adds an entry. Those that replace another are to be put first: a lookup takes the first that fits.
func (t *table) put(prefix uint64, offset int64) {
	at := prefix & t.mask
	for binary.LittleEndian.Uint64(t.slots[at*slotSize+8:]) != 0 {
		at = (at + 1) & t.mask
	}
	binary.LittleEndian.PutUint64(t.slots[at*slotSize:], prefix)
	binary.LittleEndian.PutUint64(t.slots[at*slotSize+8:], uint64(offset+1))
	t.used++
}

// writeIndex writes an index of everything that has been read, and goes on with it. It is an optimisation: a failure leaves
// things as they are. The caller holds mu.
func (s *Store) writeIndex() {
	if s.readOnly || s.end == 0 {
		return
	}
	entries := len(s.blobs) + len(s.results)
	if s.index != nil {
		entries += int(s.index.used)
	}
	t := newTable(entries)
	newer := make(map[uint64]bool, len(s.blobs)+len(s.results))
	for sum, p := range s.blobs {
		newer[prefix(sum, false)] = true
		if !p.lost {
			t.put(prefix(sum, false), p.offset-headerSize)
		}
	}
	for key, p := range s.results {
		sum := key.Digest().Bytes()
		newer[prefix(sum, true)] = true
		t.put(prefix(sum, true), p.offset-headerSize)
	}
	if s.index != nil {
		err := s.index.each(func(p uint64, offset int64) {
			if !newer[p] {
				t.put(p, offset)
			}
		})
		if err != nil {
			return
		}
	}
	h := make([]byte, indexHeader)
	copy(h, indexMagic)
	copy(h[8:], s.id[:])
	binary.LittleEndian.PutUint64(h[40:], uint64(s.end))
	binary.LittleEndian.PutUint64(h[48:], t.mask+1)
	binary.LittleEndian.PutUint64(h[56:], t.used)
	tail, err := tailOf(s.log, s.end)
	if err != nil {
		return
	}
	copy(h[64:], tail[:])
	binary.LittleEndian.PutUint32(h[4:], crc32.Checksum(h[8:], castagnoli))
	if vfs.WriteFile(s.fs, s.path("tmp"), s.path("index"), append(h, t.slots...), 0o644) != nil {
		return
	}
	if x := s.openIndex(); x != nil {
		if s.index != nil {
			s.index.close()
		}
		s.index = x
		clear(s.blobs)
		clear(s.results)
	}
}

// all calls f for everything that the store has: the place of each blob and of each result. The caller holds mu.
func (s *Store) all(blob func(cache.Digest, place), result func(cache.ActionKey, place)) error {
	if err := s.readOn(); err != nil {
		return err
	}
	tell := func(d cache.Digest, isResult bool, p place) {
		switch {
		case isResult:
			result(cache.KeyFrom(d), p)
		case !p.lost:
			blob(d, p)
		}
	}
	if s.index != nil {
		err := s.index.each(func(_ uint64, offset int64) {
			r, ok := readHeader(s.log, offset)
			if !ok {
				return
			}
			p, ok := placeOf(r, offset+headerSize)
			_, newerBlob := s.blobs[r.digest.Bytes()]
			_, newerResult := s.results[cache.KeyFrom(r.digest)]
			if isResult := r.kind == recordResult; ok && (isResult && !newerResult || !isResult && !newerBlob) {
				tell(r.digest, isResult, p)
			}
		})
		if err != nil {
			return err
		}
	}
	for sum, p := range s.blobs {
		tell(cache.NewDigest(sum, p.size), false, p)
	}
	for key, p := range s.results {
		tell(key.Digest(), true, p)
	}
	return nil
}
