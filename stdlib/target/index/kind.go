// Package index is the kind `target index`: vectors of a dataset's rows, to search in by the cosine.
package index

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
	"mbuild.dev/mbuild/stdlib/graph"
	"mbuild.dev/mbuild/stdlib/learn"
	"mbuild.dev/mbuild/stdlib/target"
)

// MediaType is the media type of an index.
const MediaType = "application/vnd.mbuild.index.v1"

// Kind is target.index.
var Kind = &executor.Kind{
	Kind: planner.Kind{
		Family: "target", Type: "index", Version: Schema.Version, Schema: Schema, Determinism: planner.Bitwise, Lower: lowerBlock,
		Outputs: []planner.Output{{Name: "artifact", Type: "artifact", MediaType: MediaType, Directory: true}},
	},
	Runs: map[string]executor.Run{"": {Func: run}},
}

func lowerBlock(l *planner.Lowering) hcl.Diagnostics {
	p := target.Path(l, true)
	model, ok1 := l.Input("model", "from")
	data, ok2 := l.Input("data", "data")
	if !ok1 || !ok2 || l.Diagnostics().HasErrors() {
		return l.Diagnostics()
	}
	a := l.Emit("", planner.Action{Params: l.Params("from", "data", "gates", "path"), Inputs: []planner.Input{model, data}, Gates: l.Gates("gates"), Compute: true,
		Outputs: []planner.OutputDecl{{Name: "artifact", MediaType: MediaType, Directory: true}}})
	l.Bind("artifact", a, "artifact")
	l.Artifact(a, "artifact", p)
	return l.Diagnostics()
}

func run(ctx context.Context, job *executor.Job) error {
	m, err := bundle.Read(job.In("model"))
	if err != nil {
		return err
	}
	if name, _ := job.Params["output"].(string); name != "" {
		if m, err = tower(m, name); err != nil {
			return misfit("output", err)
		}
	}
	manifest, err := dataset.ReadManifest(job.In("data"))
	if err != nil {
		return err
	}
	s, err := mlx.Open(job.Backend)
	if err != nil {
		return err
	}
	texts, err := os.Create(filepath.Join(job.Out("artifact"), "rows.jsonl"))
	if err != nil {
		return err
	}
	defer texts.Close()
	w := bufio.NewWriter(texts)
	var vectors []float32
	rows := 0
	for _, split := range manifest.Splits {
		d, err := dataset.Read(job.In("data"), manifest, split.Name)
		if err != nil {
			return err
		}
		out, err := learn.Predict(ctx, s, m, d)
		if err != nil {
			return misfit("data", err)
		}
		if len(out)%d.Rows != 0 || rows > 0 && len(out)/d.Rows != len(vectors)/rows || len(m.Info.Shapes[m.Graph.Outputs[0]]) != 1 {
			return misfit("from", fmt.Errorf("the layer %q gives %s, and an index needs one vector a row", m.Graph.Outputs[0], graph.ShapeText(m.Info.Shapes[m.Graph.Outputs[0]])))
		}
		vectors, rows = append(vectors, out...), rows+d.Rows
		if err := write(w, manifest, d); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	width := len(vectors) / rows
	zero := normalize(vectors, width)
	if zero > 0 {
		fmt.Fprintf(job.Log, "warning: %d of %d rows have a vector of zeros, which is near nothing\n", zero, rows)
	}
	job.Metrics["rows"], job.Metrics["width"] = float64(rows), float64(width)
	return safetensors.WriteFile(filepath.Join(job.Out("artifact"), "vectors.safetensors"),
		[]safetensors.Tensor{{Name: "vectors", DType: "F32", Shape: []int{rows, width}, Data: safetensors.Bytes(vectors)}}, nil)
}

func misfit(attr string, err error) error {
	return &executor.Failure{Code: "misfit", Summary: "Model and data do not fit", Attr: attr, Detail: err.Error() + "."}
}

// tower is the part of a model that a layer is made of, with that layer as its output.
func tower(m *bundle.Model, output string) (*bundle.Model, error) {
	if m.Graph.Layer(output) == nil {
		return nil, fmt.Errorf("the model has no layer %q; it gives %v", output, m.Graph.Outputs)
	}
	m, err := m.Unshared() // a tower that shares its weights holds them itself, and the other input is not needed
	if err != nil {
		return nil, err
	}
	need := map[string]bool{output: true}
	g := &graph.Graph{Outputs: []string{output}}
	whole := m.Graph.Clone()
	for i := len(whole.Layers) - 1; i >= 0; i-- { // a layer stands behind what it takes
		if l := whole.Layers[i]; need[l.Name] {
			for _, in := range l.Inputs {
				need[in] = true
			}
			if e := l.Text("embedding", ""); e != "" { // of a tied layer, whose weight is another's
				need[e] = true
			}
		}
	}
	for _, in := range whole.Inputs {
		if need[in.Name] {
			g.Inputs = append(g.Inputs, in)
		}
	}
	out := &bundle.Model{Graph: g, Params: map[string]bundle.Params{}}
	for _, l := range whole.Layers {
		if need[l.Name] {
			g.Layers = append(g.Layers, l)
			if p := m.Params[l.Name]; p != nil {
				out.Params[l.Name] = p
			}
		}
	}
	out.Info, err = graph.Infer(g)
	return out, err
}

// write writes the texts of rows, an object each.
func write(w *bufio.Writer, m *dataset.Manifest, d *dataset.Data) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for row := range d.Rows {
		object := map[string]string{}
		for _, c := range m.Columns {
			if t := d.Texts[c.Name]; t != nil && t.Rows == nil {
				object[c.Name] = t.At(row)
			}
		}
		if l := m.Label; l != nil && l.Kind == "class" {
			object[l.Name] = l.Classes[d.Classes[row]]
		}
		if err := enc.Encode(object); err != nil {
			return err
		}
	}
	return nil
}

// normalize brings vectors to length 1, and counts those of zeros.
func normalize(v []float32, width int) (zero int) {
	for at := 0; at < len(v); at += width {
		sum := 0.0
		for _, x := range v[at : at+width] {
			sum += float64(float64(x) * float64(x))
		}
		if sum == 0 {
			zero++
			continue
		}
		for i := at; i < at+width; i++ {
			v[i] = float32(float64(v[i]) / math.Sqrt(sum))
		}
	}
	return zero
}
