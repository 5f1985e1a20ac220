package graph

import "fmt"

// Info is what follows from a Graph.
type Info struct {
	Shapes map[string][]int      // by input or layer, without the batch dimension
	Layers map[string]*LayerInfo // by layer

	Parameters int64 // elements of all parameters
	Trainable  int64 // of these, the ones that training changes
	Bytes      int64 // of all parameters
	FLOPs      int64 // for one example, forward; a multiplication and an addition count as two
}

// LayerInfo is what follows for one layer.
type LayerInfo struct {
	In     [][]int
	Out    []int
	Params []Param
	FLOPs  int64
}

// Infer checks a graph and derives shapes, parameters and costs. Errors are *Error where a layer does not fit.
func Infer(g *Graph) (*Info, error) {
	info := &Info{Shapes: map[string][]int{}, Layers: map[string]*LayerInfo{}}
	if len(g.Inputs) == 0 {
		return nil, fmt.Errorf("the model has no input: add input \"NAME\" { shape = [ … ] }")
	}
	for _, in := range g.Inputs {
		if info.Shapes[in.Name] != nil {
			return nil, fmt.Errorf("there are two inputs named %q", in.Name)
		}
		if len(in.Shape) == 0 || Size(in.Shape) <= 0 || Size(in.Shape) > 1<<30 {
			return nil, fmt.Errorf("input %q has shape %v: each dimension must be at least 1", in.Name, in.Shape)
		}
		info.Shapes[in.Name] = in.Shape
	}
	if len(g.Layers) == 0 {
		return nil, fmt.Errorf("the model has no layers")
	}
	for i := range g.Layers {
		if err := info.layer(&g.Layers[i]); err != nil {
			return nil, err
		}
	}
	for _, out := range g.Outputs {
		if info.Layers[out] == nil {
			return nil, fmt.Errorf("the output %q is no layer", out)
		}
	}
	if len(g.Outputs) == 0 {
		return nil, fmt.Errorf("the model has no output")
	}
	return info, nil
}

func (info *Info) layer(l *Layer) error {
	if info.Shapes[l.Name] != nil {
		return fmt.Errorf("the name %q is used twice; layers and inputs need names of their own", l.Name)
	}
	op := Ops[l.Op]
	if op == nil {
		return fmt.Errorf("there is no layer type %q", l.Op)
	}
	li := &LayerInfo{}
	for _, in := range l.Inputs {
		shape := info.Shapes[in]
		if shape == nil {
			return &Error{Layer: l.Name, Op: l.Op, Needs: "inputs that come before it", Got: fmt.Sprintf("there is no layer or input %q before it", in)}
		}
		li.In = append(li.In, shape)
	}
	if len(li.In) < op.MinInputs || op.MaxInputs > 0 && len(li.In) > op.MaxInputs {
		return &Error{Layer: l.Name, Op: l.Op, Needs: op.inputsText(), Got: fmt.Sprintf("it has %d", len(li.In))}
	}
	if err := op.Infer(l, li); err != nil {
		if e, ok := err.(*Error); ok {
			e.Layer, e.Op = l.Name, l.Op
			if e.Got == "" {
				e.Got = fmt.Sprintf("%q gives %s", l.Inputs[0], ShapeText(li.In[0]))
			}
		}
		return err
	}
	li.Params = stored(l, li.Params)
	info.Shapes[l.Name], info.Layers[l.Name] = li.Out, li
	info.FLOPs += li.FLOPs
	for _, p := range li.Params {
		n := int64(Size(p.Shape))
		info.Parameters += n
		info.Bytes += n * int64(p.DType.Size())
		if p.Trainable {
			info.Trainable += n
		}
	}
	return nil
}

// stored applies the layer's quantisation and storage type to its parameters.
func stored(l *Layer, params []Param) []Param {
	var out []Param
	for _, p := range params {
		switch {
		case l.Quant != "" && p.Name == "weight":
			cols := p.Shape[len(p.Shape)-1]
			out = append(out, Param{Name: "weight", Shape: p.Shape, DType: I8},
				Param{Name: "weight_scale", Shape: []int{cols}, DType: F32})
		case l.Store != "" && p.DType == F32:
			p.DType = l.Store
			out = append(out, p)
		default:
			out = append(out, p)
		}
	}
	return out
}
