// Package augment changes rows of training data at random, anew in each epoch: images that are mirrored or moved, numbers with
// noise, rows mixed with others.
//
// What becomes of a row is a pure function of (seed, epoch, row) and of the data: not of the batch that it is in, nor of what was
// drawn for other rows. So training that was interrupted goes on bit for bit as if it had not been, and batches can be prepared in
// any order, by any number of goroutines. Each operation draws from a stream of its own (executor/mlx.Random, named
// "augment/<place>/<type>/<epoch from 0>/<row>"), so that one more at the end changes nothing before it.
//
// It does not know datasets, models or labels. The nouns: Op (one operation, as a block says it), Augmenter (operations that fit a
// shape), Batch, Misfit. The invariant: an Augmenter that New returns cannot fail.
package augment

import (
	"fmt"
	"strconv"

	"mbuild.dev/mbuild/executor/mlx"
)

// Op is one operation.
type Op struct {
	Type        string  `json:"type"`
	Axis        string  `json:"axis,omitempty"`        // of flip
	Probability float64 `json:"probability,omitempty"` // of flip
	Padding     int     `json:"padding,omitempty"`     // of crop
	Fill        string  `json:"fill,omitempty"`        // of crop
	Max         int     `json:"max,omitempty"`         // of shift
	Deviation   float64 `json:"deviation,omitempty"`   // of noise
	Alpha       float64 `json:"alpha,omitempty"`       // of mixup
}

// Batch is some rows.
type Batch struct {
	Rows []int     // indices of the rows in their split
	X    []float32 // [rows, shape...], as they are in the dataset; changed in place

	// What mixup did, nil without it: row i became Weight[i] of itself and 1-Weight[i] of the row Partner[i]. Labels are to be mixed
	// alike.
	Partner []int
	Weight  []float32
}

// Augmenter is operations over rows of one shape. It may be used by many goroutines at once.
type Augmenter struct {
	ops   []Op
	seed  int64
	shape []int
	width int
	mixup *Op
	place int // of mixup
}

// Misfit is an operation that cannot be, or not with rows of a shape.
type Misfit struct {
	Place int    // of the operation
	Attr  string // of the operation: what is wrong; "" for all of it
	Text  string
}

func (m *Misfit) Error() string { return m.Text }

// New makes an augmenter, or says which operation does not fit rows of the shape (height, width, channels for images): a *Misfit.
func New(ops []Op, shape []int, seed int64) (*Augmenter, error) {
	a := &Augmenter{ops: ops, seed: seed, shape: shape, width: 1}
	for _, d := range shape {
		a.width *= d
	}
	for i := range ops {
		op := &ops[i]
		if attr, text := a.check(op); text != "" {
			return nil, &Misfit{i, attr, op.Type + ": " + text}
		}
		if op.Type != "mixup" {
			continue
		}
		if a.mixup != nil {
			return nil, &Misfit{i, "", "mixup is there twice. Keep one of them"}
		}
		a.mixup, a.place = op, i
	}
	return a, nil
}

// check says what of an operation is wrong: its attribute and why, or nothing.
func (a *Augmenter) check(op *Op) (attr, text string) {
	moves := op.Type == "flip" || op.Type == "crop"
	if moves && len(a.shape) != 3 {
		return "", fmt.Sprintf("it takes images, and a row has shape %v. Declare the input as [height, width, channels] (a layer \"flatten\" makes a vector of it), or leave %s out", a.shape, op.Type)
	}
	switch op.Type {
	case "flip":
		if op.Axis != "horizontal" && op.Axis != "vertical" {
			return "axis", fmt.Sprintf("axis is %q; it is \"horizontal\" or \"vertical\"", op.Axis)
		}
		if !(op.Probability >= 0 && op.Probability <= 1) {
			return "probability", fmt.Sprintf("probability is %g; it is from 0 to 1", op.Probability)
		}
	case "crop":
		return a.checkCrop(op)
	case "shift":
		if len(a.shape) == 0 {
			return "", "a row is one number; shift takes series or images"
		}
		h, w, _ := a.plane()
		if most := max(h, w); op.Max < 1 || op.Max > most {
			return "max", fmt.Sprintf("max is %d, and rows have shape %v; it is from 1 to %d", op.Max, a.shape, most)
		}
	case "noise":
		if v := op.Deviation; !(v > 0) || v-v != 0 {
			return "deviation", fmt.Sprintf("deviation is %g; it is a number above 0", v)
		}
	case "mixup":
		if v := op.Alpha; !(v > 0) || v-v != 0 {
			return "alpha", fmt.Sprintf("alpha is %g; it is a number above 0", v)
		}
	default:
		return "", "there is no such operation; there are crop, flip, mixup, noise and shift"
	}
	return "", ""
}

func (a *Augmenter) checkCrop(op *Op) (attr, text string) {
	if op.Fill != "zero" && op.Fill != "reflect" {
		return "fill", fmt.Sprintf("fill is %q; it is \"zero\" or \"reflect\"", op.Fill)
	}
	h, w := a.shape[0], a.shape[1]
	most, why := max(h, w), "more leaves nothing of them"
	if op.Fill == "reflect" {
		most, why = min(h, w)-1, "more is not there to mirror"
	}
	if op.Padding < 1 || op.Padding > most {
		return "padding", fmt.Sprintf("padding is %d, and images are %d x %d; it is from 1 to %d: %s", op.Padding, h, w, most, why)
	}
	return "", ""
}

// Mixes reports whether labels must be mixed.
func (a *Augmenter) Mixes() bool { return a.mixup != nil }

func (a *Augmenter) random(place int, op *Op, epoch, row int) *mlx.Random {
	return mlx.NewRandom(a.seed, "augment/"+strconv.Itoa(place)+"/"+op.Type+"/"+strconv.Itoa(epoch)+"/"+strconv.Itoa(row))
}

// Apply changes the rows of a batch. rows is how many there are in the split, and read copies one of them, as it is in the dataset:
// mixup takes its partners with it. A partner is mixed in as the other operations make it in this epoch.
func (a *Augmenter) Apply(epoch int, b *Batch, rows int, read func(row int, into []float32)) {
	work := make([]float32, a.width)
	for i, row := range b.Rows {
		a.change(epoch, row, b.X[i*a.width:(i+1)*a.width], work)
	}
	if a.mixup == nil {
		return
	}
	b.Partner, b.Weight = make([]int, len(b.Rows)), make([]float32, len(b.Rows))
	other := make([]float32, a.width)
	for i, row := range b.Rows {
		r := a.random(a.place, a.mixup, epoch, row)
		w := beta(r, a.mixup.Alpha)
		partner := int(r.Below(uint64(rows)))
		read(partner, other)
		a.change(epoch, partner, other, work)
		for k, v := range b.X[i*a.width : (i+1)*a.width] {
			b.X[i*a.width+k] = float32(w*v) + float32((1-w)*other[k]) // conversions round, so that nothing is fused
		}
		b.Partner[i], b.Weight[i] = partner, w
	}
}

// change applies all operations but mixup to a row.
func (a *Augmenter) change(epoch, row int, x, work []float32) {
	for i := range a.ops {
		op := &a.ops[i]
		if op.Type == "mixup" {
			continue
		}
		r := a.random(i, op, epoch, row)
		switch op.Type {
		case "flip":
			if r.Float64() < op.Probability {
				a.flip(x, op.Axis == "vertical")
			}
		case "noise":
			for k := range x {
				x[k] += float32(op.Deviation * r.Normal())
			}
		default:
			a.move(op, r, x, work)
		}
	}
}
