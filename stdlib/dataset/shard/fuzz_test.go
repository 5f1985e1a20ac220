package shard_test

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/dataset/shard"
)

// FuzzJoin: no shard, whatever its manifest and its file hold, makes the join panic, or take more memory than a row; what comes
// out reads back.
func FuzzJoin(f *testing.F) {
	for _, s := range shards() {
		dir := f.TempDir()
		if err := dataset.Write(dir, s.m, map[string]*dataset.Data{dataset.All: s.d}); err != nil {
			f.Fatal(err)
		}
		manifest, err := os.ReadFile(filepath.Join(dir, "dataset.json"))
		if err != nil {
			f.Fatal(err)
		}
		rows, err := os.ReadFile(filepath.Join(dir, "all.safetensors"))
		if err != nil {
			f.Fatal(err)
		}
		for mode := range byte(9) {
			f.Add(manifest, rows, mode)
		}
	}
	f.Add([]byte(`{"inputs":[{"name":"x","shape":[1000000000000]}],"splits":[{"name":"all","rows":0}]}`),
		append([]byte{128, 0, 0, 0, 0, 0, 0, 0}, []byte(`{"row":{"dtype":"I64","shape":[0],"data_offsets":[0,0]},"x":{"dtype":"F32","shape":[0,1000000000000],"data_offsets":[0,0]}}      `)...), byte(0))
	in := f.TempDir()
	f.Fuzz(func(t *testing.T, manifest, rows []byte, mode byte) {
		for name, b := range map[string][]byte{"dataset.json": manifest, "all.safetensors": rows} {
			if err := os.WriteFile(filepath.Join(in, name), b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		o := shard.Options{Parts: [3]int{1, 0, 1}, Leaks: []string{"warn", "drop", "ignore"}[mode%3]}
		switch mode / 3 % 3 {
		case 1:
			o.Split = &dataset.Fractions{Train: 0.5, Test: 0.5, By: "content"}
		case 2:
			o.Parts, o.Split = [3]int{2, 0, 0}, &dataset.Fractions{Train: 0.5, Test: 0.5, Group: "t"}
		}
		out := t.TempDir()
		if err := shard.Join([]string{in, in}, []string{"a", "b"}, o, out, io.Discard, map[string]float64{}); err != nil {
			return
		}
		m, err := dataset.ReadManifest(out)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range m.Splits {
			if _, err := dataset.Read(out, m, s.Name); err != nil {
				t.Fatal(err)
			}
		}
	})
}

type made struct {
	m *dataset.Manifest
	d *dataset.Data
}

// shards are of each form that there is: numbers and classes, text, tokens and tags.
func shards() []made {
	all := []dataset.Split{{Name: dataset.All, Rows: 2}}
	text := &dataset.Texts{Bytes: []byte("abc"), Ends: []int64{1, 3}}
	tokens := &dataset.Texts{Bytes: []byte("abcd"), Ends: []int64{1, 3, 4}, Rows: []int64{2, 3}}
	return []made{
		{&dataset.Manifest{Inputs: []dataset.Input{{Name: "x", Shape: []int{2}}}, Label: &dataset.Label{Name: "y", Kind: "class", Classes: []string{"b", "a"}}, Splits: all},
			&dataset.Data{Rows: 2, Width: 2, Features: []float32{1, 2, 3, 4}, Classes: []int32{0, 1}, Source: []int64{0, 1}}},
		{&dataset.Manifest{Inputs: []dataset.Input{{Name: "x", Shape: []int{1, 2}, DType: "U8"}}, Columns: []dataset.Column{{Name: "t", Kind: "text"}}, Label: &dataset.Label{Name: "y", Kind: "number"}, Splits: all},
			&dataset.Data{Rows: 2, Width: 2, Features: []float32{1, 2, 3, 4}, Numbers: []float32{5, 6}, Source: []int64{0, 1}, Texts: map[string]*dataset.Texts{"t": text}}},
		{&dataset.Manifest{Columns: []dataset.Column{{Name: "t", Kind: "tokens"}}, Label: &dataset.Label{Name: "y", Kind: "tags", Of: "t", Scheme: "none", Classes: []string{"O", "P"}}, Splits: all},
			&dataset.Data{Rows: 2, Classes: []int32{0, 1, 0}, Source: []int64{0, 1}, Texts: map[string]*dataset.Texts{"t": tokens}}},
	}
}
