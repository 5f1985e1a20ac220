package learn

import (
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/graph"
)

// chunkElements bounds the elements of the largest tensor of a forward pass: 256 MB in float32.
const chunkElements = 1 << 26

// sequenceRows is how many sequences are computed at once, at most. All of them are padded to the longest: of 1,024 sentences, most of
// what is computed would be padding.
const sequenceRows = 64

// chunks deals the rows of data out to computations without training: in order, as many in each as chunk says; or, of sequences that
// may be padded to less than the graph's length, by length and at most sequenceRows in each.
func chunks(s *source, info *graph.Info, d *dataset.Data) [][]int {
	step := chunk(info)
	order := make([]int, d.Rows)
	for i := range order {
		order[i] = i
	}
	if s.free {
		step = min(step, sequenceRows)
		order = d.Of.ByLength(d, order, step)
	}
	var out [][]int
	for at := 0; at < d.Rows; at += step {
		out = append(out, order[at:min(at+step, d.Rows)])
	}
	return out
}

// chunk is how many rows are computed at once: Chunk of them, or fewer where a layer would need much memory for each. It is a
// function of the model alone. A convolution needs each input once for every position of its kernel, for it is computed as a
// matrix product.
func chunk(info *graph.Info) int {
	largest := 1
	for _, li := range info.Layers {
		n := max(graph.Size(li.Out), li.Peak)
		for _, p := range li.Params {
			if last := len(p.Shape) - 1; p.Name == "weight" && last > 1 {
				n = max(n, n/p.Shape[last]*graph.Size(p.Shape[:last]))
			}
		}
		largest = max(largest, n)
	}
	return max(1, min(Chunk, chunkElements/largest))
}
