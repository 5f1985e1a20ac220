package stdlib

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/stdlib/artifact/adapter"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/artifact/report"
	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
	"mbuild.dev/mbuild/stdlib/learn"
)

// TestAdapters: on a checkpoint of transformers with a new head, adapters of both types learn; what they do not train stays to the
// bit; merged into the checkpoint they predict the same; over another checkpoint they are refused, with both digests.
func TestAdapters(t *testing.T) {
	b := &bench{t: t}
	data := b.texts(false)
	const dir = "pretrained/testdata/bert/"
	pretrained := func(seed int64) string {
		return b.must("model.pretrained", "", map[string]any{"token_types": false, "seed": seed, "length": int64(12), "head": map[string]any{"type": "classification", "outputs": int64(2)}},
			map[string]string{"config": dir + "config.json", "weights0": dir + "model.safetensors"}, "graph", "model")["model"]
	}
	base := pretrained(0)
	before := readModel(t, base)
	for kind, params := range map[string]map[string]any{
		"train.lora":    {"type": "lora", "targets": []any{"*_query", "*_value"}, "rank": int64(4), "alpha": 8.0, "dropout": 0.05, "bias": "none"},
		"train.adapter": {"type": "bottleneck", "targets": []any{"layer*_output", "layer*_outer"}, "width": int64(8), "activation": "gelu"},
	} {
		params["modules_to_save"], params["seed"] = []any{"classifier", "pooler"}, int64(1)
		attached := b.must(kind, "attach", params, map[string]string{"base": base}, "model")
		inputs := map[string]string{"model": attached["model"], "base": base, "data": data}
		var trained map[string]string
		for range 12 {
			trained = b.must(kind, "segment", config(), inputs, "model", "state", "history")
			inputs = map[string]string{"model": trained["model"], "state": trained["state"], "history": trained["history"], "base": base, "data": data}
		}
		a, err := adapter.Read(trained["model"])
		if err != nil {
			t.Fatal(err)
		}
		for layer, ps := range a.Params {
			mine := strings.Contains(layer, "_lora_") || strings.Contains(layer, "_adapter_")
			if head := layer == "classifier" || layer == "pooler"; !mine && !head {
				t.Errorf("%s: the adapter holds %s", kind, layer)
			}
			for name, p := range ps {
				if !mine && slices.Equal(p.Data, before.Params[layer][name].Data) {
					t.Errorf("%s: %s/%s has not been trained", kind, layer, name)
				}
			}
		}
		moments, _, err := safetensors.ReadFile(trained["state"])
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range moments {
			if layer, _, _ := strings.Cut(m.Name, "/"); a.Params[layer] == nil {
				t.Errorf("%s: the state has %s, of a layer that is frozen", kind, m.Name)
			}
		}
		whole := b.must(kind, "apply", nil, map[string]string{"base": base, "model": trained["model"]}, "model")
		after := readModel(t, whole["model"])
		for layer, ps := range before.Params {
			for name, p := range ps {
				frozen := layer != "classifier" && layer != "pooler"
				if same := slices.Equal(p.Data, after.Params[layer][name].Data); same != frozen {
					t.Errorf("%s: %s/%s: frozen is %v, unchanged is %v", kind, layer, name, frozen, same)
				}
			}
		}
		out := b.must("eval.classification", "evaluate", map[string]any{"split": "test"}, map[string]string{"model": whole["model"], "data": data}, "report", "predictions")
		r, err := report.Read(out["report"])
		if err != nil {
			t.Fatal(err)
		}
		if r.Metrics["accuracy"] < 0.9 {
			t.Errorf("%s: accuracy %g", kind, r.Metrics["accuracy"])
		}
		// a step without base, or over another, does not go unnoticed
		other := pretrained(9)
		inputs["base"] = other
		_, _, err = b.do(kind, "segment", config(), inputs, "model", "state", "history")
		if err == nil || !strings.Contains(err.Error(), "the adapter is of the base model sha256:"+base) || !strings.Contains(err.Error(), "this model is sha256:"+other) {
			t.Errorf("%s: %v", kind, err)
		}
		_, _, err = b.do("pass.merge", "", nil, map[string]string{"model": other, "adapter": trained["model"]}, "model", "effect")
		f, ok := err.(*executor.Failure)
		if kind == "train.adapter" {
			if !ok || !strings.Contains(f.Detail, "a bottleneck adapter cannot be merged") {
				t.Error(err)
			}
			continue
		}
		if !ok || f.Attr != "adapter" || !strings.Contains(f.Detail, "the adapter is of the base model sha256:"+base+", and this model is sha256:"+other+". Merge into the model that it was trained on.") {
			t.Error(err)
		}
		merged := b.must("pass.merge", "", nil, map[string]string{"model": base, "adapter": trained["model"]}, "model", "effect")
		x, y := b.logits(whole["model"], data), b.logits(merged["model"], data)
		for i := range x {
			if math.Abs(float64(x[i]-y[i])) > 1e-6*max(1, math.Abs(float64(x[i]))) {
				t.Fatalf("merged, logit %d is %g, and was %g", i, y[i], x[i])
			}
		}
	}
}

// TestAdapterChoices: the mean of the last epochs, the moving average and the best epoch of an adapter are adapters.
func TestAdapterChoices(t *testing.T) {
	b := &bench{t: t}
	data := b.texts(false)
	const dir = "pretrained/testdata/bert/"
	base := b.must("model.pretrained", "", map[string]any{"token_types": false, "seed": int64(0), "head": map[string]any{"type": "classification", "outputs": int64(2)}},
		map[string]string{"config": dir + "config.json", "weights0": dir + "model.safetensors"}, "graph", "model")["model"]
	a := b.must("train.lora", "attach", map[string]any{"type": "lora", "targets": []any{"*_query"}, "rank": int64(2), "alpha": int64(2), "seed": int64(1)}, map[string]string{"base": base}, "model")
	c := config()
	c["ema"] = map[string]any{"decay": 0.9}
	inputs := map[string]string{"model": a["model"], "base": base, "data": data}
	models := map[string]string{}
	var last map[string]string
	for i := range 2 {
		last = b.must("train.lora", "segment", c, inputs, "model", "state", "history")
		inputs = map[string]string{"model": last["model"], "state": last["state"], "history": last["history"], "base": base, "data": data}
		models["model"+string(rune('0'+i))] = last["model"]
	}
	models["history"] = last["history"]
	mean := b.must("train.lora", "average", map[string]any{"epochs": int64(2)}, models, "model")
	best := b.must("train.lora", "best", nil, models, "model")
	ema := b.must("train.lora", "ema", nil, map[string]string{"model": last["model"], "state": last["state"]}, "model")
	at := func(dir string) float64 {
		a, err := adapter.Read(dir)
		if err != nil {
			t.Fatal(err)
		}
		return float64(a.Params["layer0_query_lora_b"]["weight"].Float32s()[3])
	}
	one, two := at(models["model0"]), at(models["model1"])
	if got := at(mean["model"]); one == two || math.Abs(got-(one+two)/2) > 1e-8 {
		t.Errorf("the mean of %g and %g is %g", one, two, got)
	}
	if got := at(best["model"]); got != one && got != two {
		t.Errorf("the best of %g and %g is %g", one, two, got)
	}
	if got := at(ema["model"]); got == two || got == 0 {
		t.Errorf("the moving average is %g, the last %g", got, two)
	}
}

func readModel(t *testing.T, dir string) *bundle.Model {
	t.Helper()
	m, err := bundle.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// logits are those of a model over the test split.
func (b *bench) logits(model, data string) []float32 {
	b.t.Helper()
	manifest, err := dataset.ReadManifest(data)
	if err != nil {
		b.t.Fatal(err)
	}
	d, err := dataset.Read(data, manifest, "test")
	if err != nil {
		b.t.Fatal(err)
	}
	s, err := mlx.Open(mlx.Go)
	if err != nil {
		b.t.Fatal(err)
	}
	out, err := learn.Predict(context.Background(), s, readModel(b.t, model), d)
	if err != nil {
		b.t.Fatal(err)
	}
	return out
}
