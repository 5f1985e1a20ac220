package disk

import (
	"bytes"
	"context"
	"crypto/rand"
	"os"
	"strings"
	"testing"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/cache/vfs"
)

func put(t *testing.T, s *Store, b []byte) cache.Digest {
	t.Helper()
	d, err := s.Put(context.Background(), bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func testWitness(t *testing.T, s *Store, before *Witness, digests ...cache.Digest) *Witness {
	t.Helper()
	var outs []cache.Output
	for _, d := range digests {
		outs = append(outs, cache.Output{Digest: d})
	}
	w, err := s.Witness(context.Background(), before, outs)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// TestWitness: what a witness saw holds however much others add, and no longer when something is lost, of whatever size.
func TestWitness(t *testing.T) {
	large := make([]byte, 1<<20)
	rand.Read(large)
	for name, content := range map[string][]byte{"small": []byte("a small blob"), "large": large} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s, other := open(t, dir), open(t, dir)
			d := put(t, s, content)
			w := testWitness(t, s, nil, d)
			for range 20 { // more than anybody would read again
				b := make([]byte, 60<<10)
				rand.Read(b)
				put(t, other, b)
			}
			if !Holds(vfs.OS, w) {
				t.Fatal("what others add must not matter")
			}
			w = testWitness(t, other, w, put(t, other, []byte("one more")))
			damage(t, other, d, content)
			if r, err := other.Open(context.Background(), d); err == nil {
				if _, err = r.Read(make([]byte, 2<<20)); err == nil {
					_, err = r.Read(make([]byte, 1))
				}
				r.Close()
				if err == nil || err.Error() == "EOF" {
					t.Fatal("damaged bytes were served")
				}
			}
			if Holds(vfs.OS, w) {
				t.Error("a loss went by unseen")
			}
			if _, err := s.Witness(context.Background(), w, nil); err == nil {
				t.Error("vouched for what was lost")
			}
			put(t, s, content) // made again
			w = testWitness(t, s, nil, d)
			if !Holds(vfs.OS, w) {
				t.Error("a new witness must hold")
			}
		})
	}
}

// damage flips a bit of a blob where it lies.
func damage(t *testing.T, s *Store, d cache.Digest, content []byte) {
	t.Helper()
	name := s.path("log")
	if len(content) >= 64<<10 {
		name = s.blobPath(d)
		if err := os.Chmod(name, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	at := strings.Index(string(b), string(content))
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte{b[at+5] ^ 1}, int64(at+5)); err != nil {
		t.Fatal(err)
	}
}
