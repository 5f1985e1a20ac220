package disk

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"mbuild.dev/mbuild/cache"
)

const headerSize = 56

var magic = []byte("MBR1")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// The types of records.
const (
	recordBlob   = 1
	recordResult = 2
	recordFile   = 3
	recordLost   = 4
	recordHead   = 5
)

// maxPayload bounds a record, so that a damaged length cannot ask for gigabytes.
const maxPayload = 1 << 30

// logID tells a log from the one that took its place: the sum of its head record. A log without a head has the zero one.
type logID [32]byte

type record struct {
	kind    byte
	digest  cache.Digest
	payload []byte
}

func (r record) size() int64 { return int64(headerSize + len(r.payload)) }

// appendTo adds the encoding of the record to b.
func (r record) appendTo(b []byte) []byte {
	at := len(b)
	b = append(b, make([]byte, headerSize)...)
	h := b[at:]
	copy(h, magic)
	h[4] = r.kind
	binary.LittleEndian.PutUint64(h[8:], uint64(r.digest.Size()))
	sum := r.digest.Bytes()
	copy(h[16:], sum[:])
	binary.LittleEndian.PutUint32(h[48:], uint32(len(r.payload)))
	crc := crc32.Update(crc32.Checksum(h[:52], castagnoli), castagnoli, r.payload)
	binary.LittleEndian.PutUint32(h[52:], crc)
	return append(b, r.payload...)
}

// begin reads the id of the log; an empty log gets a head first. The caller holds mu.
func (s *Store) begin() error {
	head := make([]byte, headerSize)
	_, err := s.log.ReadAt(head, 0)
	if err == io.EOF && !s.readOnly {
		err = s.writeHead()
		if err == nil {
			_, err = s.log.ReadAt(head, 0)
		}
	}
	if err != nil && err != io.EOF {
		return err
	}
	if r, n := parse(head); n > 0 && r.kind == recordHead {
		s.id = r.digest.Bytes()
	}
	return nil
}

func (s *Store) writeHead() error {
	if err := flock(s.log); err != nil {
		return fmt.Errorf("locking the log: %w", err)
	}
	defer funlock(s.log)
	if info, err := s.log.Stat(); err != nil || info.Size() > 0 {
		return err // another process was first
	}
	_, err := s.log.Write(newHead().appendTo(nil))
	return err
}

func newHead() record {
	var id logID
	rand.Read(id[:])
	return record{kind: recordHead, digest: cache.NewDigest(id, 0)}
}

// append writes records to the log, in one write, and notes them. The caller holds mu.
func (s *Store) append(records ...record) error {
	if s.readOnly {
		return cache.ErrReadOnly
	}
	if err := s.lockLog(); err != nil {
		return err
	}
	defer funlock(s.log)
	if err := s.readOn(); err != nil { // what others appended meanwhile
		return fmt.Errorf("reading the log: %w", err)
	}
	info, err := s.log.Stat()
	if err != nil {
		return fmt.Errorf("appending to the log: %w", err)
	}
	var n int64
	for _, r := range records {
		n += r.size()
	}
	b := make([]byte, 0, n)
	for _, r := range records {
		b = r.appendTo(b)
	}
	if _, err := s.log.Write(b); err != nil {
		return fmt.Errorf("appending to the log: %w", wrap(err))
	}
	at := info.Size()
	for _, r := range records {
		s.note(r, at+headerSize)
		at += r.size()
	}
	if s.end == info.Size() { // else a torn record lies between, and the next reader passes over it
		s.end = at
	}
	return nil
}

// lockLog locks the log for appending: the one that lies in the store now, should GC have replaced it. The caller holds mu.
func (s *Store) lockLog() error {
	for {
		if err := flock(s.log); err != nil {
			return fmt.Errorf("locking the log: %w", err)
		}
		if !s.replaced() {
			return nil
		}
		funlock(s.log)
		if err := s.reload(); err != nil {
			return fmt.Errorf("reading the log: %w", err)
		}
		if s.readOnly {
			return cache.ErrReadOnly
		}
	}
}

// replaced reports that another file has taken the place of the log. The caller holds mu.
func (s *Store) replaced() bool {
	here, err1 := s.log.Stat()
	there, err2 := s.fs.Stat(s.path("log"))
	return err1 == nil && (err2 != nil || !os.SameFile(here, there))
}

// Refresh makes the store see everything that other processes have added.
func (s *Store) Refresh() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.replaced() {
		return s.reload()
	}
	return s.readOn()
}

// window is how much of the log is read at once.
const window = 16 << 20

// readOn reads what was appended to the log since the last time, by this process or others. The caller holds mu.
func (s *Store) readOn() error {
	info, err := s.log.Stat()
	if err != nil {
		return err
	}
	if info.Size() < s.end { // the log was cut: start over
		if s.index != nil {
			s.index.close()
			s.index = nil
		}
		s.end = 0
		clear(s.blobs)
		clear(s.results)
	}
	if info.Size() == s.end {
		return nil
	}
	return scan(s.log, s.end, info.Size(), func(r record, offset int64) {
		s.note(r, offset)
		s.end = offset + int64(len(r.payload))
	})
}

// scan calls f for each sound record between two offsets of a log; offset is that of its payload, which is only valid during the
// call. A torn or damaged record is passed over to the next one that checks out.
func scan(log io.ReaderAt, from, to int64, f func(r record, offset int64)) error {
	buf := make([]byte, 0, min(window, to-from))
	for base := from; base < to; {
		n := min(int64(window), to-base)
		for {
			if int64(cap(buf)) < n {
				buf = make([]byte, 0, n)
			}
			buf = buf[:n]
			got, err := log.ReadAt(buf, base)
			if err != nil && !errors.Is(err, io.EOF) {
				return err
			}
			buf = buf[:got]
			if int64(got) < n {
				to = base + int64(got) // it was cut meanwhile
			}
			// A record longer than the window: read all of it.
			if need := firstLength(buf); need <= int64(len(buf)) || base+need > to {
				break
			}
			n = firstLength(buf)
		}
		at, last := 0, base+int64(len(buf)) >= to
		for at < len(buf) {
			r, n := parse(buf[at:])
			if n > 0 {
				f(r, base+int64(at)+headerSize)
				at += n
				continue
			}
			if !last && at > 0 && (len(buf)-at < headerSize || firstLength(buf[at:]) > int64(len(buf)-at)) {
				break // it may go on in the next window
			}
			next := bytes.Index(buf[at+1:], magic) // a torn or damaged record: go on at the next that checks out
			if next < 0 {
				if last {
					return nil // it may be the beginning of one that is being written: look again next time
				}
				at = max(at+1, len(buf)-len(magic)+1)
				break
			}
			at += 1 + next
		}
		if at == 0 {
			return nil
		}
		base += int64(at)
	}
	return nil
}

// firstLength is the length of the record at the start of b, as its header says; 0 when there is no header.
func firstLength(b []byte) int64 {
	if len(b) < headerSize || !bytes.Equal(b[:4], magic) {
		return 0
	}
	length := int64(binary.LittleEndian.Uint32(b[48:]))
	if length > maxPayload {
		return 0
	}
	return headerSize + length
}

// parse reads the record at the start of b; n is 0 when there is no whole and sound one.
func parse(b []byte) (r record, n int) {
	length := int(firstLength(b))
	if length == 0 || len(b) < length {
		return record{}, 0
	}
	payload := b[headerSize:length]
	crc := crc32.Update(crc32.Checksum(b[:52], castagnoli), castagnoli, payload)
	if crc != binary.LittleEndian.Uint32(b[52:]) {
		return record{}, 0
	}
	return record{kind: b[4], digest: digestIn(b), payload: payload}, length
}

// digestIn is the digest in a header.
func digestIn(header []byte) cache.Digest {
	return cache.NewDigest([32]byte(header[16:48]), int64(binary.LittleEndian.Uint64(header[8:])))
}

// placeOf is where a record says that something is.
func placeOf(r record, offset int64) (p place, ok bool) {
	p = place{offset: offset, length: int32(len(r.payload)), size: r.digest.Size()}
	switch r.kind {
	case recordBlob, recordResult:
		return p, true
	case recordFile:
		if len(r.payload) != 24 {
			return p, false
		}
		p.file = true
		p.mtime = int64(binary.LittleEndian.Uint64(r.payload))
		p.inode = binary.LittleEndian.Uint64(r.payload[8:])
		p.boot = binary.LittleEndian.Uint64(r.payload[16:])
		return p, true
	case recordLost:
		p.lost = true
		return p, true
	}
	return p, false
}

// note enters a record into the maps.
func (s *Store) note(r record, offset int64) {
	p, ok := placeOf(r, offset)
	switch {
	case !ok:
	case r.kind == recordResult:
		s.results[cache.KeyFrom(r.digest)] = p
	case p.lost && s.index == nil:
		delete(s.blobs, r.digest.Bytes())
	default:
		s.blobs[r.digest.Bytes()] = p
	}
}

// blob returns where a blob is, after reading on when it is not known. The caller holds mu.
func (s *Store) blob(d cache.Digest) (place, bool) {
	sum := d.Bytes()
	p, ok := s.blobs[sum]
	if !ok && s.index != nil {
		p, ok = s.index.find(s.log, sum, false)
	}
	if !ok && s.readOn() == nil {
		p, ok = s.blobs[sum]
	}
	return p, ok && !p.lost && p.size == d.Size()
}

// find is blob for those who do not hold mu.
func (s *Store) find(d cache.Digest) (place, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.blob(d)
}

// result returns where a result is. The caller holds mu.
func (s *Store) result(key cache.ActionKey) (place, bool) {
	p, ok := s.results[key]
	if !ok && s.index != nil {
		p, ok = s.index.find(s.log, key.Digest().Bytes(), true)
		ok = ok && p.size == key.Digest().Size()
	}
	if !ok && s.readOn() == nil {
		p, ok = s.results[key]
	}
	return p, ok
}
