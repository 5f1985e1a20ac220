package learn

import (
	"math"

	"mbuild.dev/mbuild/stdlib/graph"
)

// CheckLayerDecay holds LayerDecay against a graph: it needs blocks. A *Misfit.
func (c *Config) CheckLayerDecay(g *graph.Graph) error {
	if c.LayerDecay != 0 && c.depths(g) == nil {
		return misfit("layer_decay", "layer_decay is about a stack of blocks, which are layers called layer0_…, layer1_… as those of model \"pretrained\", std/bert, std/transformer_encoder and std/transformer_decoder are, and the model has none. Write a group with lr_scale for each part")
	}
	return nil
}

// depths are factors of the learning rate by layer, 1 for those that are not in it: LayerDecay to the power of how many parts of the
// model lie between the layer and the head, where a part is a block, or all that comes before the first (Clark et al. 2020; Bao et
// al. 2022). What comes behind the last block has the whole rate, the last block LayerDecay, the first of n LayerDecay^n, and what
// comes before it LayerDecay^(n+1). nil for a model without blocks.
func (c *Config) depths(g *graph.Graph) map[string]float64 {
	blocks, first := 0, -1
	for i, l := range g.Layers {
		if n, _, ok := graph.Block(l.Name); ok {
			if first < 0 {
				first = i
			}
			blocks = max(blocks, n+1)
		}
	}
	if first < 0 {
		return nil
	}
	out := map[string]float64{}
	for i, l := range g.Layers {
		if n, _, ok := graph.Block(l.Name); ok {
			out[l.Name] = math.Pow(c.LayerDecay, float64(blocks-n))
		} else if i < first {
			out[l.Name] = math.Pow(c.LayerDecay, float64(blocks+1))
		}
	}
	return out
}
