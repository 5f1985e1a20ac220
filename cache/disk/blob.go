package disk

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/cache/vfs"
)

// FindMissing implements cache.CAS. A small blob counts as present when its record checks out; a file blob when the file has the
// size, mtime and inode that it had when it was hashed, since the machine was started; otherwise it is hashed again.
func (s *Store) FindMissing(ctx context.Context, digests []cache.Digest) ([]cache.Digest, error) {
	var missing []cache.Digest
	buf := peeks.Get().(*[peekSize]byte)
	defer peeks.Put(buf)
	for _, d := range digests {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		f, ok := s.find(d, recordBlob, true, buf[:])
		if ok {
			ok = s.intact(ctx, d, f)
		}
		if err := ctx.Err(); err != nil {
			return nil, err // it was not looked at to the end
		}
		if !ok {
			missing = append(missing, d)
		}
	}
	return missing, nil
}

// intact reports whether a blob is what the log says; whole is its record.
func (s *Store) intact(ctx context.Context, d cache.Digest, whole found) bool {
	if whole.kind() == recordFile {
		return s.sound(ctx, d, whole)
	}
	_, n := parse(whole.bytes)
	if n == 0 {
		s.lose(d, whole)
	}
	return n > 0
}

// identity is what tells that the file of a blob is the one that was hashed.
type identity struct {
	mtime int64
	inode uint64
	boot  uint64 // of the machine when it was hashed: what was written before may be torn by a power loss
}

// identityIn reads the note of a file; one of format 1 has no boot.
func identityIn(payload []byte) identity {
	var b [24]byte
	copy(b[:], payload)
	return identity{int64(binary.LittleEndian.Uint64(b[:])), binary.LittleEndian.Uint64(b[8:]), binary.LittleEndian.Uint64(b[16:])}
}

func (i identity) encode() []byte {
	b := binary.LittleEndian.AppendUint64(make([]byte, 0, 24), uint64(i.mtime))
	return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(b, i.inode), i.boot)
}

func (s *Store) identityOf(info vfs.Info) identity {
	return identity{info.ModTime, info.Inode, s.fs.Boot()}
}

// sound reports whether the file of a blob is what was noted; if it was touched, or noted before the machine was started,
// whether it still has the digest.
func (s *Store) sound(ctx context.Context, d cache.Digest, note found) bool {
	r, n := parse(note.bytes)
	info, err := s.fs.Stat(s.blobPath(d))
	if n == 0 || err != nil && errors.Is(err, fs.ErrNotExist) || err == nil && info.Size != d.Size() {
		s.lose(d, note)
		return false
	}
	if err != nil {
		return false
	}
	if s.identityOf(info) == identityIn(r.payload) {
		return true
	}
	f, err := vfs.Open(s.fs, s.blobPath(d))
	if err != nil {
		return false
	}
	defer f.Close()
	got, err := hash(ctx, f, nil)
	if err != nil {
		return false
	}
	if got != d {
		s.lose(d, note)
		return false
	}
	s.noteFile(d, info) // best effort: without it, it is hashed again next time
	return true
}

// lose marks a blob as lost, and takes its file away, if what the log says of it is still what the caller looked at: a collection of
// garbage may have taken it away meanwhile, which is no loss, and another process may have made it again. That is best effort:
// without it the next reader finds out again.
func (s *Store) lose(d cache.Digest, f found) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.readOnly {
		return
	}
	at, err := s.lockLog()
	if err != nil {
		return
	}
	wrote := s.loseLocked(d, f, at)
	s.log.Unlock()
	if wrote {
		s.wrote(at)
	}
}

// loseLocked is lose with the log locked; at is where it ends.
func (s *Store) loseLocked(d cache.Digest, f found, at int64) (wrote bool) {
	if s.readOn() != nil || s.reloads != f.reloads {
		return false
	}
	var buf [peekSize]byte
	now, ok := s.findHeld(d, recordBlob, false, buf[:])
	if !ok || now.offset != f.offset {
		return false
	}
	if now.kind() == recordFile {
		s.fs.Remove(s.blobPath(d))
	}
	s.out.reset(s.now())
	s.out.add(record{kind: recordLost, digest: d})
	return s.write(at) == nil
}

// Open implements cache.CAS.
func (s *Store) Open(_ context.Context, d cache.Digest) (io.ReadCloser, error) {
	f, ok := s.find(d, recordBlob, true, make([]byte, peekSize))
	if !ok {
		return nil, fmt.Errorf("blob %s: %w", d, cache.ErrNotFound)
	}
	lost := func() { s.lose(d, f) }
	if f.kind() == recordBlob {
		return cache.Verifying(io.NopCloser(bytes.NewReader(f.payload())), d, lost), nil
	}
	file, err := vfs.Open(s.fs, s.blobPath(d))
	if errors.Is(err, fs.ErrNotExist) {
		lost()
		return nil, fmt.Errorf("blob %s: %w", d, cache.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("blob %s: %w", d, err)
	}
	return cache.Verifying(file, d, lost), nil
}

// Put implements cache.CAS.
func (s *Store) Put(ctx context.Context, r io.Reader) (cache.Digest, error) {
	if b, ok := r.(*bytes.Reader); ok && b.Len() < smallLimit {
		small := make([]byte, b.Len())
		b.Read(small)
		return s.putSmall(small)
	}
	head := make([]byte, smallLimit)
	n, err := io.ReadFull(r, head)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return s.putSmall(head[:n])
	}
	if err != nil {
		return cache.Digest{}, fmt.Errorf("putting a blob: %w", err)
	}
	return s.putLarge(ctx, io.MultiReader(bytes.NewReader(head), r))
}

func (s *Store) putLarge(ctx context.Context, r io.Reader) (cache.Digest, error) {
	if s.readOnly {
		return cache.Digest{}, cache.ErrReadOnly
	}
	dir, err := s.scratchDir()
	if err != nil {
		return cache.Digest{}, fmt.Errorf("putting a blob: %w", wrap(err))
	}
	tmp, err := s.fs.CreateTemp(dir, "blob-")
	if err != nil {
		return cache.Digest{}, fmt.Errorf("putting a blob: %w", wrap(err))
	}
	d, err := hash(ctx, r, tmp)
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = s.adopt(ctx, d, tmp.Name())
	}
	s.fs.Remove(tmp.Name())
	if err != nil {
		return cache.Digest{}, fmt.Errorf("putting a blob: %w", wrap(err))
	}
	return d, nil
}

func (s *Store) putSmall(b []byte) (cache.Digest, error) {
	d := cache.Sum(b)
	s.mu.Lock()
	defer s.mu.Unlock()
	return d, s.append(func(out *batch) { s.addBlob(out, d, b) })
}

// addBlob adds what makes sure that a small blob is in the log and stays there: nothing, a note that it is used, or all of it. What
// was there before this process came could be what GC removes while this process works. The caller holds mu.
func (s *Store) addBlob(out *batch, d cache.Digest, b []byte) {
	buf := peeks.Get().(*[peekSize]byte)
	defer peeks.Put(buf)
	f, ok, err := s.locate(d, recordBlob, buf[:])
	if ok = ok && err == nil && f.kind() == recordBlob; ok {
		f, ok = s.rest(f)
	}
	switch {
	case !ok || !bytes.Equal(f.payload(), b):
		out.add(record{kind: recordBlob, digest: d, payload: b})
	case f.offset < s.began:
		s.addUse(out, d)
	}
}

// addUse adds a note that a blob or a result from before this process came is used, unless there is one. The caller holds mu.
func (s *Store) addUse(out *batch, d cache.Digest) {
	var buf [headerSize]byte
	if f, ok, err := s.locate(d, recordUse, buf[:]); !ok || err != nil || f.offset < s.began {
		out.add(record{kind: recordUse, digest: d})
	}
}

// PutFile implements cache.FilePutter: a large file becomes the blob without being copied when it lies on the store's file
// system.
func (s *Store) PutFile(ctx context.Context, path string) (cache.Digest, error) {
	f, err := vfs.Open(s.fs, path)
	if err != nil {
		return cache.Digest{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return cache.Digest{}, err
	}
	if info.Size < smallLimit {
		b := make([]byte, info.Size)
		if _, err := io.ReadFull(f, b); err != nil {
			return cache.Digest{}, fmt.Errorf("reading %s: %w", filepath.Base(path), err)
		}
		return s.putSmall(b)
	}
	if s.readOnly {
		return cache.Digest{}, cache.ErrReadOnly
	}
	d, err := hash(ctx, f, nil)
	if err != nil {
		return cache.Digest{}, fmt.Errorf("hashing %s: %w", filepath.Base(path), err)
	}
	return d, s.adopt(ctx, d, path)
}

// adopt makes a file with a known digest the blob: read-only, renamed into place, then noted in the log.
func (s *Store) adopt(ctx context.Context, d cache.Digest, path string) error {
	to := s.blobPath(d)
	if s.keep(ctx, d) {
		return nil
	}
	if err := s.fs.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return wrap(err)
	}
	if err := s.fs.Chmod(path, 0o444); err != nil {
		return wrap(err)
	}
	err := s.rename(d, path, to)
	if err == nil || !errors.Is(err, syscall.EXDEV) {
		return wrap(err)
	}
	f, err := vfs.Open(s.fs, path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = s.putLarge(ctx, f)
	return err
}

// keep reports that the store has a large blob, and makes sure that it stays.
func (s *Store) keep(ctx context.Context, d cache.Digest) bool {
	var buf [peekSize]byte
	f, ok := s.find(d, recordBlob, true, buf[:])
	if !ok || f.kind() != recordFile || !s.sound(ctx, d, f) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.offset >= s.began {
		return true
	}
	kept := true
	err := s.append(func(out *batch) {
		f, ok, err := s.locate(d, recordBlob, buf[:])
		if kept = ok && err == nil && f.kind() == recordFile; kept {
			s.addUse(out, d)
		}
	})
	return kept && err == nil
}

// rename moves a file into its place and notes it while the log is locked, so that GC cannot take it for one that nobody knows.
func (s *Store) rename(d cache.Digest, from, to string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, err := s.lockLog()
	if err != nil {
		return err
	}
	err = s.fs.Rename(from, to)
	if err == nil {
		var info vfs.Info
		if info, err = s.fs.Stat(to); err == nil {
			s.out.reset(s.now())
			s.out.add(s.noteOf(d, info))
			err = s.write(at)
			s.added += info.Blocks
		}
	}
	s.log.Unlock()
	if err != nil {
		return err
	}
	return s.wrote(at)
}

// noteOf says that the file of a blob was hashed when it had this identity.
func (s *Store) noteOf(d cache.Digest, info vfs.Info) record {
	return record{kind: recordFile, digest: d, payload: s.identityOf(info).encode()}
}

// noteFile records that the file of a blob was hashed.
func (s *Store) noteFile(d cache.Digest, info vfs.Info) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.append(func(out *batch) { out.add(s.noteOf(d, info)) })
}

// Materialize implements cache.Materializer: a large blob is hard-linked, read-only, a small one written.
func (s *Store) Materialize(ctx context.Context, d cache.Digest, path string) error {
	var buf [peekSize]byte
	f, ok := s.find(d, recordBlob, false, buf[:])
	if ok && f.kind() == recordFile {
		if !s.sound(ctx, d, f) {
			return fmt.Errorf("blob %s: %w", d, cache.ErrNotFound)
		}
		err := s.fs.Link(s.blobPath(d), path)
		if err == nil || errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	r, err := s.Open(ctx, d)
	if err != nil {
		return err
	}
	defer r.Close()
	return s.copyTo(r, path)
}

// copyTo writes what r gives to a new read-only file. A failure leaves no file behind.
func (s *Store) copyTo(r io.Reader, path string) error {
	f, err := s.fs.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o444)
	if err != nil {
		return wrap(err)
	}
	_, err = io.Copy(f, r)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		s.fs.Remove(path)
		return fmt.Errorf("writing %s: %w", filepath.Base(path), wrap(err))
	}
	return nil
}

var buffers = sync.Pool{New: func() any { return new([1 << 20]byte) }}

// hash digests r, and copies it to w when there is one.
func hash(ctx context.Context, r io.Reader, w io.Writer) (cache.Digest, error) {
	h := cache.NewHasher()
	whole := buffers.Get().(*[1 << 20]byte)
	defer buffers.Put(whole)
	buf := whole[:]
	for {
		if err := ctx.Err(); err != nil {
			return cache.Digest{}, err
		}
		n, err := io.ReadFull(r, buf)
		h.Write(buf[:n])
		if w != nil {
			if _, err := w.Write(buf[:n]); err != nil {
				return cache.Digest{}, err
			}
		}
		switch err {
		case nil:
		case io.EOF, io.ErrUnexpectedEOF:
			return h.Digest(), nil
		default:
			return cache.Digest{}, err
		}
	}
}
