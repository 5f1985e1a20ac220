package learn

import (
	"context"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/executor/mlx/mlxtest"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/graph"
)

// features are the rows of the table in docs/benchmarks.md: what each costs beside the plain step.
var features = []struct {
	name   string
	change func(*Config)
}{
	{"plain", func(*Config) {}},
	{"accumulate=2", func(c *Config) { c.Accumulate = 2 }},
	{"accumulate=8", func(c *Config) { c.Accumulate = 8 }},
	{"clip_norm", func(c *Config) { c.ClipNorm = 1 }},
	{"clip_value", func(c *Config) { c.ClipValue = 1 }},
	{"ema", func(c *Config) { c.EMA = &EMA{Decay: 0.999} }},
	{"checkpoint=1", func(c *Config) { c.Remat = 1 }},
	{"checkpoint=3", func(c *Config) { c.Remat = 3 }},
	{"bfloat16", func(c *Config) { c.Precision = "bfloat16" }},
	{"float16", func(c *Config) { c.Precision = "float16" }},
	{"frozen half", func(c *Config) { c.Groups = []Group{{Match: []string{"a", "b", "c", "d"}, Freeze: true}} }},
}

// featureBatch is a batch whose activations are most of the memory that a step needs; on XLA compilation needs some, too.
func featureBatch() int {
	if mlxtest.Name() == mlx.Go {
		return 1024
	}
	return 8192
}

func featureTrainer(b *testing.B, g *graph.Graph, info *graph.Info, d *dataset.Data, change func(*Config)) *Trainer {
	c := Config{Loss: "cross_entropy", Batch: featureBatch(), Shuffle: true, Optimizer: Optimizer{Type: "adam", LR: 1e-3, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8}}
	change(&c)
	tr, err := NewTrainer(session(b), g, info, c, d, &State{Params: Init(info, 1)}, nil)
	if err != nil {
		b.Fatal(err)
	}
	return tr
}

func epochOf(b *testing.B, tr *Trainer) time.Duration {
	begin := time.Now()
	if _, err := tr.Epoch(context.Background(), nil); err != nil {
		b.Fatal(err)
	}
	return time.Since(begin)
}

// BenchmarkFeatures trains a model of eight layers of 512, and for each feature reports the largest memory of an epoch, and then the
// fastest step by turns with the plain one. On XLA memory is that of the process, which keeps what it had: there each feature
// needs a process of its own.
func BenchmarkFeatures(b *testing.B) {
	g, info := benchGraph(b, []int{256, 512, 512, 512, 512, 512, 512, 512, 10})
	const steps = 2
	d := blobs(featureBatch()*steps, 256, 10)
	for _, f := range features {
		b.Run(strings.ReplaceAll(f.name, " ", "_"), func(b *testing.B) {
			session(b)
			peak := peakHeap
			if mlxtest.Name() != mlx.Go {
				peak = peakResident
			}
			top := peak(func() { epochOf(b, featureTrainer(b, g, info, d, f.change)) })
			plain, with := featureTrainer(b, g, info, d, features[0].change), featureTrainer(b, g, info, d, f.change)
			epochOf(b, plain)
			epochOf(b, with)
			least, own := time.Duration(math.MaxInt64), time.Duration(math.MaxInt64)
			for b.Loop() {
				least, own = min(least, epochOf(b, plain)), min(own, epochOf(b, with))
			}
			b.ReportMetric(top, "MB")
			b.ReportMetric(own.Seconds()*1000/steps, "ms/step")
			b.ReportMetric(float64(own)/float64(least), "times-plain")
		})
	}
}

// peakResident is how much resident memory the process has at most while f runs, beyond what it had, in MB.
func peakResident(f func()) float64 {
	base := resident("VmRSS")
	f()
	return resident("VmHWM") - base
}

// resident reads a line of Linux's account of this process.
func resident(what string) float64 {
	text, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, what+":"); ok {
			kb, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(v), " kB"))
			return float64(kb) / 1000
		}
	}
	return math.NaN()
}

// peakHeap is the largest heap in MB while f runs, beyond what was there, the collector being eager.
func peakHeap(f func()) float64 {
	defer debug.SetGCPercent(debug.SetGCPercent(5))
	runtime.GC()
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	base, top := m.HeapAlloc, uint64(0)
	done, stopped := make(chan bool), make(chan bool)
	go func() {
		defer close(stopped)
		for {
			select {
			case <-done:
				return
			case <-time.After(2 * time.Millisecond):
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				top = max(top, m.HeapAlloc)
			}
		}
	}()
	f()
	close(done)
	<-stopped
	return float64(top-min(base, top)) / 1e6
}
