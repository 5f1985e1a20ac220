package stdlib

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
)

// maxCompared bounds a file that Difference looks into.
const maxCompared = 1 << 30

// Difference says where two outputs differ: the first file of a directory, and in words the first tensor in it and the size of
// the difference, where the file holds tensors.
func Difference(ctx context.Context, a cache.CAS, before cache.Output, b cache.CAS, after cache.Output) (file, detail string) {
	x, y := before.Digest, after.Digest
	if before.Directory {
		file, x, y, detail = firstFile(ctx, a, before.Digest, b, after.Digest)
		if detail != "" {
			return file, detail
		}
	}
	if x.Size() > maxCompared || y.Size() > maxCompared {
		return file, fmt.Sprintf("%d bytes before, %d now", x.Size(), y.Size())
	}
	p, err1 := cache.ReadAll(ctx, a, x, maxCompared)
	q, err2 := cache.ReadAll(ctx, b, y, maxCompared)
	if err1 != nil || err2 != nil {
		return file, "the bytes cannot be read"
	}
	if d := firstTensor(p, q); d != "" {
		return file, d
	}
	n := 0
	for n < len(p) && n < len(q) && p[n] == q[n] {
		n++
	}
	return file, fmt.Sprintf("%d bytes before, %d now; they differ from byte %d on", len(p), len(q), n)
}

// firstFile finds the first file, by name, that two directories do not have alike.
func firstFile(ctx context.Context, a cache.CAS, before cache.Digest, b cache.CAS, after cache.Digest) (name string, x, y cache.Digest, detail string) {
	list := func(s cache.CAS, d cache.Digest) map[string]cache.Digest {
		m := map[string]cache.Digest{}
		_ = cache.WalkTree(ctx, s, d, func(path string, d cache.Digest) error {
			if path != "" {
				m[path] = d
			}
			return nil
		})
		return m
	}
	p, q := list(a, before), list(b, after)
	var names []string
	for n := range p {
		names = append(names, n)
	}
	for n := range q {
		names = append(names, n)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	for i, n := range names {
		if slices.ContainsFunc(names[i+1:], func(m string) bool { return strings.HasPrefix(m, n+"/") }) {
			continue // a directory: what is in it comes by itself
		}
		dp, ok1 := p[n]
		dq, ok2 := q[n]
		switch {
		case !ok1:
			return n, x, y, "was not there before"
		case !ok2:
			return n, x, y, "is not there now"
		case dp != dq:
			return n, dp, dq, ""
		}
	}
	return "", x, y, "the directories differ in their structure"
}

// firstTensor finds the first tensor that two safetensors files do not have alike; "" when they are no such files.
func firstTensor(p, q []byte) string {
	before, _, err1 := safetensors.Decode(p)
	after, _, err2 := safetensors.Decode(q)
	if err1 != nil || err2 != nil {
		return ""
	}
	byName := map[string]safetensors.Tensor{}
	for _, t := range after {
		byName[t.Name] = t
	}
	for _, t := range before {
		u, ok := byName[t.Name]
		switch {
		case !ok:
			return fmt.Sprintf("tensor %s is not there now", t.Name)
		case t.DType != u.DType || !slices.Equal(t.Shape, u.Shape):
			return fmt.Sprintf("tensor %s was %s %v, and is %s %v now", t.Name, t.DType, t.Shape, u.DType, u.Shape)
		case string(t.Data) != string(u.Data):
			return fmt.Sprintf("tensor %s differs%s", t.Name, distance(t, u))
		}
	}
	return ""
}

// distance is how far apart two float32 tensors are.
func distance(t, u safetensors.Tensor) string {
	if t.DType != "F32" {
		return ""
	}
	a, b := safetensors.View[float32](t.Data), safetensors.View[float32](u.Data)
	n, most := 0, 0.0
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			n++
			most = math.Max(most, math.Abs(float64(a[i])-float64(b[i])))
		}
	}
	return fmt.Sprintf(" in %d of %d values, by at most %.3g", n, len(a), most)
}
