package reference

import (
	"fmt"
	"math"

	"mbuild.dev/mbuild/stdlib/graph"
)

// embedding takes rows of a table; it is an error to ask for one that is not there.
func (p *pass) embedding(l *graph.Layer, ids []float32) ([]float32, error) {
	w, units := p.table(l), p.last(l.Name)
	y := make([]float32, 0, len(ids)*units)
	for _, id := range ids {
		row, err := index(l, id, len(w)/units)
		if err != nil {
			return nil, err
		}
		y = append(y, w[row*units:(row+1)*units]...)
	}
	return y, nil
}

// table is the weight of an embedding, scaled back where it is quantised.
func (p *pass) table(l *graph.Layer) []float32 {
	if l.Quant != "" {
		return dequantize(p.model.Params[l.Name]["weight"].Data, p.param(l, "weight_scale"))
	}
	return p.param(l, "weight")
}

func index(l *graph.Layer, id float32, rows int) (int, error) {
	if row := int(id); float32(row) == id && row >= 0 && row < rows {
		return row, nil
	}
	return 0, fmt.Errorf("layer %q is asked for row %v, and has rows 0 to %d", l.Name, id, rows-1)
}

// addRows adds to each position of x the row of a table that is said for it.
func (p *pass) addRows(l *graph.Layer, x []float32, row func(i int) (int, error)) ([]float32, error) {
	w, units := p.param(l, "weight"), p.last(l.Name)
	y := make([]float32, len(x))
	for i := 0; i*units < len(x); i++ {
		r, err := row(i)
		if err != nil {
			return nil, err
		}
		for j := range units {
			y[i*units+j] = x[i*units+j] + w[r*units+j]
		}
	}
	return y, nil
}

func (p *pass) positions(l *graph.Layer, x []float32) ([]float32, error) {
	length, offset := p.info.Shapes[l.Name][0], l.Int("offset")
	return p.addRows(l, x, func(i int) (int, error) { return offset + i%length, nil })
}

func (p *pass) types(l *graph.Layer, x []float32) ([]float32, error) {
	return p.addRows(l, x, func(i int) (int, error) {
		if len(l.Inputs) == 1 {
			return 0, nil
		}
		return index(l, p.values[l.Inputs[1]][i], l.Int("types"))
	})
}

// tied is x E^T + b.
func (p *pass) tied(l *graph.Layer, x []float32) []float32 {
	e := p.table(p.model.Graph.Layer(l.Text("embedding", "")))
	rows, units := p.last(l.Name), p.last(l.Inputs[0])
	w := make([]float32, len(e))
	for r := range rows {
		for u := range units {
			w[u*rows+r] = e[r*units+u]
		}
	}
	y := matmul(x, w, rows)
	if l.Flag("use_bias", true) {
		b := p.param(l, "bias")
		for i := range y {
			y[i] += b[i%rows]
		}
	}
	return y
}

func paddingMask(l *graph.Layer, ids []float32) []float32 {
	y := make([]float32, len(ids))
	for i, id := range ids {
		if id != float32(l.Int("pad")) {
			y[i] = 1
		}
	}
	return y
}

// mask is the k-th input of a layer, or nil.
func (p *pass) mask(l *graph.Layer, k int) []float32 {
	if k < len(l.Inputs) {
		return p.values[l.Inputs[k]]
	}
	return nil
}

// unseen is what is added to the score of what may not be seen.
const unseen = -1e9

func (p *pass) attention(l *graph.Layer) []float32 {
	shapes := p.info.Shapes
	length, from := shapes[l.Inputs[0]][0], shapes[l.Inputs[1]][0]
	heads, width := l.Int("heads"), p.last(l.Inputs[0])
	d, e := width/heads, p.last(l.Inputs[2])/heads
	q, k, v, mask := p.values[l.Inputs[0]], p.values[l.Inputs[1]], p.values[l.Inputs[2]], p.mask(l, 3)
	if l.Flag("rotary", false) {
		base := l.Float("rotary_base", 10000)
		q, k = rotate(q, length, width, d, base), rotate(k, from, width, d, base)
	}
	y := make([]float32, len(q)/width*heads*e)
	scores := make([]float32, from)
	for row := range len(q) / width { // of all queries
		example, at := row/length, row%length
		for h := range heads {
			for j := range from {
				sum := 0.0
				for i := range d {
					sum += float64(q[row*width+h*d+i]) * float64(k[(example*from+j)*width+h*d+i])
				}
				bias := float32(0)
				if mask != nil {
					bias = (mask[example*from+j] - 1) * -unseen
				}
				if l.Flag("causal", false) && j > at {
					bias += unseen
				}
				scores[j] = float32(sum/math.Sqrt(float64(d))) + bias
			}
			for i := range e {
				sum := 0.0
				for j, s := range softmax(scores, from) {
					sum += float64(s) * float64(v[(example*from+j)*heads*e+h*e+i])
				}
				y[row*heads*e+h*e+i] = float32(sum)
			}
		}
	}
	return y
}

// rotate turns the pairs i, i + d/2 of each head by position base^(-2i/d).
func rotate(x []float32, length, width, d int, base float64) []float32 {
	y := make([]float32, len(x))
	for row := range len(x) / width {
		for h := 0; h < width; h += d {
			for i := range d / 2 {
				angle := float64(row%length) * math.Pow(base, -2*float64(i)/float64(d))
				a, b := float64(x[row*width+h+i]), float64(x[row*width+h+i+d/2])
				y[row*width+h+i] = float32(a*math.Cos(angle) - b*math.Sin(angle))
				y[row*width+h+i+d/2] = float32(b*math.Cos(angle) + a*math.Sin(angle))
			}
		}
	}
	return y
}

func (p *pass) recurrent(l *graph.Layer, x []float32) []float32 {
	length, in, units := p.info.Shapes[l.Inputs[0]][0], p.last(l.Inputs[0]), l.Int("units")
	rows, dirs, mask := len(x)/length/in, l.Directions(), p.mask(l, 1)
	all := l.Text("returns", "sequence") == "sequence"
	wide := len(dirs) * units
	y := make([]float32, rows*graph.Size(p.info.Shapes[l.Name]))
	for row := range rows {
		for side, suffix := range dirs {
			h, c := make([]float32, units), make([]float32, units)
			for t := range length {
				if side == 1 {
					t = length - 1 - t
				}
				at := row*length + t
				seen := mask == nil || mask[at] != 0
				if seen {
					h, c = p.cell(l, suffix, x[at*in:(at+1)*in], h, c)
				}
				if all && seen {
					copy(y[at*wide+side*units:], h)
				}
			}
			if !all {
				copy(y[row*wide+side*units:], h)
			}
		}
	}
	return y
}

// cell is one step of an lstm or gru; c is the cell of the former.
func (p *pass) cell(l *graph.Layer, suffix string, x, h, c []float32) (hidden, cell []float32) {
	units, wide := len(h), l.Gates()*len(h)
	w, u, b := p.param(l, "weight"+suffix), p.param(l, "recurrent"+suffix), p.param(l, "bias"+suffix)
	product := func(v, m []float32, j int) float64 {
		sum := 0.0
		for i := range v {
			sum += float64(v[i]) * float64(m[i*wide+j])
		}
		return sum
	}
	a := func(gate, j int) float64 {
		j += gate * units
		return product(x, w, j) + product(h, u, j) + float64(b[j])
	}
	hidden, cell = make([]float32, units), make([]float32, units)
	for j := range units {
		if l.Op == "lstm" {
			next := sigmoid(a(1, j))*float64(c[j]) + sigmoid(a(0, j))*math.Tanh(a(2, j))
			cell[j], hidden[j] = float32(next), float32(sigmoid(a(3, j))*math.Tanh(next))
			continue
		}
		at := 2*units + j
		n := math.Tanh(product(x, w, at) + float64(b[at]) + sigmoid(a(0, j))*(product(h, u, at)+float64(p.param(l, "recurrent_bias"+suffix)[j])))
		z := sigmoid(a(1, j))
		hidden[j] = float32((1-z)*n + z*float64(h[j]))
	}
	return hidden, cell
}

func (p *pass) sequencePool(l *graph.Layer, x []float32) []float32 {
	length, units, mask := p.info.Shapes[l.Inputs[0]][0], p.last(l.Name), p.mask(l, 1)
	y := make([]float32, len(x)/length)
	for row := 0; row*units < len(y); row++ {
		m := make([]float64, length)
		total := 0.0
		for t := range m {
			m[t] = 1
			if mask != nil {
				m[t] = float64(mask[row*length+t])
			}
			total += m[t]
		}
		for j := range units {
			value := func(t int) float64 { return float64(x[(row*length+t)*units+j]) }
			v := 0.0
			switch l.Text("mode", "") {
			case "first":
				v = value(0)
			case "last":
				if last := int(total) - 1; last >= 0 {
					v = value(last)
				}
			case "mean":
				for t := range m {
					v += value(t) * m[t]
				}
				v /= max(total, 1e-9)
			case "max":
				v = math.Inf(-1)
				for t := range m {
					v = max(v, float64(float32(value(t))+float32((m[t]-1)*-unseen)))
				}
			}
			y[row*units+j] = float32(v)
		}
	}
	return y
}

func l2Normalize(x []float32, width int) []float32 {
	y := make([]float32, len(x))
	for at := 0; at < len(x); at += width {
		sum := 0.0
		for _, v := range x[at : at+width] {
			sum += float64(v) * float64(v)
		}
		for j, v := range x[at : at+width] {
			y[at+j] = float32(float64(v) / max(math.Sqrt(sum), 1e-12))
		}
	}
	return y
}

func (p *pass) dot(l *graph.Layer) []float32 {
	a, b, width := p.values[l.Inputs[0]], p.values[l.Inputs[1]], p.last(l.Inputs[0])
	y := make([]float32, len(a)/width)
	for i := range y {
		sum := 0.0
		for j := i * width; j < (i+1)*width; j++ {
			sum += float64(a[j]) * float64(b[j])
		}
		y[i] = float32(sum * l.Float("scale", 1))
	}
	return y
}
