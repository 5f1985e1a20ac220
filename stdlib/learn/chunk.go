package learn

import "mbuild.dev/mbuild/stdlib/graph"

// chunkElements bounds the elements of the largest tensor of a forward pass: 256 MB in float32.
const chunkElements = 1 << 26

// chunk is how many rows are computed at once: Chunk of them, or fewer where a layer would need much memory for each. It is a
// function of the model alone. A convolution needs each input once for every position of its kernel, for it is computed as a
// matrix product.
func chunk(info *graph.Info) int {
	largest := 1
	for _, li := range info.Layers {
		n := graph.Size(li.Out)
		for _, p := range li.Params {
			if last := len(p.Shape) - 1; p.Name == "weight" && last > 1 {
				n = max(n, n/p.Shape[last]*graph.Size(p.Shape[:last]))
			}
		}
		largest = max(largest, n)
	}
	return max(1, min(Chunk, chunkElements/largest))
}
