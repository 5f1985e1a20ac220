package sandbox

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test binary be a slot.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == Arg {
		os.Exit(Main(os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

// pool returns a pool of a mode; the test is over when the machine cannot do it.
func pool(t testing.TB, mode Mode) *Pool {
	t.Helper()
	p := NewPool(Config{Scratch: t.TempDir(), Mode: mode})
	t.Cleanup(p.Close)
	return p
}

// sh runs a script and returns its result and what it printed.
func sh(t testing.TB, p *Pool, script string, change ...func(*Command)) (*Result, string) {
	t.Helper()
	var log bytes.Buffer
	c := &Command{Args: []string{"sh", "-c", script}, Env: []string{"PATH=/usr/local/bin:/usr/bin:/bin"}, Spill: func() (string, error) { return t.TempDir(), nil }, Log: &log}
	for _, f := range change {
		f(c)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	res, err := p.Run(ctx, c)
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	return res, log.String()
}

func TestFirst(t *testing.T) {
	for _, m := range []Mode{Private, Guarded, Bare} {
		p := pool(t, m)
		for range 3 {
			res, out := sh(t, p, "pwd; id; ls -la / . /dev /proc/self/fd; mount | head -50; cat in.txt; echo x > out; ps aux 2>&1 | head; cat /proc/self/status | grep -E 'Cap|NoNew|Secc'", func(c *Command) {
				c.Inputs = []File{{Place: "in.txt", Bytes: []byte("hello\n")}}
				c.Outputs = []string{"out"}
			})
			if !res.OK() || p.mode != m {
				t.Errorf("%v (%v): %+v", m, p.why, res)
			}
			if testing.Verbose() {
				t.Log(m, out, res)
			}
			_ = strings.Contains
		}
	}
}

func BenchmarkEcho(b *testing.B) {
	for _, m := range []Mode{Private, Guarded, Bare} {
		b.Run(m.String(), func(b *testing.B) {
			p := pool(b, m)
			in := func(c *Command) {
				c.Inputs = []File{{Place: "one", Bytes: []byte("hello\n")}, {Place: "two", Bytes: []byte("hello\n")}}
				c.Outputs = []string{"out"}
			}
			sh(b, p, "echo x > out", in)
			for b.Loop() {
				sh(b, p, "echo x > out", in)
			}
		})
	}
}
