package learn

import (
	"context"
	"math"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

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

func featureTrainer(b *testing.B, g *graph.Graph, info *graph.Info, d *dataset.Data, change func(*Config)) *Trainer {
	c := Config{Loss: "cross_entropy", Batch: 1024, Shuffle: true, Optimizer: Optimizer{Type: "adam", LR: 1e-3, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8}}
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

// BenchmarkFeatures trains a model of eight layers with activations of 2 MB each, by turns with each feature, and reports the
// fastest step of each against the plain one, and the largest live heap.
func BenchmarkFeatures(b *testing.B) {
	g, info := benchGraph(b, []int{256, 512, 512, 512, 512, 512, 512, 512, 10})
	const steps = 2
	d := blobs(1024*steps, 256, 10)
	peaks := make([]float64, len(features))
	best := make([]time.Duration, len(features))
	for i, f := range features {
		peaks[i], best[i] = peakHeap(func() { epochOf(b, featureTrainer(b, g, info, d, f.change)) }), math.MaxInt64
	}
	trainers := make([]*Trainer, len(features))
	for i, f := range features {
		trainers[i] = featureTrainer(b, g, info, d, f.change)
		epochOf(b, trainers[i])
	}
	for b.Loop() {
		for i, tr := range trainers {
			best[i] = min(best[i], epochOf(b, tr))
		}
	}
	for i, f := range features {
		b.Logf("%-14s %7.1f ms/step  %5.2f x  %6.1f MB", f.name, best[i].Seconds()*1000/steps, float64(best[i])/float64(best[0]), peaks[i])
	}
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
