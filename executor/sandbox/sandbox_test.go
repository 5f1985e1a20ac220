package sandbox

import (
	"bytes"
	"context"
	"os"
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

// modes are those that this machine can do.
func modes(t testing.TB) []Mode {
	t.Helper()
	var all []Mode
	for _, m := range []Mode{Private, Guarded, Bare} {
		p := NewPool(Config{Scratch: t.TempDir(), Mode: m})
		sh(t, p, "true")
		if p.mode == m {
			all = append(all, m)
		} else {
			t.Logf("%s mode is not to be had here: %v", m, p.why)
		}
		p.Close()
	}
	return all
}

// each runs a test in a pool of each mode that is at least as strong as the weakest that keeps the promise.
func each(t *testing.T, weakest Mode, f func(t *testing.T, p *Pool)) {
	t.Helper()
	tried := false
	for _, m := range modes(t) {
		if m > weakest {
			continue
		}
		tried = true
		t.Run(m.String(), func(t *testing.T) {
			p := NewPool(Config{Scratch: t.TempDir(), Mode: m})
			defer p.Close()
			f(t, p)
		})
	}
	if !tried {
		// The promise is off here, and must be said to be.
		p := NewPool(Config{Scratch: t.TempDir()})
		defer p.Close()
		sh(t, p, "true")
		if len(p.Weaker()) == 0 {
			t.Error("no mode keeps the promise, and none is said to be off")
		}
	}
}

// sh runs a script and returns its result and what it printed.
func sh(t testing.TB, p *Pool, script string, change ...func(*Command)) (*Result, string) {
	t.Helper()
	var log bytes.Buffer
	c := &Command{Args: []string{"sh", "-c", script}, Env: []string{"PATH=/usr/local/bin:/usr/bin:/bin"}, Log: &log}
	c.Spill = func() (string, error) { return t.TempDir(), nil }
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

func inputs(files ...File) func(*Command)     { return func(c *Command) { c.Inputs = files } }
func outputs(places ...string) func(*Command) { return func(c *Command) { c.Outputs = places } }
func limits(l Limits) func(*Command)          { return func(c *Command) { c.Limits = l } }

// BenchmarkEcho is a command as cheap as they come, with two inputs and an output, by mode.
func BenchmarkEcho(b *testing.B) {
	for _, m := range modes(b) {
		b.Run(m.String(), func(b *testing.B) {
			p := NewPool(Config{Scratch: b.TempDir(), Mode: m})
			defer p.Close()
			c := &Command{Args: []string{"sh", "-c", "echo x > out"}, Env: []string{"PATH=/usr/bin:/bin"}, Outputs: []string{"out"}, Log: &bytes.Buffer{},
				Inputs: []File{{Place: "one", Bytes: []byte("hello\n")}, {Place: "two", Bytes: []byte("hello\n")}}}
			if _, err := p.Run(context.Background(), c); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if _, err := p.Run(context.Background(), c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
