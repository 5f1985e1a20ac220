package learn

import (
	"testing"
	"time"

	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/graph"
	"mbuild.dev/mbuild/stdlib/graph/graphtest"
)

func TestChunk(t *testing.T) {
	l := graphtest.Layer
	for _, c := range []struct {
		g    *graph.Graph
		want int
	}{
		{graphtest.Over([]int{64}, l("dense", "a", "units", 128)), Chunk},
		{graphtest.Over([]int{28, 28, 16}, l("conv2d", "a", "filters", 16, "kernel", 3, "padding", "same")), (1 << 26) / (28 * 28 * 9 * 16)},
		{graphtest.Over([]int{4096, 4096, 16}, l("max_pool", "a", "kernel", 1)), 1},
	} {
		info, err := graph.Infer(c.g)
		if err != nil {
			t.Fatal(err)
		}
		if got := chunk(info); got != c.want {
			t.Errorf("%v: %d rows at once, want %d", info.Shapes, got, c.want)
		}
	}
}

// TestChunksOfSequences: all rows once, at most sequenceRows in each piece, and little of what is computed is padding: of 2,000 rows of 1 to
// 12 tokens, padded to 4, 8 or 12, most would be padded to 12 in pieces of Chunk.
func TestChunksOfSequences(t *testing.T) {
	l := graphtest.Layer
	g, info := over(t, attentive(l("sequence_pool", "pool", "mode", "max", "inputs", "n mask"), l("dense", "logits", "units", 2))...)
	d := words(2000, false)
	s, err := newSource(g, d)
	if err != nil {
		t.Fatal(err)
	}
	seen, computed, tokens := make([]int, d.Rows), 0, len(d.Tokens["text"].IDs)
	for _, rows := range chunks(s, info, d) {
		if len(rows) > sequenceRows {
			t.Errorf("%d rows at once", len(rows))
		}
		for _, r := range rows {
			seen[r]++
		}
		computed += len(rows) * s.lengths(d, rows)["text"]
	}
	for r, n := range seen {
		if n != 1 {
			t.Fatalf("row %d is computed %d times", r, n)
		}
	}
	// of lengths 1 to 4, 5 to 8 and 9 to 12 the mean is 2.5, 6.5 and 10.5: 19.5 of 24
	if least := tokens * 24 / 19; computed > least {
		t.Errorf("%d positions are computed for %d tokens, want at most %d", computed, tokens, least)
	}
}

// BenchmarkPredict is the forward pass over 600 sentences of about 20 tokens, as many at once as chunks says, and 600, by turns.
func BenchmarkPredict(b *testing.B) {
	c := encoder{rows: 600, length: 64, units: 64, heads: 4, inner: 128, vocabulary: 1500, blocks: 2}
	g, info := c.graph(b)
	full := c.data(c.rows)
	t, short := full.Tokens["text"], &dataset.Tokens{}
	full.Of.Sequences[0].Lengths = []int{8, 12, 16, 20, 24, 28, 32, 36, 40, 48, 56, 64}
	r := mlx.NewRandom(5, "lengths")
	for row := range c.rows { // the sum of two: a hump at a quarter, and few that are long
		n := min(4+int(r.Below(18))+int(r.Below(18)), c.length)
		if r.Below(30) == 0 {
			n = c.length
		}
		short.IDs = append(short.IDs, t.IDs[row*c.length:row*c.length+n]...)
		short.Ends = append(short.Ends, int64(len(short.IDs)))
	}
	full.Tokens["text"] = short
	s := session(b)
	p, err := NewPredictor(s, &bundle.Model{Graph: g, Info: info, Params: Init(info, 1)}, full)
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	all := make([]int, c.rows)
	for i := range all {
		all[i] = i
	}
	spent := map[bool]time.Duration{}
	run := func(pieces [][]int) time.Duration {
		start := time.Now()
		for _, rows := range pieces {
			a := &arguments{session: s}
			p.source.put(a, full, rows, p.source.lengths(full, rows))
			if a.err != nil {
				b.Fatal(a.err)
			}
			if _, err := p.run.Run(a.tensors); err != nil {
				b.Fatal(err)
			}
			if err := release(a.tensors); err != nil {
				b.Fatal(err)
			}
		}
		return time.Since(start)
	}
	run([][]int{all})
	run(chunks(p.source, info, full))
	for b.Loop() {
		spent[false] += run([][]int{all})
		spent[true] += run(chunks(p.source, info, full))
	}
	b.ReportMetric(float64(spent[false])/float64(spent[true]), "times-faster")
}
