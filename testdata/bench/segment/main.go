// Command segment measures what a segment of training costs beside its epoch: state out of the device, files, hashes, the store,
// events. It trains a network with Adam, by default one of 10 million parameters, and compares the time from the end of one segment
// to the end of the next with the time that the worker says its epoch took. It also says how long the first segment was under way
// before its first step was reported: the start of a worker and its backend, reading the data, compilation.
//
//	go run ./testdata/bench/segment -mbuild mbuild -backend pjrt:/path/to/plugin.so
//
// -mbuild takes several programs, separated by commas, and runs them by turns.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const side = 32 // of an image

func main() {
	programs := flag.String("mbuild", "mbuild", "programs to measure")
	backend := flag.String("backend", "go", "backend to train on")
	rows := flag.Int("rows", 4096, "rows of an epoch")
	epochs := flag.Int("epochs", 8, "epochs of a run; the first is left out")
	rounds := flag.Int("rounds", 3, "runs of each program")
	model := flag.String("model", "large", "large, mlp, cnn or encoder")
	batch := flag.Int("batch", 256, "rows of a step")
	flag.Parse()
	if err := measure(strings.Split(*programs, ","), *model, *backend, *rows, *epochs, *batch, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// sample is one segment.
type sample struct{ whole, epoch float64 } // seconds

func measure(programs []string, model, backend string, rows, epochs, batch, rounds int) error {
	if models[model] == "" {
		return fmt.Errorf("no model %q", model)
	}
	dir, err := os.MkdirTemp("", "segment-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := write(dir, model, rows, epochs, batch); err != nil {
		return err
	}
	all, first := map[string][]sample{}, map[string]float64{}
	for range rounds {
		for _, p := range programs {
			s, start, err := apply(p, dir, backend, rows)
			if err != nil {
				return fmt.Errorf("%s: %w", p, err)
			}
			if all[p] = append(all[p], s...); first[p] == 0 || start < first[p] {
				first[p] = start
			}
		}
	}
	for _, p := range programs {
		s := all[p]
		fmt.Printf("%s: %d segments; epoch: smallest %.3f s, median %.3f s; segment: smallest %.3f s, median %.3f s; overhead: median %.3f s, %.1f %% of the epoch; first step after %.2f s, the smallest\n",
			p, len(s), of(s, 0, sample.of), of(s, 0.5, sample.of), of(s, 0, sample.all), of(s, 0.5, sample.all), of(s, 0.5, sample.over), 100*of(s, 0.5, sample.share), first[p])
	}
	return nil
}

func (s sample) of() float64    { return s.epoch }
func (s sample) all() float64   { return s.whole }
func (s sample) over() float64  { return s.whole - s.epoch }
func (s sample) share() float64 { return s.whole/s.epoch - 1 }

// of is a quantile of what f gives.
func of(all []sample, q float64, f func(sample) float64) float64 {
	v := make([]float64, len(all))
	for i, s := range all {
		v[i] = f(s)
	}
	slices.Sort(v)
	return v[int(q*float64(len(v)-1))]
}

var rate = regexp.MustCompile(`, (\d+) examples/s`)

// apply runs the spec on an empty store. The epoch that begins before the segment ahead of it has ended is measured, too, from
// end to end.
func apply(program, dir, backend string, rows int) (samples []sample, start float64, err error) {
	store, err := os.MkdirTemp(dir, "store-")
	if err != nil {
		return nil, 0, err
	}
	defer os.RemoveAll(store)
	cmd := exec.Command(program, "-C", dir, "apply", "-auto-approve", "-json", "-backend", backend)
	cmd.Env = append(os.Environ(), "MBUILD_CACHE="+store)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, 0, err
	}
	if err := cmd.Start(); err != nil {
		return nil, 0, err
	}
	var begin, last time.Time
	epoch := 0.0
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e struct{ Type, Address, Text, Result string }
		if json.Unmarshal(lines.Bytes(), &e) != nil || !strings.Contains(e.Address, "/segment[") {
			continue
		}
		switch m := rate.FindStringSubmatch(e.Text); {
		case e.Type == "action_started" && begin.IsZero():
			begin = time.Now()
		case e.Type == "action_progress" && start == 0:
			start = time.Since(begin).Seconds()
		case e.Type == "log" && m != nil:
			perSecond, _ := strconv.ParseFloat(m[1], 64) // digits
			epoch = float64(rows) / perSecond
		case e.Type == "action_finished":
			now := time.Now()
			if !last.IsZero() {
				samples = append(samples, sample{now.Sub(last).Seconds(), epoch})
			}
			last = now
		}
	}
	err = errors.Join(lines.Err(), cmd.Wait())
	if err == nil && len(samples) == 0 {
		err = errors.New("no segments")
	}
	return samples, start, err
}

// encoder is a transformer encoder of 2 blocks of 128 features and 4 heads over 64 positions of 16 numbers.
func encoder() string {
	var b strings.Builder
	layer := func(typ, name string, attrs ...string) {
		fmt.Fprintf(&b, "\n  layer %q %q {\n", typ, name)
		for i := 0; i < len(attrs); i += 2 {
			fmt.Fprintf(&b, "    %s = %s\n", attrs[i], attrs[i+1])
		}
		b.WriteString("  }")
	}
	layer("reshape", "positions", "shape", "[64, 16]")
	layer("dense", "x", "units", "128")
	x := "x"
	for i := range 2 {
		n := func(name string) string { return fmt.Sprintf("%s%d", name, i) }
		for _, name := range []string{"q", "k", "v"} {
			layer("dense", n(name), "units", "128", "inputs", fmt.Sprintf("[%q]", x))
		}
		layer("attention", n("attention"), "heads", "4", "inputs", fmt.Sprintf("[%q, %q, %q]", n("q"), n("k"), n("v")))
		layer("dense", n("out"), "units", "128")
		layer("add", n("s"), "inputs", fmt.Sprintf("[%q, %q]", x, n("out")))
		layer("layer_norm", n("n"))
		layer("dense", n("inner"), "units", "512", "activation", `"gelu_tanh"`)
		layer("dense", n("outer"), "units", "128")
		layer("add", n("t"), "inputs", fmt.Sprintf("[%q, %q]", n("n"), n("outer")))
		layer("layer_norm", n("y"))
		x = n("y")
	}
	layer("sequence_pool", "pool", "mode", `"mean"`)
	return b.String()
}

// models are layers by name.
var models = map[string]string{
	"large": `
  layer "flatten" "f" {}
  layer "dense" "a" {
    units      = 3072
    activation = "relu"
  }
  layer "dense" "b" {
    units      = 2176
    activation = "relu"
  }`,
	"mlp": `
  layer "flatten" "f" {}
  layer "dense" "a" {
    units      = 256
    activation = "relu"
  }`,
	"cnn": `
  layer "conv2d" "a" {
    filters    = 16
    kernel     = 3
    padding    = "same"
    activation = "relu"
  }
  layer "max_pool" "p" { kernel = 2 }
  layer "conv2d" "b" {
    filters    = 32
    kernel     = 3
    padding    = "same"
    activation = "relu"
  }
  layer "max_pool" "q" { kernel = 2 }
  layer "flatten" "f" {}`,
	"encoder": encoder(),
}

const spec = `
dataset "idx" "d" {
  images = "images"
  labels = "labels"
}
model "layers" "m" {
  input "pixels" {
    shape = [32, 32, 1]
    scale = 1 / 255
  }%s
  layer "dense" "c" { units = 10 }
}
train "supervised" "t" {
  graph  = model.layers.m.graph
  data   = dataset.idx.d.data
  loss   = "cross_entropy"
  epochs = %d
  batch  = %d
  optimizer "adam" { lr = 0.0001 }
}
target "safetensors" "s" {
  from = train.supervised.t.model
  path = "m.safetensors"
}
`

// write makes the spec, and random images with random labels.
func write(dir, model string, rows, epochs, batch int) error {
	r := rand.New(rand.NewPCG(1, 1))
	images := []byte{0, 0, 8, 3, 0, 0, byte(rows >> 8), byte(rows), 0, 0, 0, side, 0, 0, 0, side}
	labels := []byte{0, 0, 8, 1, 0, 0, byte(rows >> 8), byte(rows)}
	for range rows {
		labels = append(labels, byte(r.IntN(10)))
		for range side * side {
			images = append(images, byte(r.IntN(256)))
		}
	}
	return errors.Join(os.WriteFile(filepath.Join(dir, "images"), images, 0o644), os.WriteFile(filepath.Join(dir, "labels"), labels, 0o644),
		os.WriteFile(filepath.Join(dir, "spec.mbuild.hcl"), fmt.Appendf(nil, spec, models[model], epochs, batch), 0o644))
}
