package runs

import (
	"encoding/binary"
	"encoding/json"
	"sync"
	"time"

	"mbuild.dev/mbuild/cache/vfs"
)

const (
	flushEvery = 100 * time.Millisecond
	flushAt    = 64 << 10
	maxRecord  = 32 << 20 // afterwards only failures are written, up to half as much again
	maxSkipped = 1000
)

// Writer appends to the record of an apply. What is written is in the file within a tenth of a second, so a kill loses no more.
// Nothing that goes wrong here stops an apply: the first error is kept for Close.
type Writer struct {
	id string

	mu      sync.Mutex
	f       vfs.File
	buf     []byte // entries of the frame to come
	scratch []byte
	frame   []byte
	table   table
	open    map[string]started // running, and not yet in the file
	count   int
	skipped int
	omitted int
	size    int64
	timer   *time.Timer
	armed   bool
	err     error
}

type started struct {
	slot int
	at   time.Duration
}

func newWriter(f vfs.File, h Header) *Writer {
	w := &Writer{id: h.ID, f: f, open: map[string]started{}}
	w.json('h', h)
	w.write([]byte(magic))
	w.flush()
	return w
}

// ID is the name of the run.
func (w *Writer) ID() string { return w.id }

func (w *Writer) json(typ byte, v any) {
	enc, err := json.Marshal(v)
	if err != nil {
		w.fail(err)
		return
	}
	w.buf = appendEntry(w.buf, typ, enc)
}

func (w *Writer) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

func (w *Writer) write(b []byte) {
	if w.err != nil {
		return
	}
	n, err := w.f.Write(b)
	w.size += int64(n)
	if err != nil {
		w.fail(err)
	}
}

// flush writes a frame: what has finished, and what runs now and was not named before.
func (w *Writer) flush() {
	for addr, s := range w.open {
		b := appendText(w.scratch[:0], addr)
		b = binary.AppendUvarint(b, uint64(s.slot))
		w.scratch = binary.AppendUvarint(b, micros(s.at))
		w.buf = appendEntry(w.buf, 'r', w.scratch)
	}
	clear(w.open)
	if len(w.buf) == 0 {
		return
	}
	w.frame = appendFrame(w.frame[:0], w.buf)
	w.write(w.frame)
	w.buf = w.buf[:0]
}

// arm sees to it that there will be a flush.
func (w *Writer) arm() {
	if len(w.buf) >= flushAt {
		w.flush()
	}
	if w.armed {
		return
	}
	w.armed = true
	if w.timer == nil {
		w.timer = time.AfterFunc(flushEvery, w.tick)
	} else {
		w.timer.Reset(flushEvery)
	}
}

func (w *Writer) tick() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.armed = false
	if w.f != nil {
		w.flush()
	}
}

// Start says that an action runs. It is written only when the action outlives the next flush.
func (w *Writer) Start(addr string, slot int, at time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open[addr] = started{slot, at}
	w.arm()
}

// Add appends an execution and returns its number, by which later ones name it as a dependency; -1 when it is only counted.
func (w *Writer) Add(a *Action) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.open, a.Addr)
	if a.State == Skipped {
		w.skipped++
	}
	full := w.size > maxRecord && a.State != Failed || w.size > maxRecord*3/2
	if full || a.State == Skipped && w.skipped > maxSkipped {
		w.omitted++
		return -1
	}
	var refs [4]uint64
	for i, s := range [...]string{a.Kind, a.Worker, a.Reason.Code, a.Reason.Path} {
		id, define := w.table.ref(s)
		if refs[i] = id; define {
			w.buf = appendEntry(w.buf, 's', []byte(s))
		}
	}
	w.scratch = appendAction(w.scratch[:0], a, w.count, refs)
	w.buf = appendEntry(w.buf, 'a', w.scratch)
	w.count++
	w.arm()
	return w.count - 1
}

// Close writes how the apply ended, and returns the first error of all writing.
func (w *Writer) Close(e End) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Stop()
	}
	e.Omitted = w.omitted
	w.json('e', e)
	w.flush()
	if err := w.f.Close(); err != nil {
		w.fail(err)
	}
	w.f = nil
	return w.err
}
