package stdlib

import (
	"context"
	"math"
	"slices"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
)

// Within reports that two outputs hold the same files, and that files which differ hold the same tensors with values that are
// apart by no more than tolerance times the larger of the two magnitudes, or tolerance itself near zero. Only float32 tensors may
// differ at all; what cannot be read is not within anything.
func Within(ctx context.Context, a cache.CAS, before cache.Output, b cache.CAS, after cache.Output, tolerance float64) bool {
	x, y := map[string]cache.Digest{"": before.Digest}, map[string]cache.Digest{"": after.Digest}
	if before.Directory {
		var err1, err2 error
		x, err1 = filesOf(ctx, a, before.Digest)
		y, err2 = filesOf(ctx, b, after.Digest)
		if err1 != nil || err2 != nil {
			return false
		}
	}
	if len(x) != len(y) {
		return false
	}
	for name, d := range x {
		e, ok := y[name]
		if !ok || d != e && !closeFiles(ctx, a, d, b, e, tolerance) {
			return false
		}
	}
	return true
}

// filesOf lists the files of a directory; not its sub-directories, whose digests follow from them.
func filesOf(ctx context.Context, s cache.CAS, root cache.Digest) (map[string]cache.Digest, error) {
	files := map[string]cache.Digest{}
	err := cache.WalkFiles(ctx, s, root, func(path string, d cache.Digest) error {
		files[path] = d
		return nil
	})
	return files, err
}

func closeFiles(ctx context.Context, a cache.CAS, d cache.Digest, b cache.CAS, e cache.Digest, tolerance float64) bool {
	if d.Size() > maxCompared || e.Size() > maxCompared {
		return false
	}
	p, err1 := cache.ReadAll(ctx, a, d, maxCompared)
	q, err2 := cache.ReadAll(ctx, b, e, maxCompared)
	if err1 != nil || err2 != nil {
		return false
	}
	before, _, err1 := safetensors.Decode(p)
	after, _, err2 := safetensors.Decode(q)
	if err1 != nil || err2 != nil || len(before) != len(after) {
		return false
	}
	byName := map[string]safetensors.Tensor{}
	for _, t := range after {
		byName[t.Name] = t
	}
	for _, t := range before {
		u, ok := byName[t.Name]
		if !ok || t.DType != u.DType || !slices.Equal(t.Shape, u.Shape) {
			return false
		}
		if string(t.Data) != string(u.Data) && (t.DType != "F32" || !closeValues(safetensors.View[float32](t.Data), safetensors.View[float32](u.Data), tolerance)) {
			return false
		}
	}
	return true
}

func closeValues(a, b []float32, tolerance float64) bool {
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		if !(math.Abs(x-y) <= tolerance*max(1, math.Abs(x), math.Abs(y))) && math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			return false
		}
	}
	return true
}
