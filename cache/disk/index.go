package disk

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math/bits"
	"sync/atomic"

	"mbuild.dev/mbuild/cache/vfs"
)

// The file "index" finds records of the log without reading the log: opening a store of a million results costs what opening
// one of ten costs. It is a hash table in pages that is read in place; the log stays the truth, so that every hit is held
// against the record that it leads to, and an index that is missing, damaged or of another log only costs time.
//
//	0     "MBI2"
//	4     CRC-32C of bytes 8 to 127
//	8     id of the log
//	40    how much of the log it covers
//	48    number of pages
//	56    number of slots in use
//	64    the last 64 bytes of what it covers: another log of that id and length would have others
//	128   zeros up to 4096
//	4096  pages of 4096 bytes: 255 slots of 16 bytes, CRC-32C of the slots, 12 zeros
//
// A slot has the first 8 bytes of a sum as a number (of a result: inverted; of a use: with 0x55… exclusive-ored) and the offset of its record + 1; 0 is free. The page of
// that number x is x * pages >> 64, and its slot there the first with x, from x modulo 255 on and around, before a free one.
const (
	pageSize   = 4096
	pageSlots  = 255
	slotSize   = 16
	pageCRC    = pageSlots * slotSize
	pageFill   = 170 // slots of a page in use, in the mean
	indexHead  = 128
	indexTail  = 64
	indexMagic = "MBI2"

	// indexEvery is how much of a log may be without index before Close writes a new one: reading that much takes a few
	// milliseconds. Where the index is large, it may be an eighth of the index, or each few MB would cost writing it all.
	indexEvery = 4 << 20
)

var errIndex = errors.New("the index is damaged")

type index struct {
	*view
	covered int64
	pages   uint64
	used    uint64
	checked []atomic.Uint32 // a bit for each page whose checksum was right
}

// covered is how much of the log the index covers. The caller holds mu.
func (s *Store) covered() int64 {
	if s.index == nil {
		return 0
	}
	return s.index.covered
}

// indexDue reports that so much of the log has no index that writing one is worth it. The caller holds mu.
func (s *Store) indexDue() bool {
	due := int64(indexEvery)
	if s.index != nil {
		due = max(due, int64(s.index.pages)*pageSize/8)
	}
	return s.end-s.covered() > due
}

// openIndex opens the index of the log; nil when there is none that fits.
func (s *Store) openIndex() *index {
	f, err := vfs.Open(s.fs, s.path("index"))
	if err != nil {
		return nil
	}
	x := s.checkIndex(f)
	if x == nil {
		f.Close()
	}
	return x
}

func (s *Store) checkIndex(f vfs.File) *index {
	h := make([]byte, indexHead)
	if _, err := f.ReadAt(h, 0); err != nil || string(h[:4]) != indexMagic ||
		crc32.Checksum(h[8:], castagnoli) != binary.LittleEndian.Uint32(h[4:]) || logID(h[8:40]) != s.id {
		return nil
	}
	x := &index{covered: int64(binary.LittleEndian.Uint64(h[40:])), pages: binary.LittleEndian.Uint64(h[48:]), used: binary.LittleEndian.Uint64(h[56:])}
	info, err := f.Stat()
	if err != nil || x.pages == 0 || x.pages > 1<<40 || info.Size != int64(1+x.pages)*pageSize {
		return nil
	}
	log, err := s.log.Stat()
	if err != nil || log.Size < x.covered {
		return nil
	}
	if tail, err := tailOf(s.log, x.covered); err != nil || tail != [indexTail]byte(h[64:]) {
		return nil
	}
	x.view, x.checked = openView(f, info.Size), make([]atomic.Uint32, (x.pages+31)/32)
	return x
}

// tailOf is the last bytes of a log before an offset, zeros in front.
func tailOf(log io.ReaderAt, end int64) (tail [indexTail]byte, err error) {
	n := min(end, indexTail)
	_, err = log.ReadAt(tail[indexTail-n:], end-n)
	return tail, err
}

// page gives the slots of a page, checked. The caller is guarded.
func (x *index) page(n uint64) ([]byte, error) {
	at := int64(1+n) * pageSize
	var p []byte
	if at+pageSize <= int64(len(x.data)) {
		p = x.data[at : at+pageSize]
	} else {
		p = make([]byte, pageSize)
		if _, err := x.ReadAt(p, at); err != nil {
			return nil, errIndex
		}
	}
	seen, bit := &x.checked[n/32], uint32(1)<<(n%32)
	if seen.Load()&bit == 0 {
		if crc32.Checksum(p[:pageCRC], castagnoli) != binary.LittleEndian.Uint32(p[pageCRC:]) {
			return nil, errIndex
		}
		seen.Or(bit)
	}
	return p[:pageCRC], nil
}

// get is where the record of a prefix is. The caller is guarded.
func (x *index) get(prefix uint64) (offset int64, ok bool, err error) {
	n, _ := bits.Mul64(prefix, x.pages)
	p, err := x.page(n)
	if err != nil {
		return 0, false, err
	}
	for i, at := 0, int(prefix%pageSlots); i < pageSlots; i++ {
		slot := p[at*slotSize : (at+1)*slotSize]
		o := binary.LittleEndian.Uint64(slot[8:])
		switch {
		case o == 0:
			return 0, false, nil
		case binary.LittleEndian.Uint64(slot) == prefix:
			return int64(o - 1), true, nil
		}
		if at++; at == pageSlots {
			at = 0
		}
	}
	return 0, false, nil
}

// each calls f for every slot in use.
func (x *index) each(f func(prefix uint64, offset int64)) (err error) {
	fault := guarded(func() {
		for n := range x.pages {
			var p []byte
			if p, err = x.page(n); err != nil {
				return
			}
			for ; len(p) > 0; p = p[slotSize:] {
				if o := binary.LittleEndian.Uint64(p[8:]); o != 0 {
					f(binary.LittleEndian.Uint64(p), int64(o-1))
				}
			}
		}
	})
	return errors.Join(err, fault)
}

// pages is an index file that is being made.
type pages struct {
	n     uint64
	bytes []byte
}

func newPages(entries int) *pages {
	n := uint64(entries/pageFill + 1)
	return &pages{n: n, bytes: make([]byte, (1+n)*pageSize)}
}

// put adds an entry; false when its page is full.
func (p *pages) put(prefix uint64, offset int64) bool {
	n, _ := bits.Mul64(prefix, p.n)
	page := p.bytes[(1+n)*pageSize:][:pageCRC]
	for i, at := 0, int(prefix%pageSlots); i < pageSlots; i, at = i+1, (at+1)%pageSlots {
		if slot := page[at*slotSize:]; binary.LittleEndian.Uint64(slot[8:]) == 0 {
			binary.LittleEndian.PutUint64(slot, prefix)
			binary.LittleEndian.PutUint64(slot[8:], uint64(offset+1))
			return true
		}
	}
	return false
}

// seal fills in the checksums and the header.
func (p *pages) seal(id logID, covered int64, used int, tail [indexTail]byte) {
	for at := pageSize; at < len(p.bytes); at += pageSize {
		binary.LittleEndian.PutUint32(p.bytes[at+pageCRC:], crc32.Checksum(p.bytes[at:at+pageCRC], castagnoli))
	}
	h := p.bytes[:indexHead]
	copy(h, indexMagic)
	copy(h[8:], id[:])
	binary.LittleEndian.PutUint64(h[40:], uint64(covered))
	binary.LittleEndian.PutUint64(h[48:], p.n)
	binary.LittleEndian.PutUint64(h[56:], uint64(used))
	copy(h[64:], tail[:])
	binary.LittleEndian.PutUint32(h[4:], crc32.Checksum(h[8:], castagnoli))
}

// makePages makes an index of the entries that each gives; nil when no size will do, which is not for honest sums.
func makePages(entries int, each func(put func(prefix uint64, offset int64)) error) (*pages, int, error) {
	for room := entries; room <= 4*entries+pageSlots; room += room/4 + 1 {
		p, used, fits := newPages(room), 0, true
		err := each(func(prefix uint64, offset int64) {
			used++
			fits = fits && p.put(prefix, offset)
		})
		if err != nil || fits {
			return p, used, err
		}
	}
	return nil, 0, errIndex
}

// writeIndex writes an index of everything that has been read, and goes on with it. It is an optimisation: a failure leaves
// things as they are. The caller holds mu.
func (s *Store) writeIndex() {
	if s.readOnly || s.end == 0 {
		return
	}
	entries := s.tail.used
	if s.index != nil {
		entries += int(s.index.used)
	}
	p, used, err := makePages(entries, s.eachEntry)
	if err != nil {
		return
	}
	tail, err := tailOf(s.log, s.end)
	if err != nil {
		return
	}
	p.seal(s.id, s.end, used, tail)
	if s.writeFile("index", p.bytes) != nil {
		return
	}
	if x := s.openIndex(); x != nil {
		s.closeIndex()
		s.index, s.tail = x, table{}
	}
}

// eachEntry calls f for everything that was read: the place of the last record of each sum. The caller holds mu.
func (s *Store) eachEntry(f func(prefix uint64, offset int64)) error {
	s.tail.each(f)
	if s.index == nil {
		return nil
	}
	return s.index.each(func(p uint64, offset int64) {
		if _, newer := s.tail.get(p); !newer {
			f(p, offset)
		}
	})
}

// closeIndex lets go of the index. The caller holds mu.
func (s *Store) closeIndex() {
	if s.index != nil {
		s.index.Close()
		s.index = nil
	}
}
