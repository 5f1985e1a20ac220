package learn

import (
	"bytes"
	"context"
	"flag"
	"regexp"
	"testing"
	"time"

	"k8s.io/klog/v2"

	"mbuild.dev/mbuild/executor/mlx/mlxtest"
)

// BenchmarkStart says where the time of a worker goes until its first step is done, beside the start of its process and reading the
// data: opening the backend (of XLA: loading the plugin, and its client), initial weights, the trainer (state onto the device, graphs
// of the step with its gradients where they are built ahead), building the rest of the graphs and writing them down for XLA, compiling
// by the plugin (0 on other backends), and running a step. Programs are compiled anew in each round; the backend is opened once by a
// process, before the first.
//
//	MBUILD_TEST_BACKEND=xla:cpu MBUILD_PJRT_CPU=plugin.so go test -tags xla -run xxx -bench Start/encoder -benchtime 1x ./stdlib/learn
func BenchmarkStart(b *testing.B) {
	said := logOfXLA(b)
	begin := time.Now()
	session := mlxtest.Open(b)
	opened := time.Since(begin)
	for name, m := range benchModels {
		b.Run(name, func(b *testing.B) {
			g, info := m.graph(b)
			d := m.data(m.batch)
			c := Config{Loss: "cross_entropy", Batch: m.batch, Shuffle: true, Seed: 3, Optimizer: Optimizer{Type: "adam", LR: 0.001, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8}}
			took := map[string]time.Duration{"open": opened * time.Duration(b.N)}
			programs := 0
			for range b.N {
				at := time.Now()
				lap := func(name string) {
					now := time.Now()
					took[name] += now.Sub(at)
					at = now
				}
				compiled := func(within string) {
					klog.Flush()
					for _, m := range compilation.FindAllSubmatch(said.Bytes(), -1) {
						if d, err := time.ParseDuration(string(m[1])); err == nil {
							took["compile"], took[within], programs = took["compile"]+d, took[within]-d, programs+1
						}
					}
					said.Reset()
				}
				params := Init(info, c.Seed)
				lap("weights")
				tr, err := NewTrainer(session, g, info, c, d, &State{Params: params}, nil)
				if err != nil {
					b.Fatal(err)
				}
				lap("trainer")
				compiled("trainer")
				if _, err := tr.Epoch(context.Background(), nil); err != nil {
					b.Fatal(err)
				}
				lap("graph")
				compiled("graph")
				at = time.Now()
				if _, err := tr.Epoch(context.Background(), nil); err != nil {
					b.Fatal(err)
				}
				step := time.Since(at)
				took["step"], took["graph"] = took["step"]+step, took["graph"]-step
			}
			for name, d := range took {
				b.ReportMetric(float64(d.Microseconds())/1000/float64(b.N), name+"-ms")
			}
			b.ReportMetric(float64(programs)/float64(b.N), "programs")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// compilation is what go-xla logs when the plugin has compiled a program.
var compilation = regexp.MustCompile(`Compiled in (\S+)`)

// logOfXLA makes go-xla tell how long the plugin compiles.
func logOfXLA(b *testing.B) *bytes.Buffer {
	flags := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(flags)
	for name, v := range map[string]string{"v": "1", "logtostderr": "false", "stderrthreshold": "FATAL"} {
		if err := flags.Set(name, v); err != nil {
			b.Fatal(err)
		}
	}
	said := &bytes.Buffer{}
	klog.SetOutput(said)
	return said
}
