// Package augment changes rows of training data at random, anew in each epoch: images that are mirrored or moved, numbers with
// noise, rows mixed with others.
//
// What becomes of a row is a pure function of (seed, epoch, row) and of the data: not of the batch that it is in, nor of what was
// drawn for other rows. So training that was interrupted goes on bit for bit as if it had not been, and batches can be prepared in
// any order, by any number of goroutines. Each operation draws from a stream of its own (executor/mlx.Random, named
// "augment/<place>/<type>/<epoch from 0>/<row>"), so that one more at the end changes nothing before it.
//
// It does not know datasets, models or labels. The nouns: Op (one operation, as a block says it), Augmenter (operations that fit a
// shape), Batch. The invariant: an Augmenter that New returns cannot fail.
//
// The fragment of a schema for kinds that train:
//
//	augment?: [...#Augment] @labels(type)
//
//	#Augment: {
//		// Mirror images, left to right or top to bottom.
//		type!: "flip"
//		axis: "horizontal" | "vertical" | *"horizontal"
//		probability: number & >=0 & <=1 | *0.5
//	} | {
//		// Pad images on all sides and cut a piece of the old size out.
//		type!: "crop"
//		padding!: int & >=1
//		fill: "zero" | "reflect" | *"zero"
//	} | {
//		// Move images, or series along their first dimension, by up to max elements; the edge is repeated.
//		type!: "shift"
//		max!: int & >=1
//	} | {
//		// Add normal noise of a deviation, in units of the data.
//		type!: "noise"
//		deviation!: number & >0
//	} | {
//		// Mix each row and its label with another row, w and 1-w, w from Beta(alpha, alpha) (Zhang et al. 2018).
//		type!: "mixup"
//		alpha!: number & >0
//	}
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

// New makes an augmenter, or says which operation does not fit rows of the shape (height, width, channels for images).
func New(ops []Op, shape []int, seed int64) (*Augmenter, error) {
	a := &Augmenter{ops: ops, seed: seed, shape: shape, width: 1}
	for _, d := range shape {
		a.width *= d
	}
	for i := range ops {
		op := &ops[i]
		if err := a.check(op); err != nil {
			return nil, fmt.Errorf("augment %q: %w", op.Type, err)
		}
		if op.Type != "mixup" {
			continue
		}
		if a.mixup != nil {
			return nil, fmt.Errorf("augment %q is there twice", op.Type)
		}
		a.mixup, a.place = op, i
	}
	return a, nil
}

func (a *Augmenter) check(op *Op) error {
	image := func() error {
		if len(a.shape) != 3 {
			return fmt.Errorf("rows have shape %v; it takes images, (height, width, channels)", a.shape)
		}
		return nil
	}
	positive := func(name string, v float64) error {
		if !(v > 0) || v-v != 0 {
			return fmt.Errorf("%s is %g and must be above 0", name, v)
		}
		return nil
	}
	switch op.Type {
	case "flip":
		if op.Axis != "horizontal" && op.Axis != "vertical" || !(op.Probability >= 0 && op.Probability <= 1) {
			return fmt.Errorf("axis %q with probability %g", op.Axis, op.Probability)
		}
		return image()
	case "crop":
		if err := image(); err != nil {
			return err
		}
		if op.Padding < 1 || op.Fill != "zero" && op.Fill != "reflect" {
			return fmt.Errorf("padding %d filled with %q", op.Padding, op.Fill)
		}
		if h, w := a.shape[0], a.shape[1]; op.Fill == "reflect" && op.Padding >= min(h, w) || op.Padding > max(h, w) {
			return fmt.Errorf("padding %d is too much for images of %d x %d", op.Padding, h, w)
		}
		return nil
	case "shift":
		if len(a.shape) == 0 || op.Max < 1 || op.Max > max(a.shape[0], a.shape[min(1, len(a.shape)-1)]) {
			return fmt.Errorf("max is %d, for rows of shape %v", op.Max, a.shape)
		}
		return nil
	case "noise":
		return positive("deviation", op.Deviation)
	case "mixup":
		return positive("alpha", op.Alpha)
	}
	return fmt.Errorf("there is no such operation; there are crop, flip, mixup, noise and shift")
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
