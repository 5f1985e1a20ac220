// Package cache stores bytes by digest and results by action: the content-addressable store and the action cache of the
// Remote Execution API, behind two small interfaces.
//
// It deliberately does not know what actions mean, which of them exist, or who asks. It imports nothing of the program.
//
// The nouns, in the order in which they appear:
//
//	Digest        SHA-256 and size of some bytes; the zero Digest means absent
//	ActionKey     a Digest of an encoded action; KeyOf makes it, and nothing else computes one
//	CAS           bytes by Digest: FindMissing, Open, Put
//	ActionCache   results by ActionKey: Lookup, Record; a miss is ErrNotFound
//	ActionResult  what an action gave: outputs, metrics, log, and how it ran
//	directory     an output that is a Merkle tree of files (tree.go)
//
// Stores (packages cache/memory and cache/disk) and decorators (verify.go, complete.go, readonly.go) implement the same
// interfaces, and package cache/cachetest holds them all to the same contract.
//
// The invariant: bytes that come out of Open have the digest that was asked for, or the reader says ErrCorrupt before it
// says io.EOF. A result may name blobs that are gone: records outlive bytes, and a caller that needs bytes checks (Present).
//
// Read next: cache/disk, whose package comment is the layout on disk.
package cache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// The errors callers tell apart. All are wrapped with operation and object.
var (
	ErrNotFound = errors.New("not found")
	ErrCorrupt  = errors.New("corrupt: the bytes do not have the digest they are stored under")
	ErrReadOnly = errors.New("the store is read-only")
	ErrNoSpace  = errors.New("no space left on the store's disk")
	ErrFormat   = errors.New("unsupported store format")
	ErrBusy     = errors.New("the store is in use: try again later")
)

// CAS stores bytes by their digest.
type CAS interface {
	// FindMissing returns those of the digests whose bytes are not in the store, in the order given.
	FindMissing(ctx context.Context, digests []Digest) ([]Digest, error)

	// Open reads the bytes of a digest; ErrNotFound when they are not there. The reader verifies: it ends with ErrCorrupt
	// instead of io.EOF when the bytes have another digest.
	Open(ctx context.Context, d Digest) (io.ReadCloser, error)

	// Put stores everything r gives and returns its digest. Nothing is visible before it is complete.
	Put(ctx context.Context, r io.Reader) (Digest, error)
}

// ActionCache stores results by the key of their action.
type ActionCache interface {
	// Lookup returns the result recorded last under the key; ErrNotFound when there is none.
	Lookup(ctx context.Context, key ActionKey) (*ActionResult, error)

	// Record keeps a result. The caller has put its blobs and the preimage of the key before.
	Record(ctx context.Context, key ActionKey, result *ActionResult) error
}

// Store is both.
type Store interface {
	CAS
	ActionCache
}

// FilePutter is a CAS that can take a file over instead of copying it. The file is gone, or no longer the caller's to
// change, afterwards.
type FilePutter interface {
	PutFile(ctx context.Context, path string) (Digest, error)
}

// Materializer is a CAS that can put a blob at a path faster than by copying: as a read-only hard link.
type Materializer interface {
	Materialize(ctx context.Context, d Digest, path string) error
}

// Locker is a store that lets one process at a time work on a key.
type Locker interface {
	// Lock waits until no other process holds the key. It survives no process: the lock of a dead one is free. When it has to
	// wait, it calls waits once, with who holds the key, in words; "" when that cannot be told.
	Lock(ctx context.Context, key ActionKey, waits func(holder string)) (unlock func(), err error)
}

// Keeper is a store that collects garbage, and keeps away from it what a process has said to use.
type Keeper interface {
	// Use keeps the results of keys, with their bytes, as long as this process has a lease.
	Use(keys ...ActionKey) error
}

// ReadAll reads a whole blob of at most limit bytes into memory.
func ReadAll(ctx context.Context, cas CAS, d Digest, limit int64) ([]byte, error) {
	if d.Size() > limit {
		return nil, fmt.Errorf("blob %s has %d bytes, more than the %d allowed here", d, d.Size(), limit)
	}
	r, err := cas.Open(ctx, d)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	buf := make([]byte, d.Size())
	if _, err := io.ReadFull(r, buf); err != nil {
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			err = ErrCorrupt
		}
		return nil, fmt.Errorf("reading blob %s: %w", d, err)
	}
	var one [1]byte
	if n, err := r.Read(one[:]); n != 0 || err != io.EOF {
		if err == nil || err == io.EOF {
			err = ErrCorrupt
		}
		return nil, fmt.Errorf("reading blob %s: %w", d, err)
	}
	return buf, nil
}

// PutPath stores the file or directory at a path.
func PutPath(ctx context.Context, cas CAS, path string, directory bool) (Digest, error) {
	if directory {
		return PutTree(ctx, cas, path)
	}
	return putFile(ctx, cas, path)
}

func putFile(ctx context.Context, cas CAS, path string) (Digest, error) {
	if p, ok := cas.(FilePutter); ok {
		return p.PutFile(ctx, path)
	}
	f, err := os.Open(path)
	if err != nil {
		return Digest{}, err
	}
	defer f.Close()
	return cas.Put(ctx, f)
}

// Materialize puts the bytes of an output at a path that does not exist yet, read-only. ErrNotFound and ErrCorrupt say that
// bytes are missing; a partial tree is then left behind for the caller to remove.
func Materialize(ctx context.Context, cas CAS, out Output, path string) error {
	if out.Directory {
		return materializeTree(ctx, cas, out.Digest, path)
	}
	return materializeFile(ctx, cas, out.Digest, path)
}

func materializeFile(ctx context.Context, cas CAS, d Digest, path string) error {
	if m, ok := cas.(Materializer); ok {
		return m.Materialize(ctx, d, path)
	}
	r, err := cas.Open(ctx, d)
	if err != nil {
		return err
	}
	defer r.Close()
	return CopyTo(r, path)
}

// CopyTo writes what r gives to a new read-only file. A failure leaves no file behind.
func CopyTo(r io.Reader, path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o444)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		os.Remove(path)
		return fmt.Errorf("writing %s: %w", filepath.Base(path), err)
	}
	return nil
}

// Present reports whether all bytes of an output are in the store, those of a directory's files included.
func Present(ctx context.Context, cas CAS, out Output) (bool, error) {
	want := []Digest{out.Digest}
	if out.Directory {
		want = want[:0]
		err := WalkTree(ctx, cas, out.Digest, func(_ string, d Digest) error {
			want = append(want, d)
			return nil
		})
		if errors.Is(err, ErrNotFound) || errors.Is(err, ErrCorrupt) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	missing, err := cas.FindMissing(ctx, want)
	return len(missing) == 0, err
}
