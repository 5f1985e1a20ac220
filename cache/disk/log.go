package disk

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime/debug"
	"sync"
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
	s.looked.Store(int64(time.Since(epoch) + staleAfter))
	info, err := s.log.Stat()
	if err != nil {
		return err
	}
	if err := s.readTo(info.Size); err != nil {
		return err
	}
	s.log.remap(s.end)
	s.began = s.end
	s.reloads++
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
	head, err := s.log.head()
	if err == nil && len(head) < headerSize && !s.readOnly {
		if err = s.writeHead(); err == nil {
			head, err = s.log.head()
		}
	}
	if r, n := parse(head); n > 0 && r.kind == recordHead {
		s.id = r.digest.Bytes()
	}
	return err
}

// head is the record that begins the log, or what there is of it.
func (v *view) head() ([]byte, error) {
	b := make([]byte, headerSize)
	for {
		n, err := v.ReadAt(b, 0)
		if err != nil && err != io.EOF {
			return nil, err
		}
		if b = b[:n]; recordLength(b) <= int64(n) || err == io.EOF {
			return b, nil
		}
		b = make([]byte, recordLength(b))
	}
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
	hour  uint32
	loses bool // something is marked lost
}

type mark struct {
	prefix uint64
	at     int
}

func (b *batch) add(r record) {
	r.hour = b.hour
	b.loses = b.loses || r.kind == recordLost
	b.marks = append(b.marks, mark{prefix(r.digest.Bytes(), r.kind), len(b.bytes)})
	b.bytes = r.seal(b.bytes)
}

func (b *batch) reset(now time.Time) {
	b.bytes, b.marks, b.hour, b.loses = b.bytes[:0], b.marks[:0], hourOf(now), false
}

// maxBehind is how much of what others have appended may be unread while this process appends.
const maxBehind = 1 << 20

// append writes what build makes to the log, in one write, and notes it. build is called again when GC has replaced the log
// meanwhile, for then something that was there may be gone. What others have appended is read later, and much of it at once: while
// the log is locked everybody waits. The caller holds mu.
func (s *Store) append(build func(b *batch)) error {
	if s.readOnly {
		return cache.ErrReadOnly
	}
	s.out.reset(s.now())
	build(&s.out)
	if len(s.out.bytes) == 0 {
		return nil
	}
	reloads := s.reloads
	at, err := s.lockLog()
	if err != nil {
		return err
	}
	if s.reloads != reloads {
		s.out.reset(s.now())
		build(&s.out)
	}
	err = s.write(at)
	s.log.Unlock()
	if err == nil {
		err = s.wrote(at)
	}
	return err
}

// write writes the batch at the end of the log, which is locked. The caller holds mu.
func (s *Store) write(at int64) error {
	if s.out.loses {
		if err := s.countLoss(); err != nil {
			return fmt.Errorf("counting a loss: %w", wrap(err))
		}
	}
	if _, err := s.log.Write(s.out.bytes); err != nil {
		return fmt.Errorf("appending to the log: %w", wrap(err))
	}
	s.added += int64(len(s.out.bytes))
	for _, m := range s.out.marks {
		s.tail.put(m.prefix, at+int64(m.at))
	}
	return nil
}

// wrote moves on behind what was written. The caller holds mu.
func (s *Store) wrote(at int64) error {
	switch end := at + int64(len(s.out.bytes)); {
	case at == s.end:
		s.end = end
	case end-s.end > maxBehind:
		if err := s.readTo(end); err != nil {
			return fmt.Errorf("reading the log: %w", err)
		}
		s.end = end // what could not be read was torn before this process wrote, and stays so
	}
	return nil
}

// lockLog locks the log for appending: the one that lies in the store now, should GC have replaced it. It returns where the log
// ends. The caller holds mu.
func (s *Store) lockLog() (end int64, err error) {
	for {
		if err := s.log.Lock(); err != nil {
			return 0, fmt.Errorf("locking the log: %w", err)
		}
		info, err := s.log.Stat()
		if err == nil && info.Links > 0 {
			return info.Size, nil
		}
		s.log.Unlock()
		if err == nil {
			err = s.reload()
		}
		if err != nil {
			return 0, fmt.Errorf("opening the log again: %w", wrap(err))
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
	if err := s.readOn(); err != nil {
		return fmt.Errorf("reading the log: %w", wrap(err))
	}
	if s.end-int64(len(s.log.data)) > indexEvery {
		s.log.remap(s.end)
	}
	return nil
}

// readOn reads what was appended to the log since the last time, by this process or others; the log that took the place of this
// one, should GC have replaced it. The caller holds mu.
func (s *Store) readOn() error {
	s.looked.Store(int64(time.Since(epoch) + staleAfter))
	info, err := s.log.Stat()
	if err != nil {
		return err
	}
	if info.Links == 0 {
		return s.reload()
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
			s.tail.put(prefix(r.digest.Bytes(), r.kind), offset)
		}
	})
	s.end = end
	return err
}

// found is a record that was looked up: its header and as much of its payload as fits.
type found struct {
	offset  int64
	bytes   []byte
	reloads int // of the store when it was found: another number is another log
}

func (f found) kind() byte { return f.bytes[4] }

func (f found) length() int64 { return recordLength(f.bytes) - headerSize }

// peekSize is how much of a record is read at once: most results, and the notes of files, are shorter.
const peekSize = 512

// peeks are buffers for one lookup.
var peeks = sync.Pool{New: func() any { return new([peekSize]byte) }}

// locate looks a sum up in what was read: a blob, a result or a use. The caller holds mu, for reading at least; an error says that the index is of no use.
func (s *Store) locate(d cache.Digest, kind byte, buf []byte) (f found, ok bool, err error) {
	defer func() {
		if err != nil {
			f, ok = found{}, false // it may have been half way when it touched what is not there
		}
	}()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true)) // guarded, without a closure on the way of every lookup
	defer catchFault(&err)
	p := prefix(d.Bytes(), kind)
	if offset, ok := s.tail.get(p); ok {
		f = found{offset, s.log.peek(offset, buf), s.reloads}
		return f, f.is(d, kind), nil // what the index has of it is older, and may have been lost since
	}
	if s.index == nil {
		return found{}, false, nil
	}
	offset, ok, err := s.index.get(p)
	if !ok || err != nil {
		return found{}, false, err
	}
	f = found{offset, s.log.peek(offset, buf), s.reloads}
	return f, f.is(d, kind), nil
}

// is reports that the record is of the sum and the kind, by its header.
func (f found) is(d cache.Digest, kind byte) bool {
	return recordLength(f.bytes) > 0 && digestIn(f.bytes) == d && classOf(f.kind()) == classOf(kind)
}

// classOf is the kind that stands for all that have one prefix: what is known of a blob.
func classOf(kind byte) byte {
	if kind == recordFile || kind == recordLost {
		return recordBlob
	}
	return kind
}

// find is locate for those who do not hold mu. It looks again at what others have appended before it says no, and takes a
// tombstone for one. whole asks for the whole record.
func (s *Store) find(d cache.Digest, kind byte, whole bool, buf []byte) (found, bool) {
	s.mu.RLock()
	f, ok, err := s.locate(d, kind, buf)
	if ok = ok && f.kind() != recordLost; ok && whole {
		f, ok = s.rest(f)
	}
	s.mu.RUnlock()
	if ok || err == nil && !s.stale() {
		return f, ok
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.findHeld(d, kind, whole, buf)
}

// findHeld is find for those who hold mu.
func (s *Store) findHeld(d cache.Digest, kind byte, whole bool, buf []byte) (f found, ok bool) {
	for again := false; ; again = true {
		var err error
		f, ok, err = s.locate(d, kind, buf)
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
		return found{f.offset, f.bytes[:n], f.reloads}, true
	}
	b := make([]byte, n)
	_, err := s.log.ReadAt(b, f.offset)
	return found{f.offset, b, f.reloads}, err == nil
}

// payload is that of a whole record.
func (f found) payload() []byte { return f.bytes[headerSize:] }
