package disk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

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
)

// maxPayload bounds a record, so that a damaged length cannot ask for gigabytes.
const maxPayload = 1 << 30

type record struct {
	kind    byte
	digest  cache.Digest
	payload []byte
}

func (r record) encode() []byte {
	b := make([]byte, headerSize, headerSize+len(r.payload))
	copy(b, magic)
	b[4] = r.kind
	binary.LittleEndian.PutUint64(b[8:], uint64(r.digest.Size()))
	sum := r.digest.Bytes()
	copy(b[16:], sum[:])
	binary.LittleEndian.PutUint32(b[48:], uint32(len(r.payload)))
	crc := crc32.Update(crc32.Checksum(b[:52], castagnoli), castagnoli, r.payload)
	binary.LittleEndian.PutUint32(b[52:], crc)
	return append(b, r.payload...)
}

// append writes a record to the log and notes it. The caller holds mu.
func (s *Store) append(r record) error {
	if s.readOnly {
		return cache.ErrReadOnly
	}
	if err := flock(s.log); err != nil {
		return fmt.Errorf("locking the log: %w", err)
	}
	defer funlock(s.log)
	if err := s.readOn(); err != nil { // what others appended meanwhile
		return fmt.Errorf("reading the log: %w", err)
	}
	info, err := s.log.Stat()
	if err != nil {
		return fmt.Errorf("appending to the log: %w", err)
	}
	b := r.encode()
	if _, err := s.log.Write(b); err != nil {
		return fmt.Errorf("appending to the log: %w", wrap(err))
	}
	s.note(r, info.Size()+headerSize)
	if s.end == info.Size() { // else a torn record lies between, and the next reader passes over it
		s.end += int64(len(b))
	}
	return nil
}

// readOn reads what was appended to the log since the last time, by this process or others. The caller holds mu.
func (s *Store) readOn() error {
	info, err := s.log.Stat()
	if err != nil {
		return err
	}
	if info.Size() < s.end { // the log was replaced under us: start over
		s.end = 0
		clear(s.blobs)
		clear(s.results)
	}
	if info.Size() == s.end {
		return nil
	}
	buf := make([]byte, info.Size()-s.end)
	if _, err := s.log.ReadAt(buf, s.end); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	base := s.end
	for at := 0; at < len(buf); {
		r, n := parse(buf[at:])
		switch {
		case n > 0:
			s.note(r, base+int64(at)+headerSize)
			at += n
			s.end = base + int64(at)
		default:
			next := bytes.Index(buf[at+1:], magic) // a torn or damaged record: go on at the next that checks out
			if next < 0 {
				return nil // it may be the beginning of one that is being written: look again next time
			}
			at += 1 + next
		}
	}
	return nil
}

// parse reads the record at the start of b; n is 0 when there is no whole and sound one.
func parse(b []byte) (r record, n int) {
	if len(b) < headerSize || !bytes.Equal(b[:4], magic) {
		return record{}, 0
	}
	length := int(binary.LittleEndian.Uint32(b[48:]))
	if length > maxPayload || len(b) < headerSize+length {
		return record{}, 0
	}
	payload := b[headerSize : headerSize+length]
	crc := crc32.Update(crc32.Checksum(b[:52], castagnoli), castagnoli, payload)
	if crc != binary.LittleEndian.Uint32(b[52:]) {
		return record{}, 0
	}
	var sum [32]byte
	copy(sum[:], b[16:])
	size := int64(binary.LittleEndian.Uint64(b[8:]))
	return record{kind: b[4], digest: cache.NewDigest(sum, size), payload: payload}, headerSize + length
}

// note enters a record into the maps.
func (s *Store) note(r record, offset int64) {
	sum := r.digest.Bytes()
	p := place{offset: offset, length: int32(len(r.payload)), size: r.digest.Size()}
	switch r.kind {
	case recordBlob:
		s.blobs[sum] = p
	case recordResult:
		if k, err := cache.ParseActionKey(text(r.digest)); err == nil {
			s.results[k] = p
		}
	case recordFile:
		if len(r.payload) == 16 {
			p.file = true
			p.mtime = int64(binary.LittleEndian.Uint64(r.payload))
			p.inode = binary.LittleEndian.Uint64(r.payload[8:])
			s.blobs[sum] = p
		}
	case recordLost:
		delete(s.blobs, sum)
	}
}

func text(d cache.Digest) string {
	b, _ := d.MarshalText()
	return string(b)
}

// find returns where a blob is, after reading on when it is not known.
func (s *Store) find(d cache.Digest) (place, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.blobs[d.Bytes()]
	if !ok && s.readOn() == nil {
		p, ok = s.blobs[d.Bytes()]
	}
	return p, ok && p.size == d.Size()
}
