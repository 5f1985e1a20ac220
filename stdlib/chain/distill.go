package chain

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
	"mbuild.dev/mbuild/stdlib/graph"
	"mbuild.dev/mbuild/stdlib/learn"
)

// A chain that a teacher stands beside has three more actions:
//
//	teach     teacher + data -> lessons           what the teacher says about the train split
//	project   [graph | model] + lessons -> model  where hidden layers are matched: the student, with them as outputs
//	student   model -> model                      the same without
//
// The lessons are an input of each segment. What they are made of does not know the student, so that students share them.

// LessonsMediaType is the media type of what a teacher says: "logits" and "hidden/<layer>", [rows, width] or [tokens, width] F32,
// and in the metadata which are of tokens, and the shape that a row has.
const LessonsMediaType = "application/vnd.mbuild.lessons.v1+safetensors"

const (
	logitsName   = "logits"
	hiddenPrefix = "hidden/"
	// projection is the name of a layer that brings the student's layer to the width of the teacher's.
	projection = "distill_"
)

// Teach emits the action that asks a teacher about data. taught is what the teacher was trained on, where that is known and other
// data: classes and tokenizers of both must be the same.
func Teach(l *planner.Lowering, teacher, data planner.Input, taught *planner.Input, layers []string) planner.Input {
	a := planner.Action{Verb: "teach", Compute: true, Inputs: []planner.Input{teacher, data}, Outputs: []planner.OutputDecl{{Name: "lessons", MediaType: LessonsMediaType}}}
	if taught != nil {
		a.Inputs = append(a.Inputs, *taught)
	}
	if len(layers) > 0 {
		list := make([]any, len(layers))
		for i, name := range layers {
			list[i] = name
		}
		a.Params = map[string]any{"layers": list}
	}
	return from("lessons", l.Emit("teach", a), "lessons")
}

// Project emits the action that makes hidden layers outputs of a student.
func Project(l *planner.Lowering, start, lessons planner.Input, hidden map[string]any, seed any) planner.Input {
	return from("model", l.Emit("project", planner.Action{Verb: "project", Params: map[string]any{"hidden": hidden, "seed": seed}, Inputs: []planner.Input{start, lessons},
		Outputs: []planner.OutputDecl{{Name: "model", MediaType: bundle.MediaType, Directory: true}}}), "model")
}

// Student emits the action that takes from a model what Project put there, and says that it is the result.
func (r *Result) Student(l *planner.Lowering) {
	r.Model = l.Emit("student", planner.Action{Verb: "student", Inputs: []planner.Input{from("model", r.Model, r.ModelOutput)},
		Outputs: []planner.OutputDecl{{Name: "model", MediaType: bundle.MediaType, Directory: true}}})
	r.ModelOutput = "model"
}

// teach asks the teacher.
func teach(ctx context.Context, job *executor.Job) error {
	var p struct {
		Layers []string `json:"layers"`
	}
	if err := job.Bind(&p); err != nil {
		return err
	}
	m, err := bundle.Read(job.In("teacher"))
	if err != nil {
		return err
	}
	manifest, err := dataset.ReadManifest(job.In("data"))
	if err != nil {
		return err
	}
	if job.Has("taught") {
		taught, err := dataset.ReadManifest(job.In("taught"))
		if err != nil {
			return err
		}
		if err := sameWorld(taught, manifest); err != nil {
			return &executor.Failure{Code: "misfit", Summary: "Teacher and student do not fit", Attr: "teacher", Detail: err.Error() + "."}
		}
	}
	d, err := dataset.Read(job.In("data"), manifest, "train")
	if err != nil {
		return misfit(err)
	}
	s, err := mlx.Open(job.Backend)
	if err != nil {
		return err
	}
	t, err := learn.Teach(ctx, s, m, d, p.Layers, func(done, total int) { job.Progress(int64(done), int64(total), nil) })
	if err != nil {
		f := misfit(err).(*executor.Failure)
		f.Summary, f.Detail = "Teacher does not fit", "The teacher: "+f.Detail
		if f.Attr == "data" {
			f.Attr = "teacher"
		}
		return f
	}
	job.Metrics["rows"] = float64(d.Rows)
	return writeLessons(job.Out("lessons"), t)
}

// sameWorld holds what a teacher was taught with against what its student learns from.
func sameWorld(teacher, student *dataset.Manifest) error {
	if a, b := teacher.Label, student.Label; a != nil && b != nil && !slices.Equal(a.Classes, b.Classes) {
		return fmt.Errorf("the teacher was trained with the classes %s of the label %q, and the student's label %q has the classes %s. Give both datasets the same classes in the same order", some(a.Classes), a.Name, b.Name, some(b.Classes))
	}
	for i := range student.Sequences {
		b := &student.Sequences[i]
		a := teacher.Sequence(b.Name)
		if a == nil && len(teacher.Sequences) == 1 && len(student.Sequences) == 1 {
			a = &teacher.Sequences[0]
		}
		if a != nil && a.Tokenizer != b.Tokenizer {
			return fmt.Errorf("the teacher was trained with the tokens of the tokenizer %s (%d tokens), and the student's data is of %s (%d tokens). A teacher can only be asked about the tokens that it knows: make both datasets with one tokenizer", short(a.Tokenizer), a.VocabSize, short(b.Tokenizer), b.VocabSize)
		}
	}
	return nil
}

func some(classes []string) string {
	if more := len(classes) - 10; more > 0 {
		return fmt.Sprintf("%q and %d more", classes[:10], more)
	}
	return fmt.Sprintf("%q", classes)
}

// short is enough of a digest to tell it from others.
func short(digest string) string { return digest[:min(len(digest), len("sha256:")+12)] }

func writeLessons(path string, t *learn.Teacher) error {
	meta := map[string]string{}
	var ts []safetensors.Tensor
	add := func(name string, v *learn.Taught) {
		ts = append(ts, safetensors.Tensor{Name: name, DType: "F32", Shape: []int{len(v.Values) / v.Width, v.Width}, Data: safetensors.Bytes(v.Values)})
		kind := "rows"
		if v.Tokens {
			kind = "tokens"
		}
		meta[name] = kind + " " + strings.Trim(fmt.Sprint(v.Shape), "[]")
	}
	add(logitsName, t.Logits)
	for name, v := range t.Hidden {
		add(hiddenPrefix+name, v)
	}
	return safetensors.WriteFile(path, ts, meta)
}

// readLessons reads the same.
func readLessons(path string) (*learn.Teacher, error) {
	ts, meta, err := safetensors.ReadFile(path)
	if err != nil {
		return nil, err
	}
	t := &learn.Teacher{Hidden: map[string]*learn.Taught{}}
	for _, x := range ts {
		kind, dims, _ := strings.Cut(meta[x.Name], " ")
		if x.DType != "F32" || len(x.Shape) != 2 || x.Shape[1] < 1 || kind != "rows" && kind != "tokens" {
			return nil, fmt.Errorf("lessons: the tensor %q is %s%v of %q", x.Name, x.DType, x.Shape, meta[x.Name])
		}
		v := &learn.Taught{Values: safetensors.View[float32](x.Data), Width: x.Shape[1], Tokens: kind == "tokens"}
		for f := range strings.FieldsSeq(dims) {
			n := 0
			if _, err := fmt.Sscan(f, &n); err != nil {
				return nil, fmt.Errorf("lessons: the tensor %q has the shape %q", x.Name, dims)
			}
			v.Shape = append(v.Shape, n)
		}
		if name, ok := strings.CutPrefix(x.Name, hiddenPrefix); ok {
			t.Hidden[name] = v
		} else {
			t.Logits = v
		}
	}
	if t.Logits == nil {
		return nil, fmt.Errorf("lessons: there are no logits")
	}
	return t, nil
}

// project makes the student's hidden layers outputs, behind a projection without bias (Jiao et al. 2020) where the teacher's are
// of another width.
func project(_ context.Context, job *executor.Job) error {
	var p struct {
		Hidden map[string]string `json:"hidden"`
		Seed   int64             `json:"seed"`
	}
	if err := job.Bind(&p); err != nil {
		return err
	}
	w := &warm{config: learn.Config{Seed: p.Seed}}
	state, err := w.begin(job)
	if err != nil {
		return err
	}
	t, err := readLessons(job.In("lessons"))
	if err != nil {
		return err
	}
	d := &learn.Distill{Hidden: p.Hidden}
	if err := d.CheckStudents(w.graph); err != nil {
		return misfit(err)
	}
	g := w.graph.Clone()
	for _, name := range d.Students() {
		h, shape := t.Hidden[p.Hidden[name]], w.info.Shapes[name]
		if h == nil {
			return fmt.Errorf("the lessons have no layer %q", p.Hidden[name])
		}
		last := shape[len(shape)-1]
		if want := h.Shape[len(h.Shape)-1]; last != want {
			if len(shape) > 2 || len(shape) != len(h.Shape) {
				return misfit(&learn.Misfit{Attr: "hidden", Text: fmt.Sprintf("the student's %q gives %s, and the teacher's %q %s: layers of other widths are matched where both give a vector, or a vector for each position", name, graph.ShapeText(shape), p.Hidden[name], graph.ShapeText(h.Shape))})
			}
			l := graph.Layer{Name: projection + name, Op: "dense", Inputs: []string{name}, Attrs: map[string]any{"units": int64(want), "use_bias": false}}
			if g.Layer(l.Name) != nil || !graph.CheckName(l.Name) {
				return misfit(&learn.Misfit{Attr: "hidden", Text: fmt.Sprintf("the layer that %q is projected by would be called %q, which is taken or too long", name, l.Name)})
			}
			g.Layers = append(g.Layers, l)
			name = l.Name
		}
		g.Outputs = append(g.Outputs, name)
	}
	info, err := graph.Infer(g)
	if err != nil {
		return err
	}
	params := learn.Init(info, p.Seed)
	maps.Copy(params, state.Params)
	return bundle.Write(job.Out("model"), &bundle.Model{Graph: g, Info: info, Params: params})
}

// student takes the projections off.
func student(_ context.Context, job *executor.Job) error {
	m, err := bundle.Read(job.In("model"))
	if err != nil {
		return err
	}
	m.Graph.Outputs = m.Graph.Outputs[:1]
	m.Graph.Layers = slices.DeleteFunc(m.Graph.Layers, func(l graph.Layer) bool {
		gone := strings.HasPrefix(l.Name, projection)
		if gone {
			delete(m.Params, l.Name)
		}
		return gone
	})
	if m.Info, err = graph.Infer(m.Graph); err != nil {
		return err
	}
	return bundle.Write(job.Out("model"), m)
}
