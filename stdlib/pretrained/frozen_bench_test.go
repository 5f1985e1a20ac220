package pretrained

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/executor/mlx/mlxtest"
	"mbuild.dev/mbuild/stdlib/adapt"
	"mbuild.dev/mbuild/stdlib/artifact/adapter"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/graph"
	"mbuild.dev/mbuild/stdlib/learn"
)

// frozenForms are the rows of the table in docs/benchmarks.md: what of an encoder is trained.
var frozenForms = []struct {
	name   string
	freeze []string        // patterns of layers
	adapt  *adapter.Config // nil for none
}{
	{"all", nil, nil},
	{"all but embeddings", []string{"tokens", "positions", "types", "embeddings_norm"}, nil},
	{"upper half", []string{"tokens", "positions", "types", "embeddings_norm", "layer0_*", "layer1_*", "layer2_*"}, nil},
	{"head", []string{"tokens", "positions", "types", "embeddings_norm", "layer*"}, nil},
	{"LoRA of queries and values, rank 8", nil, &adapter.Config{Type: adapter.LoRA, Targets: []string{"*_query", "*_value"}, Rank: 8, Alpha: 16, ModulesToSave: []string{"pooler", "classifier"}}},
	{"LoRA of all dense layers, rank 8", nil, &adapter.Config{Type: adapter.LoRA, Targets: []string{"layer*_query", "layer*_key", "layer*_value", "layer*_output", "layer*_inner", "layer*_outer"}, Rank: 8, Alpha: 16, ModulesToSave: []string{"pooler", "classifier"}}},
	{"adapters of width 64", nil, &adapter.Config{Type: adapter.Bottleneck, Targets: []string{"layer*_output", "layer*_outer"}, Width: 64, Activation: "gelu", ModulesToSave: []string{"pooler", "classifier"}}},
}

// BenchmarkFrozen trains an encoder of MiniLM's size (6 x 384, 30,522 tokens), sequences of 64, batches of 8, by turns in each form. It
// reports the fastest step of each against that of the whole, how many parameters are trained, what the state of training holds beside
// the model, and the largest heap.
func BenchmarkFrozen(b *testing.B) {
	const length, rows, steps = 64, 8, 2
	l, err := build(&Config{family: bert, Type: "bert", Architecture: "BertForSequenceClassification", Vocabulary: 30522, Units: 384, Layers: 6, Heads: 12, Inner: 1536, Positions: 512, Types: 2,
		Activation: "gelu", Epsilon: 1e-12, Labels: 2}, Options{Length: length}, func(string) bool { return true })
	if err != nil {
		b.Fatal(err)
	}
	info, err := graph.Infer(l.g)
	if err != nil {
		b.Fatal(err)
	}
	base := &bundle.Model{Graph: l.g, Info: info, Params: learn.Init(info, 1)}
	data := tokens(rows*steps, length)
	peaks, best := make([]float64, len(frozenForms)), make([]time.Duration, len(frozenForms))
	numbers := make([]string, len(frozenForms))
	epoch := func(tr *learn.Trainer) time.Duration {
		begin := time.Now()
		if _, err := tr.Epoch(context.Background(), nil); err != nil {
			b.Fatal(err)
		}
		return time.Since(begin)
	}
	form := func(i int) *learn.Trainer {
		c := learn.Config{Loss: "cross_entropy", Batch: rows, Optimizer: learn.Optimizer{Type: "adamw", LR: 1e-4, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8}}
		g, params := base.Graph, base.Params
		if f := frozenForms[i]; f.freeze != nil {
			c.Groups = []learn.Group{{Match: f.freeze, Freeze: true}}
		} else if f.adapt != nil {
			a, err := adapt.New(base, "", *f.adapt, 1)
			if err != nil {
				b.Fatal(err)
			}
			m, err := a.Over(base, "")
			if err != nil {
				b.Fatal(err)
			}
			g, params = m.Graph, m.Params
			if c.Only, err = adapt.Trained(g, &a.Config); err != nil {
				b.Fatal(err)
			}
		}
		info, err := graph.Infer(g)
		if err != nil {
			b.Fatal(err)
		}
		tr, err := learn.NewTrainer(mlxtest.Open(b), g, info, c, data, &learn.State{Params: params}, nil)
		if err != nil {
			b.Fatal(err)
		}
		trained := 0
		for name, li := range info.Layers {
			for _, p := range li.Params {
				if p.Trainable && c.Trains(name, p.Name) {
					trained += graph.Size(p.Shape)
				}
			}
		}
		numbers[i] = fmt.Sprintf("%6.2f M trained, %6.1f MB of moments", float64(trained)/1e6, float64(8*trained)/1e6)
		return tr
	}
	for i := range frozenForms {
		best[i] = math.MaxInt64
		peaks[i] = peakHeap(func() { epoch(form(i)) })
	}
	trainers := make([]*learn.Trainer, len(frozenForms))
	for i := range frozenForms {
		trainers[i] = form(i)
		epoch(trainers[i])
	}
	for b.Loop() {
		for i, tr := range trainers {
			best[i] = min(best[i], epoch(tr))
		}
	}
	for i, f := range frozenForms {
		b.Logf("%-36s %7.1f ms/step  %5.2f x  %s  %7.1f MB heap", f.name, best[i].Seconds()*1000/steps, float64(best[i])/float64(best[0]), numbers[i], peaks[i])
	}
}

// tokens are rows of random tokens of full length, with classes.
func tokens(rows, length int) *dataset.Data {
	r := mlx.NewRandom(1, "tokens")
	t := &dataset.Tokens{}
	d := &dataset.Data{Rows: rows, Tokens: map[string]*dataset.Tokens{"text": t}, Of: &dataset.Manifest{
		Sequences: []dataset.Sequence{{Name: "text", MaxLength: length, Lengths: []int{length}, VocabSize: 30522, Tokenizer: "sha256:" + strings.Repeat("0", 64)}},
		Inputs: []dataset.Input{{Name: idsInput, Shape: []int{length}, DType: "I32", Sequence: "text", Part: dataset.PartIDs},
			{Name: maskInput, Shape: []int{length}, DType: "I32", Sequence: "text", Part: dataset.PartMask}},
		Label: &dataset.Label{Name: "y", Kind: "class", Classes: []string{"no", "yes"}}}}
	for row := range rows {
		for range length {
			t.IDs = append(t.IDs, int32(r.Below(30522)))
		}
		t.Ends, d.Source, d.Classes = append(t.Ends, int64(len(t.IDs))), append(d.Source, int64(row)), append(d.Classes, int32(row%2))
	}
	return d
}

// peakHeap is the largest heap in MB while f runs, beyond what was there.
func peakHeap(f func()) float64 {
	defer debug.SetGCPercent(debug.SetGCPercent(10))
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
