package dataset

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"mbuild.dev/mbuild/lang/value"
)

// StatisticsMediaType is the media type of encoded Statistics.
const StatisticsMediaType = "application/vnd.mbuild.statistics.v1+json"

// ErrNoInput says that a dataset has text only.
var ErrNoInput = errors.New("the dataset has no input of numbers")

// Statistics are of the input of a split, for each element of its last axis: over the rows and all other axes.
type Statistics struct {
	Rows      int       `json:"rows"`
	Mean      []float64 `json:"mean"`
	Deviation []float64 `json:"deviation"` // of the population; 1 where nothing varies
}

// Measure computes the statistics of a split, reading it once, from beginning to end. Of bytes they are those of exact sums; of
// floating point numbers those of Welford's recurrence (1962) in float64, in the order of the rows: the same on every platform.
func Measure(ctx context.Context, dir, split string) (*Statistics, error) {
	m, err := ReadManifest(dir)
	if err != nil {
		return nil, err
	}
	if len(m.Inputs) == 0 || m.Inputs[0].Sequence != "" {
		return nil, ErrNoInput
	}
	f, rows, err := Open(dir, m, split)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	in := m.Inputs[0]
	items := rows
	for _, d := range in.Shape[:len(in.Shape)-1] {
		items *= d
	}
	r := bufio.NewReaderSize(f.Section(in.Name), 1<<18)
	last := in.Shape[len(in.Shape)-1]
	s := &Statistics{Rows: rows}
	if in.DType == "U8" {
		s.Mean, s.Deviation, err = measureBytes(ctx, r, items, last)
	} else {
		s.Mean, s.Deviation, err = measureFloats(ctx, r, items, last)
	}
	return s, err
}

func measureBytes(ctx context.Context, r io.Reader, items, last int) (mean, deviation []float64, err error) {
	sum, squares := make([]uint64, last), make([]uint64, last)
	err = each(ctx, r, items, last, func(item []byte) {
		for c, v := range item {
			sum[c] += uint64(v)
			squares[c] += uint64(v) * uint64(v)
		}
	})
	mean, deviation = make([]float64, last), make([]float64, last)
	n := float64(items)
	for c := range last {
		mean[c] = float64(sum[c]) / n
		deviation[c] = math.Sqrt(float64(squares[c])/n - float64(mean[c]*mean[c]))
		if !(deviation[c] > 1e-7) {
			deviation[c] = 1 // constant, but for rounding: two bytes that differ in 2^40 differ by more
		}
	}
	return mean, deviation, err
}

func measureFloats(ctx context.Context, r io.Reader, items, last int) (mean, deviation []float64, err error) {
	mean, deviation = make([]float64, last), make([]float64, last)
	n := 0.0
	err = each(ctx, r, items, 4*last, func(item []byte) {
		n++
		for c := range mean {
			v := float64(math.Float32frombits(binary.LittleEndian.Uint32(item[4*c:])))
			d := v - mean[c]
			mean[c] += float64(d / n)
			deviation[c] += float64(d * (v - mean[c])) // conversions round, so that nothing is fused
		}
	})
	for c := range deviation {
		deviation[c] = math.Sqrt(deviation[c] / n)
		if float32(deviation[c]) == 0 || n == 0 {
			deviation[c] = 1
		}
	}
	return mean, deviation, err
}

// each calls f with items of so many bytes.
func each(ctx context.Context, r io.Reader, items, size int, f func([]byte)) error {
	item := make([]byte, size)
	for i := range items {
		if i%(1<<16) == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if _, err := io.ReadFull(r, item); err != nil {
			return err
		}
		f(item)
	}
	return nil
}

// Encode is canonical JSON.
func (s *Statistics) Encode() ([]byte, error) {
	enc, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	v, err := value.Decode(enc)
	if err != nil {
		return nil, err
	}
	return value.Canonical(v)
}

// DecodeStatistics reads what Encode wrote.
func DecodeStatistics(b []byte) (*Statistics, error) {
	s := new(Statistics)
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(s); err != nil {
		return nil, fmt.Errorf("statistics: %w", err)
	}
	if len(s.Mean) == 0 || len(s.Mean) != len(s.Deviation) {
		return nil, fmt.Errorf("statistics: %d means and %d deviations", len(s.Mean), len(s.Deviation))
	}
	return s, nil
}
