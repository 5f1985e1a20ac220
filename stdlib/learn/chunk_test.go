package learn

import (
	"testing"

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
