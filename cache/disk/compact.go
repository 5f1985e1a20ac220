package disk

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/cache/vfs"
)

// compact writes a log without what goes, puts it in the place of the old one, and removes the files that nobody knows any more.
//
// Most of it happens while others append to the old log. Then the old log is locked, what was appended meanwhile is copied, and the
// new one renamed over it. What others have begun to use meanwhile comes back. Whoever appends next sees that its log has lost its
// name, and reads the new one. A death before the rename leaves a file in tmp; after it, files without a note, which the next
// collection removes. The new log is synced first: the old one survived, and so shall this.
func (c *collection) compact() error {
	if c.p.DryRun {
		return nil
	}
	if err := c.findStrays(); err != nil {
		return err
	}
	if !c.worthwhile() {
		return c.removeStraysLocked()
	}
	dir, err := c.s.scratchDir()
	if err != nil {
		return err
	}
	f, err := c.s.fs.CreateTemp(dir, "log-")
	if err != nil {
		return err
	}
	err = c.rewrite(f)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		c.s.fs.Remove(f.Name())
	}
	return err
}

func (c *collection) rewrite(f vfs.File) error {
	s := c.s
	w := bufio.NewWriterSize(f, 1<<20)
	order := c.order()
	if _, err := w.Write(c.head(order).seal(nil)); err != nil {
		return err
	}
	for _, it := range order {
		if err := c.copy(w, it); err != nil {
			return err
		}
	}
	if err := s.log.Lock(); err != nil {
		return fmt.Errorf("locking the log: %w", err)
	}
	err := c.finish(f, w)
	s.log.Unlock()
	if err != nil {
		return err
	}
	return s.reload()
}

// order is what stays, by when it was used last: what was used since a lease began lies behind where that begins.
func (c *collection) order() []*item {
	var list []*item
	for i := range c.items {
		it := &c.items[i]
		if it.gone || it.kind == recordLost {
			continue
		}
		if len(c.leases) > 0 { // where they begin is known before all is copied: nothing may drop out on the way
			if _, ok := c.record(it); !ok {
				continue
			}
		}
		list = append(list, it)
	}
	slices.SortFunc(list, func(a, b *item) int { return cmp.Or(cmp.Compare(a.last, b.last), cmp.Compare(a.offset, b.offset)) })
	return list
}

// head begins the new log. It says where leases begin in it: behind everything that lay before them.
func (c *collection) head(order []*item) record {
	h := newHead()
	h.hour = c.now
	moves := make(map[string]int64, len(c.leases))
	for i, l := range c.leases {
		at, _ := slices.BinarySearchFunc(order, c.starts[i], func(it *item, start int64) int { return cmp.Compare(it.last, start) })
		end := int64(0)
		for _, it := range order[:at] {
			end += it.length
		}
		moves[l.name] = end
	}
	size := int64(headerSize + len(encodeMoves(moves)))
	for name := range moves {
		moves[name] += size
	}
	h.payload = encodeMoves(moves)
	return h
}

// encodeMoves is the payload of a head: for each lease its name, its length in front (1 byte), and an offset (8 bytes).
func encodeMoves(moves map[string]int64) (b []byte) {
	names := make([]string, 0, len(moves))
	for n := range moves {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		b = append(append(b, byte(len(n))), n...)
		b = binary.LittleEndian.AppendUint64(b, uint64(moves[n]))
	}
	return b
}

func decodeMoves(b []byte) map[string]int64 {
	moves := map[string]int64{}
	for len(b) > 0 {
		n := int(b[0])
		if len(b) < 1+n+8 {
			break
		}
		moves[string(b[1:1+n])] = int64(binary.LittleEndian.Uint64(b[1+n:]))
		b = b[1+n+8:]
	}
	return moves
}

// copy writes a record again, with the time when it was used last: now, if something names it. A damaged one stays behind.
func (c *collection) copy(w io.Writer, it *item) error {
	r, ok := c.record(it)
	if !ok {
		return nil
	}
	r.hour = it.hour
	if it.rank > RankNone {
		r.hour = c.now
	}
	_, err := w.Write(r.seal(nil))
	return err
}

// finish brings the new log up to date and puts it in its place. The log is locked.
func (c *collection) finish(f vfs.File, w *bufio.Writer) error {
	s := c.s
	info, err := s.log.Stat()
	if err != nil {
		return err
	}
	if err := s.readTo(info.Size); err != nil {
		return err
	}
	tail := make([]byte, info.Size-c.scanned)
	if _, err := s.log.ReadAt(tail, c.scanned); err != nil && len(tail) > 0 {
		return err
	}
	back, err := c.revived(tail)
	if err != nil {
		return err
	}
	for _, it := range back {
		if err := c.copy(w, it); err != nil {
			return err
		}
	}
	if _, err := w.Write(tail); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if c.failed != nil {
		return c.failed
	}
	if err := f.Chmod(0o644); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Lock(); err != nil { // whoever finds it in its place waits until the files are gone that it does not know
		return fmt.Errorf("locking the new log: %w", err)
	}
	defer f.Unlock()
	if err := s.fs.Rename(f.Name(), s.path("log")); err != nil {
		return err
	}
	for i := range c.items {
		if it := &c.items[i]; it.gone && it.kind == recordFile {
			if r, ok := c.record(it); ok && !c.noted(r.digest) {
				s.fs.Remove(s.blobPath(r.digest)) // what is left is a stray
			}
		}
	}
	c.removeStrays()
	return nil
}

// revived takes back what was to go and has come into use since the log was looked at.
func (c *collection) revived(tail []byte) (back []*item, err error) {
	take := func(it *item) {
		if it != nil && it.gone {
			it.gone = false
			back = append(back, it)
		}
	}
	var outputs func(res *cache.ActionResult)
	result := func(it *item) {
		if it == nil {
			return
		}
		take(it)
		if r, ok := c.record(it); ok {
			take(c.blob(r.digest))
			if res, err := cache.DecodeResult(r.payload); err == nil {
				outputs(res)
			}
		}
	}
	outputs = func(res *cache.ActionResult) {
		for _, o := range append(res.Outputs, cache.Output{Digest: res.Log}) {
			c.walk(o, take)
		}
	}
	_, err = scan(bytes.NewReader(tail), 0, int64(len(tail)), func(r record, _ int64) {
		switch r.kind {
		case recordUse:
			take(c.blob(r.digest))
			result(c.result(cache.KeyFrom(r.digest)))
		case recordResult:
			take(c.blob(r.digest))
			if res, err := cache.DecodeResult(r.payload); err == nil {
				outputs(res)
			}
		}
	})
	return back, err
}

// noted reports that a note of a file was appended since the log was looked at: it is another file then. The caller holds mu.
func (c *collection) noted(d cache.Digest) bool {
	var buf [peekSize]byte
	f, ok, err := c.s.locate(d, recordBlob, buf[:])
	return err != nil || ok && f.offset >= c.scanned
}

// findStrays lists the files of blobs of which the log says nothing: those that a death between two steps has left.
func (c *collection) findStrays() error {
	return c.s.walkFiles(c.s.path("blobs"), func(path string, info vfs.Info) {
		d, err := cache.ParseDigest("sha256:"+filepath.Base(path), info.Size)
		if err != nil {
			return
		}
		if it := c.blob(d); it == nil || it.kind != recordFile {
			c.strays = append(c.strays, d)
		}
	})
}

// removeStrays removes them. The log is locked: a file gets into its place and is noted under that lock.
func (c *collection) removeStrays() {
	for _, d := range c.strays {
		if !c.noted(d) {
			c.s.fs.Remove(c.s.blobPath(d))
		}
	}
}

func (c *collection) removeStraysLocked() error {
	if len(c.strays) == 0 {
		return nil
	}
	if err := c.s.log.Lock(); err != nil {
		return fmt.Errorf("locking the log: %w", err)
	}
	defer c.s.log.Unlock()
	info, err := c.s.log.Stat()
	if err == nil {
		err = c.s.readTo(info.Size)
	}
	if err == nil {
		c.removeStrays()
	}
	return err
}

// heldCAS reads the blobs of a collection, for directories.
type heldCAS struct{ *collection }

func (heldCAS) FindMissing(context.Context, []cache.Digest) ([]cache.Digest, error) { return nil, nil }

func (heldCAS) Put(context.Context, io.Reader) (cache.Digest, error) {
	return cache.Digest{}, cache.ErrReadOnly
}

// Open implements cache.CAS.
func (h heldCAS) Open(_ context.Context, d cache.Digest) (io.ReadCloser, error) {
	small, kind := []byte(nil), byte(0)
	if it := h.blob(d); it != nil {
		r, ok := h.record(it)
		if !ok {
			return nil, cache.ErrNotFound
		}
		small, kind = r.payload, r.kind
	} else if f, ok := h.s.findHeld(d, recordBlob, true, make([]byte, peekSize)); ok { // appended since
		small, kind = f.payload(), f.kind()
	}
	switch kind {
	case recordBlob:
		return cache.Verifying(io.NopCloser(bytes.NewReader(small)), d, nil), nil
	case recordFile:
		f, err := vfs.Open(h.s.fs, h.s.blobPath(d))
		if errors.Is(err, fs.ErrNotExist) {
			err = cache.ErrNotFound
		}
		if err != nil {
			return nil, err
		}
		return cache.Verifying(f, d, nil), nil
	}
	return nil, cache.ErrNotFound
}
