package disk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"time"

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
	recordUse    = 6
)

// maxPayload bounds a record, so that a damaged length cannot ask for gigabytes.
const maxPayload = 16 << 20

type record struct {
	kind    byte
	digest  cache.Digest
	payload []byte
	hour    uint32 // since 1970, when it was written or known to be used; 24 bits; 0 is unknown
}

// hourOf is the stamp of a time.
func hourOf(t time.Time) uint32 { return uint32(t.Unix()/3600) & 0xffffff }

// stampIn is the stamp in a header.
func stampIn(header []byte) uint32 { return binary.LittleEndian.Uint32(header[4:]) >> 8 }

// seal adds the encoding of the record to b.
func (r record) seal(b []byte) []byte {
	at := len(b)
	b = append(b, zeroHeader[:]...)
	b = append(b, r.payload...)
	h := b[at:]
	copy(h, magic)
	binary.LittleEndian.PutUint32(h[4:], uint32(r.kind)|r.hour<<8)
	binary.LittleEndian.PutUint64(h[8:], uint64(r.digest.Size()))
	sum := r.digest.Bytes()
	copy(h[16:], sum[:])
	binary.LittleEndian.PutUint32(h[48:], uint32(len(r.payload)))
	binary.LittleEndian.PutUint32(h[52:], checksum(h))
	return b
}

var zeroHeader [headerSize]byte

// checksum is that of a whole record.
func checksum(b []byte) uint32 {
	return crc32.Update(crc32.Checksum(b[:52], castagnoli), castagnoli, b[headerSize:])
}

// recordLength is the length of the record at the start of b, as its header says; 0 when there is no header.
func recordLength(b []byte) int64 {
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
	length := int(recordLength(b))
	if length == 0 || len(b) < length || checksum(b[:length]) != binary.LittleEndian.Uint32(b[52:]) {
		return record{}, 0
	}
	return record{kind: b[4], digest: digestIn(b), payload: b[headerSize:length], hour: stampIn(b)}, length
}

// digestIn is the digest in a header.
func digestIn(header []byte) cache.Digest {
	return cache.NewDigest([32]byte(header[16:48]), int64(binary.LittleEndian.Uint64(header[8:])))
}

// window is how much of a log is read at once.
const window = 1 << 20

// scan calls f for each sound record between two offsets of a log; offset is that of its header, and the payload is only valid
// during the call. A torn or damaged record is passed over to the next one that checks out. scan returns where what it
// understood ends: what follows may be a record that is being written.
func scan(log io.ReaderAt, from, to int64, f func(r record, offset int64)) (end int64, err error) {
	s := scanner{log: log, to: to, base: from, end: from, found: f}
	for s.base < s.to {
		if err := s.fill(); err != nil {
			return s.end, err
		}
		if n := s.records(); n > 0 {
			s.base += int64(n)
		} else {
			return s.end, nil
		}
	}
	return s.end, nil
}

type scanner struct {
	log   io.ReaderAt
	base  int64 // offset of buf
	to    int64
	end   int64 // of the last sound record
	buf   []byte
	found func(r record, offset int64)
}

// fill reads a window, or all of a longer record that begins it.
func (s *scanner) fill() error {
	n := min(window, s.to-s.base)
	for {
		if int64(cap(s.buf)) < n {
			s.buf = make([]byte, n)
		}
		s.buf = s.buf[:n]
		got, err := s.log.ReadAt(s.buf, s.base)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		s.buf = s.buf[:got]
		if int64(got) < n {
			s.to = s.base + int64(got) // it was cut meanwhile
		}
		need := recordLength(s.buf)
		if need <= int64(got) || s.base+need > s.to {
			return nil
		}
		n = need
	}
}

// records goes through the window and returns how much of it is done with.
func (s *scanner) records() (at int) {
	last := s.base+int64(len(s.buf)) >= s.to
	for at < len(s.buf) {
		if r, n := parse(s.buf[at:]); n > 0 {
			s.found(r, s.base+int64(at))
			at += n
			s.end = s.base + int64(at)
			continue
		}
		rest := s.buf[at:]
		if !last && at > 0 && (len(rest) < headerSize || recordLength(rest) > int64(len(rest))) {
			return at // it may go on in the next window
		}
		next := bytes.Index(rest[1:], magic)
		if next < 0 {
			if last {
				return len(s.buf)
			}
			return max(at+1, len(s.buf)-len(magic)+1)
		}
		at += 1 + next
	}
	return at
}
