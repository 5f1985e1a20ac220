package pretrained

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
	"mbuild.dev/mbuild/stdlib/compress"
	"mbuild.dev/mbuild/stdlib/graph"
	lower "mbuild.dev/mbuild/stdlib/graph/mlx"
	"mbuild.dev/mbuild/stdlib/graph/reference"
)

// TestRefereeMiniLM holds all-MiniLM-L6-v2 against what transformers computes of it (testdata/minilm.json): vectors after the
// embeddings, after the second block, at the end, the pooler's, and the mean of a sentence, by itself and with padding. It runs where
// MBUILD_MINILM names the directory that testdata/minilm.sh fetches; .ci/run does, and fails when this is skipped.
func TestRefereeMiniLM(t *testing.T) {
	dir := os.Getenv("MBUILD_MINILM")
	if dir == "" {
		t.Skip("needs the checkpoint: set MBUILD_MINILM (see testdata/minilm.sh)")
	}
	b, err := os.ReadFile("testdata/minilm.json")
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		IDs       []float32 `json:"input_ids"`
		Mean      []float64 `json:"mean_pooled_full"`
		Norm      float64   `json:"mean_pooled_norm"`
		Unit      []float64 `json:"normalized_first8"`
		Embedding []float64 `json:"embedding_layer_cls_first8"`
		First     []float64 `json:"layer1_cls_first8"`
		Last      []float64 `json:"last_hidden_cls_first8"`
		Pooler    []float64 `json:"pooler_output_first8"`
	}
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	near := func(what string, got []float32, want []float64) {
		t.Helper()
		worst := 0.0
		for i, w := range want {
			worst = max(worst, math.Abs(float64(got[i])-w))
		}
		if t.Logf("%s: off by %.2g in %d numbers", what, worst, len(want)); !(worst <= 5e-6) || len(want) == 0 {
			t.Errorf("%s: off by %g", what, worst)
		}
	}
	words := len(want.IDs)
	begin := time.Now()
	l, err := directory(t, dir, Options{Length: words})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("read in %.2f s", time.Since(begin).Seconds())
	if len(l.Left)+len(l.New) > 0 || l.Model.Info.Parameters != 22713216 {
		t.Errorf("left %v, new %v, %d parameters", l.Left, l.New, l.Model.Info.Parameters)
	}
	sameTensors(t, l.Model, filepath.Join(dir, "model.safetensors"))
	mask := make([]float32, words)
	for i := range mask {
		mask[i] = 1
	}
	l.Model.Graph.Outputs = []string{"embeddings_dropout", "layer0_norm", "layer5_norm", "pooler"}
	out, err := reference.Forward(l.Model, 1, map[string][]float32{idsInput: want.IDs, maskInput: mask})
	if err != nil {
		t.Fatal(err)
	}
	near("embeddings", out[0], want.Embedding)
	near("block 1", out[1], want.First)
	near("last block", out[2], want.Last)
	near("pooler", out[3], want.Pooler)

	for _, padded := range []int{0, 1, 20} {
		l, err := directory(t, dir, Options{Length: words + padded, Head: &Head{Kind: "embedding", Pool: "mean", Normalize: true}})
		if err != nil {
			t.Fatal(err)
		}
		l.Model.Graph.Outputs = []string{"pool", "embedding"}
		s, err := mlx.Open(mlx.Go)
		if err != nil {
			t.Fatal(err)
		}
		p, err := lower.Load(s, l.Model)
		if err != nil {
			t.Fatal(err)
		}
		rest := make([]float32, padded)
		out, err := p.Forward(1, map[string][]float32{idsInput: append(want.IDs[:words:words], rest...), maskInput: append(mask[:words:words], rest...)})
		if err != nil {
			t.Fatal(err)
		}
		near("mean", out[0], want.Mean)
		near("unit vector", out[1], want.Unit)
		norm := 0.0
		for _, v := range out[0] {
			norm += float64(v) * float64(v)
		}
		if math.Abs(math.Sqrt(norm)-want.Norm) > 1e-5 {
			t.Errorf("length %g, want %g", math.Sqrt(norm), want.Norm)
		}
		p.Close()
	}

	// in int8, with the table of tokens, it is a quarter as large, and says about the same
	small, err := directory(t, dir, Options{Length: words, Head: &Head{Kind: "embedding"}})
	if err != nil {
		t.Fatal(err)
	}
	whole := small.Model.Count().Bytes
	for _, scheme := range []string{graph.WeightOnlyInt8, graph.DynamicInt8} {
		q, err := compress.Quantize(small.Model, scheme, nil)
		if err != nil {
			t.Fatal(err)
		}
		out, err := reference.Forward(q, 1, map[string][]float32{idsInput: want.IDs, maskInput: mask})
		if err != nil {
			t.Fatal(err)
		}
		dot, norm := 0.0, 0.0
		for i, v := range out[0] {
			dot, norm = dot+float64(v)*want.Mean[i], norm+float64(v)*float64(v)
		}
		cosine, share := dot/math.Sqrt(norm)/want.Norm, float64(q.Count().Bytes)/float64(whole)
		if t.Logf("%s: cosine %.5f, %.3f of the bytes", scheme, cosine, share); cosine < 0.98 || share > 0.27 {
			t.Errorf("%s: cosine %g, %g of the bytes", scheme, cosine, share)
		}
	}
}

// sameTensors saves a model as transformers has it, and wants each tensor of a file but position_ids, to the byte, and no other.
func sameTensors(t *testing.T, m *bundle.Model, path string) {
	t.Helper()
	saved, err := Save(m, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	ts, _, err := safetensors.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]safetensors.Tensor{}
	for _, x := range ts {
		if x.Name != "embeddings.position_ids" {
			want[x.Name] = x
		}
	}
	if len(saved.Tensors) != len(want) || len(want) < 100 {
		t.Errorf("%d tensors are saved, of %d", len(saved.Tensors), len(want))
	}
	for _, x := range saved.Tensors {
		if w := want[x.Name]; w.DType != x.DType || !slices.Equal(w.Shape, x.Shape) || !bytes.Equal(w.Data, x.Data) {
			t.Errorf("%s is not as it was", x.Name)
		}
	}
}
