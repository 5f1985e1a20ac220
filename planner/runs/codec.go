package runs

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"time"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/lang/value"
	"mbuild.dev/mbuild/planner"
)

// A record is the line "mbuild run 1", then frames: length and CRC-32C of the payload, 4 bytes each, little-endian, then the
// payload. A payload is a sequence of entries: a type byte, the length as a varint, the data.
//
//	h  Header, JSON
//	s  a string that executions refer to by number, counted from 1
//	r  address, slot, start in µs: an action that runs while the frame is written
//	a  Action, see appendAction; the address comes first, so that one can be found without decoding the others
//	e  End, JSON
//
// Readers stop at the first frame that is not whole, and skip entries of types that they do not know.
const magic = "mbuild run 1\n"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const (
	maxFrame  = 16 << 20
	maxText   = 4 << 10 // of an error
	maxShown  = 200     // of a value in a reason
	maxTable  = 1 << 16 // strings that are referred to by number
	frameHead = 8
)

var errRecord = errors.New("damaged record of a run")

func appendFrame(b, payload []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(payload)))
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(payload, castagnoli))
	return append(b, payload...)
}

func appendEntry(b []byte, typ byte, data []byte) []byte {
	b = append(b, typ)
	b = binary.AppendUvarint(b, uint64(len(data)))
	return append(b, data...)
}

func appendText(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// table numbers the strings that come up again and again: kinds, workers, attribute paths.
type table struct {
	ids   map[string]uint64
	texts []string
}

// ref is the number of a string; define is true when the reader has not seen it yet. 0 is the empty string, and so is one that
// no longer fits into the table.
func (t *table) ref(s string) (id uint64, define bool) {
	if s == "" {
		return 0, false
	}
	if id := t.ids[s]; id != 0 {
		return id, false
	}
	if len(t.ids) >= maxTable {
		return 0, false
	}
	if t.ids == nil {
		t.ids = map[string]uint64{}
	}
	id = uint64(len(t.ids) + 1)
	t.ids[s] = id
	return id, true
}

const (
	hasLog = 1 << iota
	hasReason
	hasError
	hasDeps
	hasKey
)

func appendDigest(b []byte, d cache.Digest) []byte {
	sum := d.Bytes()
	b = append(b, sum[:]...)
	return binary.AppendUvarint(b, uint64(d.Size()))
}

func micros(d time.Duration) uint64 { return uint64(max(d, 0) / time.Microsecond) }

// appendAction encodes an execution that is the n-th of its run. refs are the numbers of kind, worker, and the reason's code and path.
func appendAction(b []byte, a *Action, n int, refs [4]uint64) []byte {
	b = appendText(b, a.Addr)
	flags := byte(0)
	for _, f := range []struct {
		on  bool
		bit byte
	}{{!a.Log.IsZero(), hasLog}, {a.Reason.Code != "", hasReason}, {a.Error != "", hasError}, {len(a.Deps) > 0, hasDeps}, {!a.Key.IsZero(), hasKey}} {
		if f.on {
			flags |= f.bit
		}
	}
	b = append(b, byte(a.State), flags)
	for _, v := range [...]uint64{micros(a.Start), micros(a.Wall), micros(a.Queue), micros(a.CPU), uint64(a.Slot), refs[0], refs[1], uint64(max(a.Memory, 0)), uint64(max(a.Store, 0))} {
		b = binary.AppendUvarint(b, v)
	}
	if flags&hasKey != 0 {
		b = appendDigest(b, a.Key)
	}
	if flags&hasLog != 0 {
		b = appendDigest(b, a.Log)
	}
	if flags&hasReason != 0 {
		b = binary.AppendUvarint(b, refs[2])
		b = binary.AppendUvarint(b, refs[3])
		b = appendText(b, a.Reason.From)
		b = appendText(b, shortValue(a.Reason.Before))
		b = appendText(b, shortValue(a.Reason.After))
	}
	if flags&hasError != 0 {
		b = appendText(b, cut(a.Error, maxText))
	}
	if flags&hasDeps != 0 {
		b = binary.AppendUvarint(b, uint64(len(a.Deps)))
		for _, d := range a.Deps {
			b = binary.AppendUvarint(b, uint64(n-d))
		}
	}
	return b
}

// shortValue is a value as canonical JSON, or the beginning of that as a string.
func shortValue(v any) string {
	if v == nil {
		return ""
	}
	enc, err := value.Canonical(v)
	if err == nil && len(enc) > maxShown {
		enc, err = value.Canonical(cut(string(enc), maxShown) + "…")
	}
	if err != nil {
		return ""
	}
	return string(enc)
}

func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xc0 == 0x80 { // not within a character
		n--
	}
	return s[:n]
}

// decoder reads what the functions above wrote; its first error sticks.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.err, d.b = errRecord, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) take(n uint64) []byte {
	if n > uint64(len(d.b)) {
		d.err, d.b = errRecord, nil
		return nil
	}
	out := d.b[:n]
	d.b = d.b[n:]
	return out
}

func (d *decoder) text() string { return string(d.take(d.uvarint())) }

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) micros() time.Duration {
	v := d.uvarint()
	if v > 1<<52 {
		d.err = errRecord
		return 0
	}
	return time.Duration(v) * time.Microsecond
}

func (d *decoder) digest() cache.Digest {
	var sum [32]byte
	copy(sum[:], d.take(32))
	size := d.uvarint()
	if size > 1<<62 {
		d.err = errRecord
		return cache.Digest{}
	}
	return cache.NewDigest(sum, int64(size))
}

func (t *table) text(id uint64) string {
	if id == 0 || id > uint64(len(t.texts)) {
		return ""
	}
	return t.texts[id-1]
}

// decodeAction reads the n-th execution of a run.
func decodeAction(data []byte, n int, t *table) (Action, error) {
	d := &decoder{b: data}
	a := Action{Addr: d.text(), State: State(d.byte())}
	flags := d.byte()
	a.Start, a.Wall, a.Queue, a.CPU = d.micros(), d.micros(), d.micros(), d.micros()
	a.Slot = int(min(d.uvarint(), 1<<20))
	a.Kind, a.Worker = t.text(d.uvarint()), t.text(d.uvarint())
	a.Memory, a.Store = int64(d.uvarint()), int64(d.uvarint())
	if flags&hasKey != 0 {
		a.Key = d.digest()
	}
	if flags&hasLog != 0 {
		a.Log = d.digest()
	}
	if flags&hasReason != 0 {
		a.Reason = planner.Reason{Code: t.text(d.uvarint()), Path: t.text(d.uvarint()), From: d.text()}
		a.Reason.Before, a.Reason.After = longValue(d.text()), longValue(d.text())
	}
	if flags&hasError != 0 {
		a.Error = d.text()
	}
	if flags&hasDeps != 0 {
		for k := d.uvarint(); k > 0 && d.err == nil; k-- {
			if back := d.uvarint(); back >= 1 && back <= uint64(n) {
				a.Deps = append(a.Deps, n-int(back))
			}
		}
	}
	return a, d.err
}

func longValue(s string) any {
	if s == "" {
		return nil
	}
	v, err := value.Decode([]byte(s))
	if err != nil {
		return nil
	}
	return v
}

// entries calls f for each entry of a record, as far as it is whole, until f returns false. It reports whether all of it was whole.
func entries(b []byte, f func(typ byte, data []byte) bool) bool {
	if len(b) < len(magic) || string(b[:len(magic)]) != magic {
		return false
	}
	for b = b[len(magic):]; len(b) > 0; {
		if len(b) < frameHead {
			return false
		}
		n, sum := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
		if n > maxFrame || uint64(n) > uint64(len(b)-frameHead) {
			return false
		}
		payload := b[frameHead : frameHead+n]
		if crc32.Checksum(payload, castagnoli) != sum {
			return false
		}
		b = b[frameHead+n:]
		for d := (&decoder{b: payload}); len(d.b) > 0; {
			typ := d.byte()
			data := d.take(d.uvarint())
			if d.err != nil {
				return false
			}
			if !f(typ, data) {
				return true
			}
		}
	}
	return true
}

// decode reads a record as far as it is whole.
func decode(b []byte) (*Run, error) {
	r := &Run{Bytes: int64(len(b))}
	t := &table{}
	running := map[string]Action{}
	var failed error
	whole := entries(b, func(typ byte, data []byte) bool {
		var err error
		switch typ {
		case 'h':
			err = json.Unmarshal(data, &r.Header)
		case 's':
			t.texts = append(t.texts, string(data))
		case 'r':
			d := &decoder{b: data}
			a := Action{Addr: d.text(), State: Running, Slot: int(min(d.uvarint(), 1<<20)), Start: d.micros()}
			err = d.err
			running[a.Addr] = a
		case 'a':
			var a Action
			if a, err = decodeAction(data, len(r.Actions), t); err == nil {
				r.Actions = append(r.Actions, a)
				delete(running, a.Addr)
			}
		case 'e':
			r.End = new(End)
			err = json.Unmarshal(data, r.End)
		}
		if err != nil {
			failed = err
		}
		return err == nil
	})
	if r.ID == "" {
		return nil, errRecord
	}
	r.Damaged = !whole || failed != nil
	if r.End == nil {
		r.Actions = append(r.Actions, sortedByStart(running)...)
	}
	return r, nil
}
