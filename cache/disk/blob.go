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

	"mbuild.dev/mbuild/cache"
)

// FindMissing implements cache.CAS. A file blob counts as present when the file has the size, mtime and inode that it had
// when it was hashed; otherwise it is hashed again.
func (s *Store) FindMissing(ctx context.Context, digests []cache.Digest) ([]cache.Digest, error) {
	var missing []cache.Digest
	for _, d := range digests {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if p, ok := s.find(d); !ok || p.file && !s.sound(d, p) {
			missing = append(missing, d)
		}
	}
	return missing, nil
}

// sound reports whether the file of a blob is what was noted; if it was touched, whether it still has the digest.
func (s *Store) sound(d cache.Digest, p place) bool {
	info, err := os.Stat(s.blobPath(d))
	if err != nil || info.Size() != p.size {
		s.lose(d)
		return false
	}
	if info.ModTime().UnixNano() == p.mtime && inode(info) == p.inode {
		return true
	}
	f, err := os.Open(s.blobPath(d))
	if err != nil {
		return false
	}
	defer f.Close()
	if got, err := hash(context.Background(), f, nil); err != nil || got != d {
		s.lose(d)
		return false
	}
	s.noteFile(d, info)
	return true
}

// lose marks a blob as lost and takes its file away.
func (s *Store) lose(d cache.Digest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.blobs[d.Bytes()]
	if !ok {
		return
	}
	delete(s.blobs, d.Bytes())
	if s.readOnly {
		return
	}
	if p.file {
		os.Remove(s.blobPath(d))
	}
	s.append(record{kind: recordLost, digest: d}) // best effort: without it the next reader finds out again
}

// Open implements cache.CAS.
func (s *Store) Open(_ context.Context, d cache.Digest) (io.ReadCloser, error) {
	p, ok := s.find(d)
	if !ok {
		return nil, fmt.Errorf("blob %s: %w", d, cache.ErrNotFound)
	}
	lost := func() { s.lose(d) }
	if !p.file {
		return cache.Verifying(io.NopCloser(io.NewSectionReader(s.log, p.offset, int64(p.length))), d, lost), nil
	}
	f, err := os.Open(s.blobPath(d))
	if errors.Is(err, fs.ErrNotExist) {
		s.lose(d)
		return nil, fmt.Errorf("blob %s: %w", d, cache.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("blob %s: %w", d, err)
	}
	return cache.Verifying(f, d, lost), nil
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
	if s.readOnly {
		return cache.Digest{}, cache.ErrReadOnly
	}
	tmp, err := os.CreateTemp(s.path("tmp"), "blob-")
	if err != nil {
		return cache.Digest{}, fmt.Errorf("putting a blob: %w", wrap(err))
	}
	defer os.Remove(tmp.Name())
	d, err := hash(ctx, io.MultiReader(bytes.NewReader(head), r), tmp)
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return cache.Digest{}, fmt.Errorf("putting a blob: %w", wrap(err))
	}
	return d, s.adopt(d, tmp.Name())
}

func (s *Store) putSmall(b []byte) (cache.Digest, error) {
	d := cache.Sum(b)
	s.mu.Lock()
	defer s.mu.Unlock()
	if p, ok := s.blobs[d.Bytes()]; ok && !p.file {
		return d, nil
	}
	return d, s.append(record{kind: recordBlob, digest: d, payload: b})
}

// PutFile implements cache.FilePutter: a large file becomes the blob without being copied when it lies on the store's file
// system.
func (s *Store) PutFile(ctx context.Context, path string) (cache.Digest, error) {
	f, err := os.Open(path)
	if err != nil {
		return cache.Digest{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return cache.Digest{}, err
	}
	if info.Size() < smallLimit {
		b := make([]byte, info.Size())
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
	return d, s.adopt(d, path)
}

// adopt makes a file with a known digest the blob: read-only, renamed into place, then noted in the log.
func (s *Store) adopt(d cache.Digest, path string) error {
	if p, ok := s.find(d); ok && s.sound(d, p) {
		return nil
	}
	to := s.blobPath(d)
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return wrap(err)
	}
	if err := os.Chmod(path, 0o444); err != nil {
		return wrap(err)
	}
	if err := os.Rename(path, to); err != nil {
		f, oerr := os.Open(path)
		if oerr != nil {
			return wrap(err)
		}
		defer f.Close()
		if _, err = s.Put(context.Background(), f); err != nil { // another file system: copy
			return err
		}
		return nil
	}
	info, err := os.Stat(to)
	if err != nil {
		return err
	}
	return s.noteFile(d, info)
}

// noteFile records that the file of a blob was hashed when it had this identity.
func (s *Store) noteFile(d cache.Digest, info fs.FileInfo) error {
	payload := make([]byte, 16)
	binary.LittleEndian.PutUint64(payload, uint64(info.ModTime().UnixNano()))
	binary.LittleEndian.PutUint64(payload[8:], inode(info))
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.append(record{kind: recordFile, digest: d, payload: payload})
}

// Materialize implements cache.Materializer: a large blob is hard-linked, read-only, a small one written.
func (s *Store) Materialize(ctx context.Context, d cache.Digest, path string) error {
	p, ok := s.find(d)
	if ok && p.file {
		if !s.sound(d, p) {
			return fmt.Errorf("blob %s: %w", d, cache.ErrNotFound)
		}
		err := os.Link(s.blobPath(d), path)
		if err == nil || errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	r, err := s.Open(ctx, d)
	if err != nil {
		return err
	}
	defer r.Close()
	return cache.CopyTo(r, path)
}

// hash digests r, and copies it to w when there is one.
func hash(ctx context.Context, r io.Reader, w io.Writer) (cache.Digest, error) {
	h := cache.NewHasher()
	buf := make([]byte, 1<<20)
	for {
		if err := ctx.Err(); err != nil {
			return cache.Digest{}, err
		}
		n, err := r.Read(buf)
		h.Write(buf[:n])
		if w != nil {
			if _, err := w.Write(buf[:n]); err != nil {
				return cache.Digest{}, err
			}
		}
		if err == io.EOF {
			return h.Digest(), nil
		}
		if err != nil {
			return cache.Digest{}, err
		}
	}
}

// Lookup implements cache.ActionCache.
func (s *Store) Lookup(_ context.Context, key cache.ActionKey) (*cache.ActionResult, error) {
	s.mu.Lock()
	p, ok := s.results[key]
	if !ok && s.readOn() == nil {
		p, ok = s.results[key]
	}
	s.mu.Unlock()
	if !ok {
		return nil, fmt.Errorf("result %s: %w", key, cache.ErrNotFound)
	}
	b := make([]byte, headerSize+int(p.length))
	if _, err := s.log.ReadAt(b, p.offset-headerSize); err != nil {
		return nil, fmt.Errorf("result %s: %w", key, err)
	}
	r, n := parse(b)
	if n == 0 { // damaged since it was read: as good as absent
		return nil, fmt.Errorf("result %s: %w", key, cache.ErrNotFound)
	}
	return cache.DecodeResult(r.payload)
}

// Record implements cache.ActionCache.
func (s *Store) Record(_ context.Context, key cache.ActionKey, result *cache.ActionResult) error {
	b, err := result.Encode()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.append(record{kind: recordResult, digest: key.Digest(), payload: b})
}
