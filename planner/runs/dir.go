package runs

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"mbuild.dev/mbuild/cache/vfs"
)

// The bounds of a project's records. The newest one always stays.
const (
	maxRuns  = 100
	maxBytes = 64 << 20
)

const (
	suffix = ".run"
	stamp  = "20060102-150405.000"
)

// Dir is where the records of a project are.
type Dir struct {
	fs   vfs.FS
	path string
}

// In is the directory of the records of the project in dir.
func In(fsys vfs.FS, dir string) Dir { return Dir{fsys, filepath.Join(dir, ".mbuild", "runs")} }

func (d Dir) file(id string) string { return filepath.Join(d.path, id+suffix) }

// ErrNone says that there is no such run.
var ErrNone = errors.New("there is no such run")

// Create begins the record of an apply and gives it an ID that sorts after all others. It removes old records beyond the bounds.
func (d Dir) Create(h Header) (*Writer, error) {
	if err := d.fs.MkdirAll(d.path, 0o755); err != nil {
		return nil, err
	}
	ids, err := d.IDs()
	if err != nil {
		return nil, err
	}
	d.prune(ids)
	var salt [2]byte
	rand.Read(salt[:])
	at := h.Started.UTC()
	h.ID = at.Format(stamp) + "-" + hex.EncodeToString(salt[:])
	if n := len(ids); n > 0 && h.ID <= ids[n-1] { // the clock was set back, or two began at once
		h.ID = after(ids[n-1], salt)
	}
	f, err := d.fs.OpenFile(d.file(h.ID), os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	_, _ = f.TryLock(0, 1, false) // for as long as the process has it open; without it a running apply looks like a killed one
	return newWriter(f, h), nil
}

// after is an ID a millisecond later than the one given.
func after(id string, salt [2]byte) string {
	at, err := time.Parse(stamp, id[:min(len(id), len(stamp))])
	if err != nil {
		return id + "0"
	}
	return at.Add(time.Millisecond).Format(stamp) + "-" + hex.EncodeToString(salt[:])
}

// IDs lists the runs, the oldest first.
func (d Dir) IDs() ([]string, error) {
	files, err := d.fs.ReadDir(d.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, f := range files {
		if id, ok := strings.CutSuffix(f.Name(), suffix); ok {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// prune removes the oldest records, so that one more stays within the bounds.
func (d Dir) prune(ids []string) {
	var total int64
	for i := len(ids) - 1; i >= 0; i-- {
		if info, err := d.fs.Stat(d.file(ids[i])); err == nil {
			total += info.Size
		}
		if len(ids)-i >= maxRuns || total > maxBytes && i < len(ids)-1 {
			d.fs.Remove(d.file(ids[i]))
		}
	}
}

// Read reads the record of a run.
func (d Dir) Read(id string) (*Run, error) {
	b, err := vfs.ReadFile(d.fs, d.file(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", id, ErrNone)
	}
	if err != nil {
		return nil, err
	}
	r, err := decode(b)
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", id, err)
	}
	r.Alive = r.End == nil && d.held(id)
	return r, nil
}

// held reports that some process is writing the record.
func (d Dir) held(id string) bool {
	f, err := vfs.Open(d.fs, d.file(id))
	if err != nil {
		return false
	}
	defer f.Close()
	got, err := f.TryLock(0, 1, true)
	return err == nil && !got
}

// Resolve finds the ID that a name stands for: an ID or the beginning of one, "last", or "last~N" for the N-th before it.
func (d Dir) Resolve(name string) (string, error) {
	ids, err := d.IDs()
	if err != nil {
		return "", err
	}
	if len(ids) == 0 {
		return "", fmt.Errorf("no run is recorded here yet: mbuild apply records what it runs")
	}
	if name == "last" || strings.HasPrefix(name, "last~") {
		back := 0
		if n, ok := strings.CutPrefix(name, "last~"); ok {
			if back, err = strconv.Atoi(n); err != nil || back < 0 {
				return "", fmt.Errorf("%q: write last, or last~1 for the one before", name)
			}
		}
		if back >= len(ids) {
			return "", fmt.Errorf("%q: only %d runs are recorded", name, len(ids))
		}
		return ids[len(ids)-1-back], nil
	}
	var found []string
	for _, id := range ids {
		if id == name {
			return id, nil
		}
		if strings.HasPrefix(id, name) {
			found = append(found, id)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", fmt.Errorf("%q: %w; mbuild log lists them, and last is the newest", name, ErrNone)
	}
	return "", fmt.Errorf("%q stands for %d runs: write more of it", name, len(found))
}

// Found is an execution and the run it was part of.
type Found struct {
	Run string
	At  time.Time // when it ended
	Action
}

// Find calls f for the executions of an address, the newest run first, until f returns false. Records are searched, not decoded:
// one of 100,000 executions takes some milliseconds.
func (d Dir) Find(addr string, f func(Found) bool) error {
	ids, err := d.IDs()
	if err != nil {
		return err
	}
	prefix := appendText(nil, addr)
	for _, id := range slices.Backward(ids) {
		b, err := vfs.ReadFile(d.fs, d.file(id))
		if err != nil || !bytes.Contains(b, prefix) {
			continue // gone meanwhile, or unreadable: as good as not there
		}
		found := search(b, prefix)
		for _, x := range slices.Backward(found) {
			x.Run = id
			if !f(x) {
				return nil
			}
		}
	}
	return nil
}

// search decodes the executions whose encoding begins with the prefix.
func search(b, prefix []byte) []Found {
	var found []Found
	var t table
	var h Header
	n := 0
	entries(b, func(typ byte, data []byte) bool {
		switch typ {
		case 'h':
			_ = json.Unmarshal(data, &h) // without it only the times are off
		case 's':
			t.texts = append(t.texts, string(data))
		case 'a':
			if bytes.HasPrefix(data, prefix) {
				if a, err := decodeAction(data, n, &t); err == nil {
					found = append(found, Found{At: h.Started.Add(a.Start + a.Wall), Action: a})
				}
			}
			n++
		}
		return true
	})
	return found
}

func sortedByStart(m map[string]Action) []Action {
	out := make([]Action, 0, len(m))
	for _, a := range m {
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b Action) int { return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.Addr, b.Addr)) })
	return out
}
