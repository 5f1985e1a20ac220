package graph

import "fmt"

// embedding: [batch, length] of whole numbers -> [batch, length, units], the rows of a table.
//
//	weight  [vocabulary, units], trainable; init: one of Inits
//	attrs   vocabulary (1 to 2^24), units, init (normal)
//
// What is given must be from 0 to vocabulary - 1. Who feeds a model checks that (Vocabulary): a backend may take another row.
//
// position_embedding: [batch, length, units] -> the same, with row offset + i of a table added at position i.
//
//	weight  [positions, units]; length + offset is at most positions
//	attrs   positions, offset (0), init (normal)
//
// type_embedding: [batch, length, units] and the type of each position, [batch, length] of whole numbers -> the first, with the
// type's row of a table added; that of type 0 where there is no second input.
//
//	weight  [types, units]
//	attrs   types, init (normal)
//
// tied_dense: [.., units] -> [.., vocabulary], x E^T + b, where E is the weight of an embedding (Press and Wolf 2017), scaled back
// where that is quantised.
//
//	bias    [vocabulary], zeros; without it when use_bias is false
//	attrs   embedding (the name of the layer), use_bias (true)
//
// padding_mask: [batch, length] of whole numbers -> the same in float32, 0 where there is pad and 1 elsewhere; attrs pad (0).

// maxVocabulary is the number of whole numbers that float32 has without a gap: ids pass through it.
const maxVocabulary = 1 << 24

// table is the weight of an embedding of so many rows.
func table(l *Layer, li *LayerInfo, rows, units int) error {
	init := l.Text("init", "normal")
	if err := known("init", init, Inits); err != nil {
		return err
	}
	li.Params = []Param{{Name: "weight", Shape: []int{rows, units}, DType: F32, Trainable: true, Init: Init{Kind: init, FanIn: rows, FanOut: units}}}
	return nil
}

func inferEmbedding(l *Layer, li *LayerInfo) error {
	rows, units := l.Int("vocabulary"), l.Int("units")
	if rows < 1 || rows > maxVocabulary || units < 1 {
		return &Error{Needs: "a vocabulary of 1 to 2^24 and units of at least 1", Got: fmt.Sprintf("it has %d and %d", rows, units)}
	}
	li.Out = append(append([]int(nil), li.In[0]...), units)
	return table(l, li, rows, units)
}

func inferPositions(l *Layer, li *LayerInfo) error {
	rows, offset, length := l.Int("positions"), l.Int("offset"), li.In[0][0]
	if offset < 0 || rows < 1 || rows > maxVocabulary || offset > rows-length {
		return &Error{Needs: fmt.Sprintf("positions for the whole sequence, %d and offset = %d before them", length, offset), Got: fmt.Sprintf("it has %d", rows), Fix: "raise positions, or shorten the input"}
	}
	li.FLOPs = int64(Size(li.In[0]))
	li.Out = li.In[0]
	return table(l, li, rows, li.In[0][1])
}

func inferTypes(l *Layer, li *LayerInfo) error {
	rows := l.Int("types")
	switch {
	case rows < 1 || rows > maxVocabulary:
		return &Error{Needs: "types of at least 1", Got: fmt.Sprintf("it has %d", rows)}
	case len(li.In) == 2 && li.Types[1] == F32:
		return &Error{Needs: "types that are whole numbers", Got: fmt.Sprintf("%q gives %s", l.Inputs[1], F32)}
	}
	if err := steps(l, li, 1, 0); err != nil {
		return err
	}
	li.FLOPs = int64(Size(li.In[0]))
	li.Out = li.In[0]
	return table(l, li, rows, li.In[0][1])
}

func inferTied(l *Layer, li *LayerInfo) error {
	last := len(li.In[0]) - 1
	if units := li.tied[1]; li.In[0][last] != units {
		return &Error{Needs: fmt.Sprintf("as many features as the embedding has units, %d", units)}
	}
	li.Out = append(append([]int(nil), li.In[0][:last]...), li.tied[0])
	li.FLOPs = product(append([]int{2, li.tied[1]}, li.Out...)...)
	if l.Flag("use_bias", true) {
		li.Params = []Param{{Name: "bias", Shape: []int{li.tied[0]}, DType: F32, Trainable: true, Init: Init{Kind: "zeros"}}}
		li.FLOPs += product(li.Out...)
	}
	return nil
}

func inferPaddingMask(l *Layer, li *LayerInfo) error {
	if p := l.Int("pad"); p < 0 || p >= maxVocabulary {
		return &Error{Needs: "a pad of 0 or more", Got: fmt.Sprintf("it has %d", p)}
	}
	return same(li)
}

// steps checks that the k-th input, if it is there, has an element for each position of the one called of.
func steps(l *Layer, li *LayerInfo, k, of int) error {
	if k < len(li.In) && li.In[k][0] != li.In[of][0] {
		return &Error{Needs: "inputs of one length", Got: fmt.Sprintf("%q gives %s and %q gives %s", l.Inputs[of], ShapeText(li.In[of]), l.Inputs[k], ShapeText(li.In[k]))}
	}
	return nil
}

// Vocabulary says of each input of whole numbers how many there are, from 0, that the graph has rows for: the fewest of all
// embeddings that take it. Inputs that only masks are made of are not in it.
func (g *Graph) Vocabulary() map[string]int {
	out := map[string]int{}
	g = g.Unshared()
	for i := range g.Inputs {
		name := g.Inputs[i].Name
		for k := range g.Layers {
			l, rows := &g.Layers[k], 0
			switch {
			case l.Op == "embedding" && l.Inputs[0] == name:
				rows = l.Int("vocabulary")
			case l.Op == "type_embedding" && len(l.Inputs) > 1 && l.Inputs[1] == name:
				rows = l.Int("types")
			}
			if rows > 0 && (out[name] == 0 || rows < out[name]) {
				out[name] = rows
			}
		}
	}
	return out
}
