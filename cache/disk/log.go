package disk

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/cache/vfs"
)

// logID tells a log from the one that took its place: the sum of its head record. A log without a sound head has the zero one.
type logID [32]byte

func newHead() record {
	var id logID
	rand.Read(id[:])
	return record{kind: recordHead, digest: cache.NewDigest(id, 0)}
}

// reload opens the log, takes its index when there is one, and reads what the index does not cover. The caller holds mu.
func (s *Store) reload() error {
	s.closeLog()
	f, err := s.openLog()
	if err != nil {
		return err
	}
	s.log = openView(f, 0)
	if err := s.begin(); err != nil {
		return err
	}
	if s.index = s.openIndex(); s.index != nil {
		s.end = s.index.covered
	}
	if err := s.readOn(); err != nil {
		return err
	}
	s.log.remap(s.end)
	if s.indexDue() {
		s.writeIndex() // a process that was killed left much to read: the next one shall not read it again
	}
	return nil
}

func (s *Store) openLog() (vfs.File, error) {
	if !s.readOnly {
		f, err := s.fs.OpenFile(s.path("log"), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
		if !isReadOnly(err) || s.opened {
			return f, err
		}
		s.readOnly = true
	}
	f, err := vfs.Open(s.fs, s.path("log"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("it is empty and may not be written: %w", cache.ErrReadOnly)
	}
	return f, err
}

// closeLog lets go of the log and of everything known about it. The caller holds mu.
func (s *Store) closeLog() error {
	s.closeIndex()
	s.tail, s.end, s.id = table{}, 0, logID{}
	if s.log == nil {
		return nil
	}
	err := s.log.Close()
	s.log = nil
	return err
}

// begin reads the id of the log; an empty log gets a head first. The caller holds mu.
func (s *Store) begin() error {
	head := make([]byte, headerSize)
	_, err := s.log.ReadAt(head, 0)
	if err == io.EOF && !s.readOnly {
		if err = s.writeHead(); err == nil {
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
	if err := s.log.Lock(); err != nil {
		return fmt.Errorf("locking the log: %w", err)
	}
	defer s.log.Unlock()
	if info, err := s.log.Stat(); err != nil || info.Size > 0 {
		return err // another process was first
	}
	_, err := s.log.Write(newHead().seal(nil))
	return err
}

// batch is records on their way into the log, sealed, with where each begins.
type batch struct {
	bytes []byte
	marks []mark
}

type mark struct {
	prefix uint64
	at     int
}

func (b *batch) add(r record) {
	b.marks = append(b.marks, mark{prefix(r.digest.Bytes(), r.kind == recordResult), len(b.bytes)})
	b.bytes = r.seal(b.bytes)
}

func (b *batch) reset() { b.bytes, b.marks = b.bytes[:0], b.marks[:0] }

// append writes a batch to the log, in one write, and notes what is in it. The caller holds mu.
func (s *Store) append(b *batch) error {
	if s.readOnly {
		return cache.ErrReadOnly
	}
	if len(b.bytes) == 0 {
		return nil
	}
	at, err := s.lockLog()
	if err != nil {
		return err
	}
	defer s.log.Unlock()
	if _, err := s.log.Write(b.bytes); err != nil {
		return fmt.Errorf("appending to the log: %w", wrap(err))
	}
	for _, m := range b.marks {
		s.tail.put(m.prefix, at+int64(m.at))
	}
	s.end = at + int64(len(b.bytes))
	return nil
}

// lockLog locks the log for appending: the one that lies in the store now, should GC have replaced it. It reads what others have
// appended and returns where the log ends; what lies before and could not be read is torn, and stays so. The caller holds mu.
func (s *Store) lockLog() (end int64, err error) {
	for {
		if err := s.log.Lock(); err != nil {
			return 0, fmt.Errorf("locking the log: %w", err)
		}
		info, err := s.log.Stat()
		if err == nil && info.Links > 0 {
			if info.Size != s.end {
				err = s.readTo(info.Size)
			}
			if err == nil {
				return info.Size, nil
			}
		}
		s.log.Unlock()
		if err == nil {
			err = s.reload()
		}
		if err != nil {
			return 0, fmt.Errorf("reading the log: %w", wrap(err))
		}
	}
}

// staleAfter is how long the store goes on without looking whether others have appended to the log.
const staleAfter = time.Millisecond

var epoch = time.Now()

// stale reports that it is time to look again.
func (s *Store) stale() bool { return int64(time.Since(epoch)) > s.looked.Load() }

// Refresh makes the store see everything that other processes have added. Without it that takes a millisecond at most.
func (s *Store) Refresh() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	here, err := s.log.Stat()
	if err != nil {
		return fmt.Errorf("looking at the log: %w", err)
	}
	if there, err := s.fs.Stat(s.path("log")); here.Links == 0 || err == nil && there.Inode != here.Inode {
		if err := s.reload(); err != nil {
			return fmt.Errorf("reading the log: %w", wrap(err))
		}
		return nil
	}
	if err := s.readOn(); err != nil {
		return fmt.Errorf("reading the log: %w", err)
	}
	if s.end-int64(len(s.log.data)) > indexEvery {
		s.log.remap(s.end)
	}
	return nil
}

// readOn reads what was appended to the log since the last time, by this process or others. The caller holds mu.
func (s *Store) readOn() error {
	s.looked.Store(int64(time.Since(epoch) + staleAfter))
	info, err := s.log.Stat()
	if err != nil {
		return err
	}
	return s.readTo(info.Size)
}

// readTo reads the log up to its size. The caller holds mu.
func (s *Store) readTo(size int64) error {
	if size < s.end { // the log was cut
		s.startOver()
	}
	if size == s.end {
		return nil
	}
	end, err := scan(s.log.File, s.end, size, func(r record, offset int64) {
		if r.kind != recordHead {
			s.tail.put(prefix(r.digest.Bytes(), r.kind == recordResult), offset)
		}
	})
	s.end = end
	return err
}

// found is a record that was looked up: its header and as much of its payload as fits.
type found struct {
	offset int64
	bytes  []byte
}

func (f found) kind() byte { return f.bytes[4] }

func (f found) length() int64 { return recordLength(f.bytes) - headerSize }

// peekSize is how much of a record is read at once: most results, and the notes of files, are shorter.
const peekSize = 512

// locate looks a sum up in what was read. The caller holds mu, for reading at least; an error says that the index is of no use.
func (s *Store) locate(d cache.Digest, result bool, buf []byte) (f found, ok bool, err error) {
	fault := guarded(func() { f, ok, err = s.locateUnguarded(d, result, buf) })
	if fault != nil {
		return found{}, false, fault
	}
	return f, ok, err
}

func (s *Store) locateUnguarded(d cache.Digest, result bool, buf []byte) (found, bool, error) {
	p := prefix(d.Bytes(), result)
	if offset, ok := s.tail.get(p); ok {
		if f := (found{offset, s.log.peek(offset, buf)}); f.is(d, result) {
			return f, true, nil
		}
	}
	if s.index == nil {
		return found{}, false, nil
	}
	offset, ok, err := s.index.get(p)
	if !ok || err != nil {
		return found{}, false, err
	}
	f := found{offset, s.log.peek(offset, buf)}
	return f, f.is(d, result), nil
}

// is reports that the record is of the sum, by its header.
func (f found) is(d cache.Digest, result bool) bool {
	if recordLength(f.bytes) == 0 || digestIn(f.bytes) != d {
		return false
	}
	return (f.kind() == recordResult) == result && f.kind() != recordHead
}

// find is locate for those who do not hold mu. It looks again at what others have appended before it says no, and takes a
// tombstone for one. whole asks for the whole record.
func (s *Store) find(d cache.Digest, result, whole bool, buf []byte) (found, bool) {
	s.mu.RLock()
	f, ok, err := s.locate(d, result, buf)
	if ok = ok && f.kind() != recordLost; ok && whole {
		f, ok = s.rest(f)
	}
	s.mu.RUnlock()
	if ok || err == nil && !s.stale() {
		return f, ok
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.findHeld(d, result, whole, buf)
}

// findHeld is find for those who hold mu.
func (s *Store) findHeld(d cache.Digest, result, whole bool, buf []byte) (f found, ok bool) {
	for again := false; ; again = true {
		var err error
		f, ok, err = s.locate(d, result, buf)
		if ok = ok && f.kind() != recordLost; ok && whole {
			f, ok = s.rest(f)
		}
		if err != nil { // the index is of no use: start over without
			s.startOver()
		}
		if ok || again || err == nil && !s.stale() || s.readOn() != nil {
			return f, ok
		}
	}
}

// startOver forgets what was read. The caller holds mu.
func (s *Store) startOver() {
	s.closeIndex()
	s.log.drop()
	s.tail, s.end = table{}, 0
}

// rest reads the whole record whose beginning was found. The caller holds mu, for reading at least.
func (s *Store) rest(f found) (found, bool) {
	n := headerSize + f.length()
	if n <= int64(len(f.bytes)) {
		return found{f.offset, f.bytes[:n]}, true
	}
	b := make([]byte, n)
	_, err := s.log.ReadAt(b, f.offset)
	return found{f.offset, b}, err == nil
}

// payload is that of a whole record.
func (f found) payload() []byte { return f.bytes[headerSize:] }
