// Package distill is the kind `train distill`: a student that learns from labels and from a teacher.
package distill

import (
	"fmt"
	"maps"
	"slices"

	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/chain"
	"mbuild.dev/mbuild/stdlib/graph"
	"mbuild.dev/mbuild/stdlib/learn"
	"mbuild.dev/mbuild/stdlib/train"
)

// Kind is train.distill.
var Kind = train.Kind("distill", Schema, func(b *train.Block) {
	hidden, _ := b.Attr("hidden").(map[string]any)
	params := map[string]any{"temperature": b.Attr("temperature"), "alpha": b.Attr("alpha")}
	if len(hidden) > 0 {
		params["hidden"], params["hidden_loss"], params["hidden_weight"] = hidden, b.Attr("hidden_loss"), b.Attr("hidden_weight")
	}
	ok := b.Read(map[string]any{"distill": params}, "teacher", "temperature", "alpha", "hidden", "hidden_loss", "hidden_weight")
	teacher, known := b.Input("teacher", "teacher")
	if check(b, hidden); !ok || !known || b.Diagnostics().HasErrors() {
		return
	}
	lessons := chain.Teach(b.Lowering, teacher, b.Spec.Data, taught(b), layers(hidden))
	b.Spec.Beside = []planner.Input{lessons}
	if len(hidden) > 0 {
		b.Spec.Start = chain.Project(b.Lowering, b.Spec.Start, lessons, hidden, b.Attr("seed"))
		b.Finish = func(r *chain.Result) { r.Student(b.Lowering) }
	}
	b.Lower()
})

// layers are those of the teacher, sorted, each once.
func layers(hidden map[string]any) []string {
	var out []string
	for _, v := range hidden {
		out = append(out, v.(string))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// taught is the data that the teacher was trained on, where the spec says so and it is other data than the student's.
func taught(b *train.Block) *planner.Input {
	for at, p := "teacher", b.Block; ; at = "from" { // back through what was made of it
		if p = b.Producer(p, at); p == nil {
			return nil
		}
		data := p.Attrs()["data"]
		if p.Addr.Family != "train" || p.Addr.Type == "pretrain" {
			continue // a pass over the model, or a model that is read
		}
		in, ok := b.Source("taught", data, "teacher")
		if !ok || in.Source == b.Spec.Data.Source {
			return nil
		}
		return &in
	}
}

// check holds teacher and student against each other as far as their graphs are known.
func check(b *train.Block, hidden map[string]any) {
	teacher, _ := b.Static("teacher").(*graph.Graph)
	student := b.Spec.Graph
	for _, name := range slices.Sorted(maps.Keys(hidden)) {
		var err error
		if student != nil {
			err = learn.HasLayer("student", name, student)
		}
		if teacher != nil && err == nil {
			err = learn.HasLayer("teacher", hidden[name].(string), teacher)
		}
		b.Blame("Hidden layers do not fit", err)
	}
	if teacher == nil || student == nil {
		return
	}
	t, err1 := graph.Infer(teacher)
	s, err2 := graph.Infer(student)
	if err1 != nil || err2 != nil {
		return // which has been reported
	}
	in, out := t.Shapes[teacher.Outputs[0]], s.Shapes[student.Outputs[0]]
	if len(in) != len(out) || in[len(in)-1] != out[len(out)-1] {
		b.Blame("Teacher and student do not fit", &learn.Misfit{Attr: "teacher", Text: fmt.Sprintf("the teacher's %q gives %s, and the student's %q gives %s: both must give one logit for each of the same classes",
			teacher.Outputs[0], graph.ShapeText(in), student.Outputs[0], graph.ShapeText(out))})
	}
}
