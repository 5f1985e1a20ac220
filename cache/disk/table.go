package disk

import "encoding/binary"

// table is an index in memory, of the records that the index file does not cover: an open-addressing hash table from prefixes of
// sums to offsets in the log. It is as small as the index file, for a cold build of a project fills it with all it makes.
type table struct {
	slots []slot // a power of two, or none
	used  int
}

type slot struct {
	prefix uint64
	offset int64 // of the record + 1; 0 is free
}

// prefix is what tables and the index keep of a sum. A result, the blob of its key's preimage and a note that either is used have
// the same sum. Should two sums have one prefix, the later one hides the earlier one, which is then a miss: every hit is held
// against the record.
func prefix(sum [32]byte, kind byte) uint64 {
	p := binary.LittleEndian.Uint64(sum[:])
	switch kind {
	case recordResult:
		return ^p
	case recordUse:
		return p ^ 0x5555555555555555
	}
	return p
}

func (t *table) get(prefix uint64) (offset int64, ok bool) {
	if t.used == 0 {
		return 0, false
	}
	mask := uint64(len(t.slots) - 1)
	for at := prefix & mask; ; at = (at + 1) & mask {
		switch s := t.slots[at]; {
		case s.offset == 0:
			return 0, false
		case s.prefix == prefix:
			return s.offset - 1, true
		}
	}
}

// put sets the offset of a prefix.
func (t *table) put(prefix uint64, offset int64) {
	if 4*t.used >= 3*len(t.slots) {
		old := t.slots
		t.slots, t.used = make([]slot, max(64, 2*len(old))), 0
		for _, s := range old {
			if s.offset != 0 {
				t.put(s.prefix, s.offset-1)
			}
		}
	}
	mask := uint64(len(t.slots) - 1)
	at := prefix & mask
	for t.slots[at].offset != 0 && t.slots[at].prefix != prefix {
		at = (at + 1) & mask
	}
	if t.slots[at].offset == 0 {
		t.used++
	}
	t.slots[at] = slot{prefix: prefix, offset: offset + 1}
}

// each calls f for every entry.
func (t *table) each(f func(prefix uint64, offset int64)) {
	for _, s := range t.slots {
		if s.offset != 0 {
			f(s.prefix, s.offset-1)
		}
	}
}
