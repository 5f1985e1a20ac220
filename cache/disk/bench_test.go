//go:build unix

package disk

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mbuild.dev/mbuild/cache"
)

var benchSizes = []int{10_000, 100_000, 1_000_000}

// BenchmarkStore: what a store costs by the number of its results. Keys are asked for in no order.
func BenchmarkStore(b *testing.B) {
	for _, n := range benchSizes {
		b.Run(fmt.Sprintf("results=%d", n), func(b *testing.B) {
			dir := b.TempDir()
			build(b, dir, n)
			keys := make([]cache.ActionKey, min(n, 100_000))
			for i, j := range rand.New(rand.NewSource(1)).Perm(n)[:len(keys)] {
				keys[i] = makeAction(0, j).key
			}
			b.Run("open", func(b *testing.B) {
				for b.Loop() {
					s, err := Open(dir)
					if err != nil {
						b.Fatal(err)
					}
					s.Close()
				}
			})
			b.Run("open+55", func(b *testing.B) {
				for b.Loop() {
					s, err := Open(dir)
					if err != nil {
						b.Fatal(err)
					}
					for _, k := range keys[:55] {
						if _, err := s.Lookup(ctx, k); err != nil {
							b.Fatal(err)
						}
					}
					s.Close()
				}
			})
			s := open(b, dir)
			i := 0
			b.Run("hit", func(b *testing.B) {
				for b.Loop() {
					if _, err := s.Lookup(ctx, keys[i%len(keys)]); err != nil {
						b.Fatal(err)
					}
					i++
				}
			})
			b.Run("found", func(b *testing.B) { // without decoding
				var buf [peekSize]byte
				for b.Loop() {
					if _, ok := s.find(keys[i%len(keys)].Digest(), recordResult, true, buf[:]); !ok {
						b.Fatal("not found")
					}
					i++
				}
			})
			none := cache.KeyOf([]byte("none"))
			sum := none.Digest().Bytes()
			b.Run("miss", func(b *testing.B) {
				var buf [peekSize]byte
				for b.Loop() {
					binary.LittleEndian.PutUint64(sum[:], rand.Uint64())
					if _, ok := s.find(cache.NewDigest(sum, 1), recordResult, false, buf[:]); ok {
						b.Fatal("found what is not there")
					}
				}
			})
		})
	}
}

// BenchmarkFirstPlan asks for every key of a store once, after opening it: what a plan of as many actions asks of the store.
func BenchmarkFirstPlan(b *testing.B) {
	const n = 100_000
	dir := b.TempDir()
	build(b, dir, n)
	keys := make([]cache.ActionKey, n)
	for i := range keys {
		keys[i] = makeAction(0, i).key
	}
	began := cpuTime()
	for b.Loop() {
		s, err := Open(dir)
		if err != nil {
			b.Fatal(err)
		}
		for _, k := range keys {
			if _, err := s.Lookup(ctx, k); err != nil {
				b.Fatal(err)
			}
		}
		s.Close()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/lookup")
	b.ReportMetric(float64((cpuTime()-began).Nanoseconds())/float64(b.N)/n, "cpu-ns/lookup")
}

// BenchmarkCommit commits small actions, one after the other.
func BenchmarkCommit(b *testing.B) {
	s := open(b, b.TempDir())
	actions := make([]action, 200_000)
	for i := range actions {
		actions[i] = makeAction(0, i)
	}
	i, began := 0, cpuTime()
	for b.Loop() {
		a := actions[i%len(actions)]
		binary.LittleEndian.PutUint32(a.output, uint32(1+i/len(actions))) // never the same output twice
		if err := s.Commit(ctx, [][]byte{a.output}, a.preimage, a.key, a.result); err != nil {
			b.Fatal(err)
		}
		i++
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
	b.ReportMetric(float64((cpuTime()-began).Nanoseconds())/float64(b.N), "cpu-ns/commit")
}

// cpuTime is what the process has used of the cores: on a machine that does other things, too, it tells more than the clock.
func cpuTime() time.Duration {
	var u unix.Rusage
	unix.Getrusage(unix.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkProcesses commits to one store from one and from eight processes, disjoint work. An op is a commit; more than the
// cores can do at once cannot be expected of eight.
func BenchmarkProcesses(b *testing.B) {
	for _, n := range []int{1, 2, 8} {
		b.Run(fmt.Sprintf("processes=%d", n), func(b *testing.B) {
			const each = 40_000
			for b.Loop() {
				dir := b.TempDir()
				open(b, dir)
				procs := make([]*exec.Cmd, n)
				start := time.Now()
				for i := range procs {
					procs[i] = child("commit", dir, i, each/n)
					if err := procs[i].Start(); err != nil {
						b.Fatal(err)
					}
				}
				for _, p := range procs {
					if err := p.Wait(); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(each/time.Since(start).Seconds(), "commits/s")
			}
		})
	}
}

// BenchmarkIngest compares taking over a large file with bare SHA-256 over the same file.
func BenchmarkIngest(b *testing.B) {
	const size = 256 << 20
	data := make([]byte, size)
	rand.New(rand.NewSource(1)).Read(data)
	dir := b.TempDir()
	b.Run("sha256", func(b *testing.B) {
		path := filepath.Join(dir, "plain")
		os.WriteFile(path, data, 0o644)
		b.SetBytes(size)
		for b.Loop() {
			f, err := os.Open(path)
			if err != nil {
				b.Fatal(err)
			}
			h := sha256.New()
			io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{f}, make([]byte, 1<<20))
			f.Close()
		}
	})
	b.Run("PutFile", func(b *testing.B) {
		b.SetBytes(size)
		for b.Loop() {
			b.StopTimer()
			s, err := Open(b.TempDir())
			if err != nil {
				b.Fatal(err)
			}
			path := filepath.Join(s.Scratch(), "file")
			os.WriteFile(path, data, 0o644)
			b.StartTimer()
			if _, err := s.PutFile(ctx, path); err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			s.Close()
			b.StartTimer()
		}
	})
}

// BenchmarkMaterialize links a large blob that is in the store.
func BenchmarkMaterialize(b *testing.B) {
	s := open(b, b.TempDir())
	path := filepath.Join(s.Scratch(), "file")
	if err := os.WriteFile(path, make([]byte, 1<<30), 0o644); err != nil {
		b.Fatal(err)
	}
	d, err := s.PutFile(ctx, path)
	if err != nil {
		b.Fatal(err)
	}
	out := filepath.Join(s.Scratch(), "out")
	for b.Loop() {
		if err := s.Materialize(ctx, d, out); err != nil {
			b.Fatal(err)
		}
		os.Remove(out)
	}
}
