package faulty

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"mbuild.dev/mbuild/cache/vfs"
)

// ErrDied is what every operation of a process gives that has died.
var ErrDied = errors.New("the process has died")

// Op is an operation that a process is about to do.
type Op struct {
	Name   string // the method of vfs.FS or vfs.File
	Path   string
	Flag   int  // of OpenFile
	Change bool // it changes what is on the disk
	Number int  // of the process's changes so far, this one included
}

// Plan says what shall go wrong in a process. The zero Plan is a process in which nothing does.
type Plan struct {
	DieAt int  // the change before which the process dies, from 1; 0 is never
	Torn  bool // it dies in the middle of it, if it is a write

	// Fail gives the error of an operation; nil lets it happen. A write that fails has written half. May be nil.
	Fail func(Op) error
}

// Process is a process that uses the disk.
type Process struct {
	disk    *Disk
	plan    Plan
	changes int
	dead    bool
	handles map[*handle]bool
}

var _ vfs.FS = (*Process)(nil)

// Process starts a process.
func (d *Disk) Process(p Plan) *Process {
	d.mu.Lock()
	defer d.mu.Unlock()
	proc := &Process{disk: d, plan: p, handles: map[*handle]bool{}}
	d.processes = append(d.processes, proc)
	return proc
}

// Changes is how many changes the process has begun.
func (p *Process) Changes() int {
	p.disk.mu.Lock()
	defer p.disk.mu.Unlock()
	return p.changes
}

// Died reports that the process has died.
func (p *Process) Died() bool {
	p.disk.mu.Lock()
	defer p.disk.mu.Unlock()
	return p.dead
}

// Kill ends the process: its locks are free.
func (p *Process) Kill() {
	p.disk.mu.Lock()
	defer p.disk.mu.Unlock()
	p.die()
}

func (p *Process) die() {
	if p.dead {
		return
	}
	p.dead = true
	for h := range p.handles {
		h.close()
	}
	p.disk.freed.Broadcast()
}

// begin locks the disk for an operation, unless it shall not happen.
func (p *Process) begin(name, path string, change bool) error {
	return p.beginOpen(name, path, 0, change)
}

func (p *Process) beginOpen(name, path string, flag int, change bool) error {
	if fail := p.plan.Fail; fail != nil { // outside of the lock, for it may be slow
		p.disk.mu.Lock()
		n := p.changes
		p.disk.mu.Unlock()
		if change {
			n++
		}
		if err := fail(Op{name, path, flag, change, n}); err != nil {
			return p.failed(name, path, change, err)
		}
	}
	p.disk.mu.Lock()
	if change && !p.dead {
		p.changes++
		if p.changes == p.plan.DieAt && !(p.plan.Torn && name == "Write") {
			p.die()
		}
	}
	if p.dead {
		p.disk.mu.Unlock()
		return &fs.PathError{Op: name, Path: path, Err: ErrDied}
	}
	return nil
}

func (p *Process) failed(name, path string, change bool, err error) error {
	p.disk.mu.Lock()
	defer p.disk.mu.Unlock()
	if p.dead {
		err = ErrDied
	} else if change {
		p.changes++
	}
	return &fs.PathError{Op: name, Path: path, Err: err}
}

func pathError(op, path string, err error) error { return &fs.PathError{Op: op, Path: path, Err: err} }

// lookup finds the parent of a new name.
func (p *Process) parent(op, name string) error {
	if d := p.disk.names[filepath.Dir(name)]; d == nil || !d.dir {
		return pathError(op, name, syscall.ENOENT)
	}
	return nil
}

// OpenFile implements vfs.FS.
func (p *Process) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	name = filepath.Clean(name)
	p.disk.mu.Lock()
	creates := flag&os.O_CREATE != 0 && p.disk.names[name] == nil
	p.disk.mu.Unlock()
	if err := p.beginOpen("OpenFile", name, flag, creates || flag&os.O_TRUNC != 0); err != nil {
		return nil, err
	}
	defer p.disk.mu.Unlock()
	n := p.disk.names[name]
	switch {
	case n == nil && flag&os.O_CREATE == 0:
		return nil, pathError("open", name, syscall.ENOENT)
	case n == nil:
		if err := p.parent("open", name); err != nil {
			return nil, err
		}
		n = p.disk.newNode(false, perm)
		p.disk.apply(renaming{name: n})
	case flag&os.O_EXCL != 0:
		return nil, pathError("open", name, syscall.EEXIST)
	case n.dir:
		return nil, pathError("open", name, syscall.EISDIR)
	case flag&(os.O_WRONLY|os.O_RDWR) != 0 && n.mode&0o200 == 0:
		return nil, pathError("open", name, syscall.EACCES)
	}
	if flag&os.O_TRUNC != 0 {
		n.data, n.durable, n.pending = nil, nil, nil
	}
	h := &handle{p: p, n: n, name: name, flag: flag}
	n.open++
	p.handles[h] = true
	return h, nil
}

// CreateTemp implements vfs.FS.
func (p *Process) CreateTemp(dir, pattern string) (vfs.File, error) {
	p.disk.mu.Lock()
	p.disk.temps++
	name := fmt.Sprintf("%d", p.disk.temps)
	p.disk.mu.Unlock()
	if head, tail, ok := strings.Cut(pattern, "*"); ok {
		name = head + name + tail
	} else {
		name = pattern + name
	}
	return p.OpenFile(filepath.Join(dir, name), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
}

// Rename implements vfs.FS.
func (p *Process) Rename(from, to string) error {
	from, to = filepath.Clean(from), filepath.Clean(to)
	if err := p.begin("Rename", to, true); err != nil {
		return err
	}
	defer p.disk.mu.Unlock()
	n := p.disk.names[from]
	if n == nil {
		return pathError("rename", from, syscall.ENOENT)
	}
	if old := p.disk.names[to]; n.dir || old != nil && old.dir {
		return pathError("rename", to, syscall.EISDIR)
	}
	if err := p.parent("rename", to); err != nil {
		return err
	}
	n.links++ // it keeps its inode on the way
	p.disk.apply(renaming{from: nil, to: n})
	n.links--
	return nil
}

// Remove implements vfs.FS.
func (p *Process) Remove(name string) error {
	name = filepath.Clean(name)
	if err := p.begin("Remove", name, true); err != nil {
		return err
	}
	defer p.disk.mu.Unlock()
	n := p.disk.names[name]
	if n == nil {
		return pathError("remove", name, syscall.ENOENT)
	}
	if n.dir {
		for other := range p.disk.names {
			if filepath.Dir(other) == name {
				return pathError("remove", name, syscall.ENOTEMPTY)
			}
		}
	}
	p.disk.apply(renaming{name: nil})
	return nil
}

// MkdirAll implements vfs.FS.
func (p *Process) MkdirAll(name string, perm fs.FileMode) error {
	name = filepath.Clean(name)
	p.disk.mu.Lock()
	n := p.disk.names[name]
	p.disk.mu.Unlock()
	if err := p.begin("MkdirAll", name, n == nil); err != nil {
		return err
	}
	defer p.disk.mu.Unlock()
	var missing []string
	for ; p.disk.names[name] == nil; name = filepath.Dir(name) {
		missing = append(missing, name)
	}
	if !p.disk.names[name].dir {
		return pathError("mkdir", name, syscall.ENOTDIR)
	}
	for _, m := range slices.Backward(missing) {
		p.disk.apply(renaming{m: p.disk.newNode(true, perm)})
	}
	return nil
}

// Chmod implements vfs.FS.
func (p *Process) Chmod(name string, mode fs.FileMode) error {
	name = filepath.Clean(name)
	if err := p.begin("Chmod", name, true); err != nil {
		return err
	}
	defer p.disk.mu.Unlock()
	n := p.disk.names[name]
	if n == nil {
		return pathError("chmod", name, syscall.ENOENT)
	}
	n.mode = mode.Perm()
	return nil
}

// Link implements vfs.FS.
func (p *Process) Link(from, to string) error {
	from, to = filepath.Clean(from), filepath.Clean(to)
	if err := p.begin("Link", to, true); err != nil {
		return err
	}
	defer p.disk.mu.Unlock()
	n := p.disk.names[from]
	switch {
	case n == nil:
		return pathError("link", from, syscall.ENOENT)
	case p.disk.names[to] != nil:
		return pathError("link", to, syscall.EEXIST)
	}
	if err := p.parent("link", to); err != nil {
		return err
	}
	p.disk.apply(renaming{to: n})
	return nil
}

// Stat implements vfs.FS.
func (p *Process) Stat(name string) (vfs.Info, error) {
	name = filepath.Clean(name)
	if err := p.begin("Stat", name, false); err != nil {
		return vfs.Info{}, err
	}
	defer p.disk.mu.Unlock()
	n := p.disk.names[name]
	if n == nil {
		return vfs.Info{}, pathError("stat", name, syscall.ENOENT)
	}
	return n.info(), nil
}

func (n *node) info() vfs.Info {
	mode := n.mode
	if n.dir {
		mode |= fs.ModeDir
	}
	size := int64(len(n.data))
	return vfs.Info{Size: size, ModTime: n.mtime, Inode: n.inode, Links: uint64(n.links), Mode: mode, Blocks: (size + 511) &^ 511}
}

// ReadDir implements vfs.FS.
func (p *Process) ReadDir(name string) ([]fs.DirEntry, error) {
	name = filepath.Clean(name)
	if err := p.begin("ReadDir", name, false); err != nil {
		return nil, err
	}
	defer p.disk.mu.Unlock()
	if n := p.disk.names[name]; n == nil || !n.dir {
		return nil, pathError("open", name, syscall.ENOENT)
	}
	var list []fs.DirEntry
	for other, n := range p.disk.names {
		if filepath.Dir(other) == name && other != name {
			list = append(list, entry{filepath.Base(other), n.info()})
		}
	}
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return list, nil
}

// entry is a name in a directory.
type entry struct {
	name string
	info vfs.Info
}

func (e entry) Name() string               { return e.name }
func (e entry) IsDir() bool                { return e.info.Mode.IsDir() }
func (e entry) Type() fs.FileMode          { return e.info.Mode.Type() }
func (e entry) Info() (fs.FileInfo, error) { return e, nil }
func (e entry) Size() int64                { return e.info.Size }
func (e entry) Mode() fs.FileMode          { return e.info.Mode }
func (e entry) ModTime() time.Time         { return time.Unix(0, e.info.ModTime) }
func (e entry) Sys() any                   { return nil }

// Space implements vfs.FS.
func (p *Process) Space(string) (int64, error) { return 1 << 40, nil }

// Boot implements vfs.FS.
func (p *Process) Boot() uint64 {
	p.disk.mu.Lock()
	defer p.disk.mu.Unlock()
	return p.disk.boot
}

// handle is an open file.
type handle struct {
	p      *Process
	n      *node
	name   string
	flag   int
	pos    int64
	closed bool
}

// begin is that of the process, for a file that is open.
func (h *handle) begin(op string, change bool) error {
	if err := h.p.begin(op, h.name, change); err != nil {
		return err
	}
	if h.closed {
		h.p.disk.mu.Unlock()
		return pathError(op, h.name, fs.ErrClosed)
	}
	return nil
}

func (h *handle) Name() string { return h.name }

func (h *handle) Read(b []byte) (int, error) {
	n, err := h.ReadAt(b, h.pos)
	h.pos += int64(n)
	if n > 0 {
		err = nil
	}
	return n, err
}

func (h *handle) ReadAt(b []byte, at int64) (int, error) {
	if err := h.begin("ReadAt", false); err != nil {
		return 0, err
	}
	defer h.p.disk.mu.Unlock()
	if at >= int64(len(h.n.data)) {
		return 0, io.EOF
	}
	n := copy(b, h.n.data[at:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (h *handle) Write(b []byte) (int, error) {
	err := h.begin("Write", true)
	if err != nil {
		if errors.Is(err, ErrDied) || errors.Is(err, syscall.EROFS) || errors.Is(err, fs.ErrClosed) {
			return 0, err
		}
		h.p.disk.mu.Lock()
		b = b[:len(b)/2] // a disk that is full takes what it can
	}
	defer h.p.disk.mu.Unlock()
	if h.flag&(os.O_WRONLY|os.O_RDWR) == 0 {
		return 0, pathError("write", h.name, syscall.EBADF)
	}
	at := h.pos
	if h.flag&os.O_APPEND != 0 {
		at = int64(len(h.n.data))
	}
	if torn := h.p.plan.Torn && h.p.changes == h.p.plan.DieAt; torn && err == nil {
		h.p.disk.write(h.n, at, b[:len(b)/2])
		h.p.die()
		return 0, pathError("write", h.name, ErrDied)
	}
	h.p.disk.write(h.n, at, b)
	h.pos = at + int64(len(b))
	return len(b), err
}

func (h *handle) Close() error {
	h.p.disk.mu.Lock()
	defer h.p.disk.mu.Unlock()
	if h.closed {
		return pathError("close", h.name, fs.ErrClosed)
	}
	h.close()
	h.p.disk.freed.Broadcast()
	return nil
}

// close lets go of the file and its locks. The caller holds mu.
func (h *handle) close() {
	h.closed = true
	delete(h.p.handles, h)
	if h.n.locked == h {
		h.n.locked = nil
	}
	h.n.ranges = slices.DeleteFunc(h.n.ranges, func(r lockRange) bool { return r.owner == h })
	h.n.open--
	h.p.disk.release(h.n)
}

func (h *handle) Stat() (vfs.Info, error) {
	if err := h.begin("Stat", false); err != nil {
		return vfs.Info{}, err
	}
	defer h.p.disk.mu.Unlock()
	return h.n.info(), nil
}

func (h *handle) Chmod(mode fs.FileMode) error {
	if err := h.begin("Chmod", true); err != nil {
		return err
	}
	defer h.p.disk.mu.Unlock()
	h.n.mode = mode.Perm()
	return nil
}

func (h *handle) Sync() error {
	if err := h.begin("Sync", true); err != nil {
		return err
	}
	defer h.p.disk.mu.Unlock()
	h.n.sync()
	return nil
}

func (h *handle) Map(int64) ([]byte, func(), error) { return nil, nil, errors.ErrUnsupported }

func (h *handle) Lock() error {
	if err := h.begin("Lock", false); err != nil {
		return err
	}
	defer h.p.disk.mu.Unlock()
	for h.n.locked != nil && h.n.locked != h {
		h.p.disk.freed.Wait()
		if h.closed {
			return pathError("lock", h.name, ErrDied)
		}
	}
	h.n.locked = h
	return nil
}

func (h *handle) Unlock() error {
	if err := h.begin("Unlock", false); err != nil {
		return err
	}
	defer h.p.disk.mu.Unlock()
	if h.n.locked == h {
		h.n.locked = nil
	}
	h.p.disk.freed.Broadcast()
	return nil
}

func (h *handle) TryLock(at, n int64, shared bool) (bool, error) {
	if err := h.begin("TryLock", false); err != nil {
		return false, err
	}
	defer h.p.disk.mu.Unlock()
	for _, r := range h.n.ranges {
		if r.owner != h && at < r.at+r.n && r.at < at+n && !(shared && r.shared) {
			return false, nil
		}
	}
	h.n.ranges = append(h.n.ranges, lockRange{at, n, shared, h})
	return true, nil
}

func (h *handle) LockedAt(at int64) (from, n int64) {
	if h.begin("LockedAt", false) != nil {
		return 0, 0
	}
	defer h.p.disk.mu.Unlock()
	for _, r := range h.n.ranges {
		if r.owner != h && r.at <= at && at < r.at+r.n {
			return r.at, r.n
		}
	}
	return 0, 0
}

func (h *handle) UnlockRange(at, n int64) error {
	if err := h.begin("UnlockRange", false); err != nil {
		return err
	}
	defer h.p.disk.mu.Unlock()
	h.n.ranges = slices.DeleteFunc(h.n.ranges, func(r lockRange) bool { return r.owner == h && r.at == at && r.n == n })
	return nil
}
