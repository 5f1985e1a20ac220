package graphtest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"mbuild.dev/mbuild/stdlib/graph"
)

// Tokens makes a connected graph over sequences of a length: "ids" and "types", whole numbers, and "mask", 1 and then 0; and "x",
// [length, features] floats. Inputs that no layer takes are left out.
func Tokens(length, features int, layers ...graph.Layer) *graph.Graph {
	g := &graph.Graph{Layers: layers}
	for _, in := range sequenceInputs(length, features) {
		if slices.ContainsFunc(layers, func(l graph.Layer) bool { return slices.Contains(l.Inputs, in.Name) }) {
			g.Inputs = append(g.Inputs, in)
		}
	}
	g.Connect()
	return g
}

func sequenceInputs(length, features int) []graph.Input {
	return []graph.Input{
		{Name: "x", Shape: []int{length, features}, DType: graph.F32, Scale: 1},
		{Name: "ids", Shape: []int{length}, DType: graph.I32, Scale: 1},
		{Name: "types", Shape: []int{length}, DType: graph.I64, Scale: 1},
		{Name: "mask", Shape: []int{length}, DType: graph.I64, Scale: 1},
	}
}

// Values makes rows for the inputs of a graph: floats as normal says. Of whole numbers, what has a vocabulary is from 1 on and
// then 0, as texts are padded, and a mask is 1 and then 0; at least one position is not padded.
func Values(r *rand.Rand, g *graph.Graph, rows int, normal func() float64) map[string][]float32 {
	vocabulary := g.Vocabulary()
	all := map[string][]float32{}
	lengths := map[int]int{} // by row
	for _, in := range g.Inputs {
		n := graph.Size(in.Shape)
		v := make([]float32, rows*n)
		for i := range v {
			row := i / n
			if _, ok := lengths[row]; !ok && in.DType != graph.F32 {
				lengths[row] = 1 + r.IntN(n)
			}
			switch rowsOf := vocabulary[in.Name]; {
			case in.DType == graph.F32:
				v[i] = float32(normal())
			case i%n >= lengths[row]:
			case rowsOf == 2: // types
				v[i] = float32(r.IntN(2))
			default:
				v[i] = float32(1 + r.IntN(max(rowsOf-1, 1)))
			}
		}
		all[in.Name] = v
	}
	return all
}

// encoder is a block of a transformer encoder over features that heads divide: x -> x+9, norms before or after.
func encoder(name, from string, features, heads int, pre bool, attention ...any) []graph.Layer {
	n := func(s string) string { return name + s }
	var ls []graph.Layer
	add := func(op, s string, attrs ...any) { ls = append(ls, Layer(op, n(s), attrs...)) }
	in := from
	if pre {
		add("layer_norm", "_norm1", "inputs", from)
		in = n("_norm1")
	}
	for _, s := range []string{"_q", "_k", "_v"} {
		add("dense", s, "units", features, "inputs", in)
	}
	inputs := n("_q") + " " + n("_k") + " " + n("_v")
	for i := 0; i < len(attention); i += 2 {
		if attention[i] == "mask" {
			inputs += " " + attention[i+1].(string)
			attention = slices.Delete(slices.Clone(attention), i, i+2)
			break
		}
	}
	add("attention", "_attention", append([]any{"heads", heads, "inputs", inputs}, attention...)...)
	add("dense", "_out", "units", features)
	add("dropout", "_drop1", "rate", 0.25)
	add("add", "_sum1", "inputs", from+" "+n("_drop1"))
	last := n("_sum1")
	if pre {
		add("layer_norm", "_norm2")
	} else {
		add("layer_norm", "_norm1")
		last = n("_norm1")
	}
	add("dense", "_inner", "units", 2*features, "activation", "gelu")
	add("dense", "_outer", "units", features)
	add("add", "_sum2", "inputs", last+" "+n("_outer"))
	if !pre {
		add("layer_norm", "_norm2")
	}
	return ls
}

// Encoder is a small BERT: three embeddings, two blocks with the norm behind, a mask, and a head over the first position.
func Encoder() *graph.Graph {
	ls := []graph.Layer{Layer("embedding", "tokens", "vocabulary", 11, "units", 8, "inputs", "ids"), Layer("position_embedding", "positions", "positions", 9),
		Layer("type_embedding", "kinds", "types", 2, "inputs", "positions types"), Layer("layer_norm", "norm", "epsilon", 1e-12)}
	ls = append(ls, encoder("a", "norm", 8, 2, false, "mask", "mask")...)
	ls = append(ls, encoder("b", "a_norm2", 8, 2, false, "mask", "mask")...)
	return Tokens(7, 0, append(ls, Layer("sequence_pool", "pool", "mode", "first"), Layer("dense", "head", "units", 8, "activation", "tanh"), Layer("dense", "logits", "units", 3))...)
}

// Decoder is a small GPT: causal blocks with the norm in front, and the embedding for the output, too.
func Decoder(attention ...any) *graph.Graph {
	ls := []graph.Layer{Layer("embedding", "tokens", "vocabulary", 11, "units", 8, "inputs", "ids"), Layer("position_embedding", "positions", "positions", 10, "offset", 2)}
	ls = append(ls, encoder("a", "positions", 8, 2, true, append([]any{"causal", true}, attention...)...)...)
	ls = append(ls, Layer("layer_norm", "norm"), Layer("tied_dense", "logits", "embedding", "tokens", "use_bias", false))
	return Tokens(6, 0, ls...)
}

func (cs *cases) tokens(name string, length, features int, layers ...graph.Layer) {
	*cs = append(*cs, Case{strings.NewReplacer(" ", "_").Replace(name), Tokens(length, features, layers...)})
}

func (cs *cases) sequences() {
	dense := Layer("dense", "in", "units", 12, "inputs", "x")
	cs.tokens("dense of a sequence", 5, 3, Layer("dense", "l", "units", 4, "activation", "gelu", "inputs", "x"), Layer("dense", "m", "units", 2, "use_bias", false))
	for _, q := range []string{graph.DynamicInt8, graph.WeightOnlyInt8} {
		l := Layer("dense", "l", "units", 4, "inputs", "x")
		l.Quant = q
		cs.tokens("dense of a sequence "+q, 5, 3, l)
	}
	cs.tokens("embedding", 5, 0, Layer("embedding", "l", "vocabulary", 7, "units", 3, "inputs", "ids"))
	cs.tokens("embedding of one", 1, 0, Layer("embedding", "l", "vocabulary", 7, "units", 3, "init", "zeros", "inputs", "ids"), Layer("position_embedding", "p", "positions", 1))
	cs.tokens("positions", 4, 3, Layer("position_embedding", "l", "positions", 4, "inputs", "x"))
	cs.tokens("positions of more", 4, 3, Layer("position_embedding", "l", "positions", 9, "offset", 2, "inputs", "x"))
	cs.tokens("types", 4, 3, Layer("type_embedding", "l", "types", 2, "inputs", "x types"))
	cs.tokens("types without", 4, 3, Layer("type_embedding", "l", "types", 2, "inputs", "x"))
	cs.tokens("tied", 4, 0, Layer("embedding", "e", "vocabulary", 7, "units", 3, "inputs", "ids"), Layer("activation", "t", "function", "tanh"), Layer("tied_dense", "l", "embedding", "e"))
	cs.tokens("tied vector", 4, 0, Layer("embedding", "e", "vocabulary", 7, "units", 3, "inputs", "ids"), Layer("sequence_pool", "p", "mode", "mean"), Layer("tied_dense", "l", "embedding", "e", "use_bias", false))
	cs.tokens("padding mask", 5, 3, Layer("padding_mask", "m", "inputs", "ids"), Layer("sequence_pool", "l", "mode", "mean", "inputs", "x m"))
	cs.tokens("padding mask alone", 5, 3, Layer("padding_mask", "m", "pad", 3, "inputs", "ids"))
	for _, c := range []struct {
		name  string
		attrs []any
	}{
		{"plain", []any{"heads", 3}}, {"one head", []any{"heads", 1}}, {"masked", []any{"heads", 3, "mask", "mask"}}, {"causal", []any{"heads", 2, "causal", true}},
		{"causal masked", []any{"heads", 2, "causal", true, "mask", "mask"}}, {"rotary", []any{"heads", 2, "rotary", true}},
		{"rotary causal", []any{"heads", 3, "rotary", true, "rotary_base", 50, "causal", true}},
		{"dropped", []any{"heads", 2, "dropout", 0.5, "mask", "mask"}},
	} {
		inputs, attrs := "in in x", c.attrs
		if i := slices.Index(attrs, any("mask")); i >= 0 {
			attrs, inputs = slices.Delete(slices.Clone(attrs), i, i+2), inputs+" mask"
		}
		cs.tokens("attention "+c.name, 5, 6, dense, Layer("attention", "l", append(attrs, "inputs", inputs)...))
	}
	cs.add("attention across", []int{5, 4}, Layer("dense", "q", "units", 6), Layer("conv1d", "k", "filters", 6, "kernel", 2, "inputs", "x"), Layer("attention", "l", "heads", 2, "inputs", "q k k"))
	for _, op := range []string{"lstm", "gru"} {
		for i, returns := range graph.Returns {
			for _, both := range []bool{false, true} {
				inputs, masked := "x", ""
				if both == (i == 0) {
					inputs, masked = "x mask", " masked"
				}
				cs.tokens(fmt.Sprintf("%s %s %v%s", op, returns, both, masked), 4, 2, Layer(op, "l", "units", 3, "returns", returns, "bidirectional", both, "inputs", inputs))
			}
		}
		cs.tokens(op+" of one", 1, 2, Layer(op, "l", "units", 3, "inputs", "x"))
	}
	for _, mode := range graph.PoolModes {
		cs.tokens("pool "+mode, 5, 3, Layer("sequence_pool", "l", "mode", mode, "inputs", "x"))
		if mode != "first" {
			cs.tokens("pool "+mode+" masked", 5, 3, Layer("sequence_pool", "l", "mode", mode, "inputs", "x mask"))
		}
	}
	cs.one("line", "scale", []int{4, 3}, "factor", -1.25)
	cs.one("line", "l2_normalize", []int{4, 3})
	cs.add("dot", []int{6}, Layer("dense", "d", "units", 6), Layer("dot", "l", "scale", 2.5, "inputs", "x d"))
	cs.add("cosine", []int{3, 6}, Layer("dense", "d", "units", 6), Layer("l2_normalize", "a"), Layer("l2_normalize", "b", "inputs", "x"), Layer("dot", "l", "inputs", "a b"))

	*cs = append(*cs, Case{"net_encoder", Encoder()}, Case{"net_decoder_causal", Decoder()}, Case{"net_decoder_rotary", Decoder("rotary", true)})
	for _, store := range []graph.DType{graph.F16, graph.BF16} {
		g := Encoder()
		g.Layers = append(g.Layers[:len(g.Layers)-3:len(g.Layers)-3], Layer("lstm", "r", "units", 2, "bidirectional", true), Layer("gru", "s", "units", 8), Layer("tied_dense", "logits", "embedding", "tokens"))
		g.Outputs = nil
		for i := range g.Layers {
			g.Layers[i].Store = store
		}
		g.Connect()
		*cs = append(*cs, Case{"stored_sequence_" + string(store), g})
	}
	g := Encoder()
	for i := range g.Layers {
		if graph.Ops[g.Layers[i].Op].Quantizable {
			g.Layers[i].Quant = graph.WeightOnlyInt8
		}
	}
	*cs = append(*cs, Case{"weight_only_encoder", g})
	lm := Decoder()
	for i := range lm.Layers {
		if graph.Ops[lm.Layers[i].Op].Quantizable {
			lm.Layers[i].Quant = graph.WeightOnlyInt8
		}
	}
	lm.Layers = append(lm.Layers[:len(lm.Layers)-1:len(lm.Layers)-1], Layer("tied_dense", "again", "embedding", "tokens", "inputs", "norm"), lm.Layers[len(lm.Layers)-1])
	lm.Layers[len(lm.Layers)-1].Inputs, lm.Outputs = []string{"norm"}, []string{"logits", "again"}
	*cs = append(*cs, Case{"weight_only_decoder", lm})
	tagger := Tokens(6, 0, Layer("embedding", "e", "vocabulary", 9, "units", 4, "inputs", "ids"), Layer("padding_mask", "m", "inputs", "ids"), Layer("dropout", "d", "rate", 0.5, "inputs", "e"),
		Layer("lstm", "r", "units", 3, "bidirectional", true, "inputs", "d m"), Layer("dense", "o", "units", 5))
	towers := Tokens(5, 3, Layer("embedding", "e", "vocabulary", 9, "units", 4, "inputs", "ids"), Layer("sequence_pool", "a", "mode", "mean", "inputs", "e mask"), Layer("l2_normalize", "an"),
		Layer("flatten", "f", "inputs", "x"), Layer("dense", "b", "units", 4), Layer("l2_normalize", "bn"), Layer("dot", "o", "scale", 5, "inputs", "an bn"))
	towers.Outputs = []string{"o", "an", "bn"}
	*cs = append(*cs, Case{"net_tagger", tagger}, Case{"net_towers", towers})
}
