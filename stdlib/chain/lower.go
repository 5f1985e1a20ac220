// Package chain is training as a chain of cached segments, for the kinds that train: each epoch is an action from the state
// before it to the state after it.
//
//	transfer  graph + model -> model                                 where a new head stands on the body of a model only
//	segment   [graph | model] + data -> model + state + history     the first epoch
//	          model + state + data   -> model + state + history     every other
//	monitor   history -> flag                                        "go" or "stop", with early stopping only
//	attach    base -> model                                          with a base only: an adapter that is not trained yet
//	apply     base + model -> model                                  the same: base and adapter as one model
//	best      history + all models -> model                          with select = "best" only
//	average   history + last models -> model                         with select = "average" only
//	ema       model + state -> model                                 with select = "ema" only
//
// The configuration of a segment does not name the epoch or their number: the state it begins from says where it stands. So
// more epochs run only what is new, and fewer run nothing. Schedules that have a horizon (cosine, …) break that, for their
// number of epochs is in every segment. The decay of wsd does not: it is links of its own, "decay[0]", …, behind stable ones.
//
// What a chain trains is a whole model, or an adapter over a base (package artifact/adapter): then "model" above is the adapter, the
// base is one more input of every segment, and what it holds is neither trained nor written again.
//
// Files: lower.go has the actions, segment.go what an epoch does, history.go the history and who reads it, pick.go the choice
// of a model, transfer.go a body that takes another head, adapter.go adapters, distill.go what stands around a chain that a
// teacher is beside.
package chain

import (
	"fmt"
	"maps"
	"slices"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/artifact/adapter"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/graph"
)

// The media types of what only a chain reads.
const (
	StateMediaType   = "application/vnd.mbuild.state.v1+safetensors"
	HistoryMediaType = "application/vnd.mbuild.history.v1+json"
	FlagMediaType    = "text/plain"
)

// Spec is what a kind asks of a chain.
type Spec struct {
	Prefix  string          // of the segments' addresses: "segment" gives segment[0], segment[1], …
	Params  map[string]any  // of a segment: learn.Config
	Start   planner.Input   // named "graph" or "model"
	Data    planner.Input   // named "data"
	Beside  []planner.Input // more inputs of each segment
	Base    *planner.Input  // named "base"; what Start is an adapter of, nil where it is a whole model
	Epochs  int
	Decay   int            // of the epochs, the last so many are the decay of a schedule wsd
	Select  string         // the model to give out: "" or last, best (the lowest loss on the valid split), ema, average
	Average int            // epochs that average takes the mean of
	Graph   *graph.Graph   // the architecture, where it is known; for the estimate of the work
	Monitor map[string]any // patience, min_delta; nil without early stopping
}

// Result names the actions that hold what came out.
type Result struct {
	Model, History             *planner.Action
	ModelOutput, HistoryOutput string
}

// Lower emits the actions of a chain.
func Lower(l *planner.Lowering, s Spec) Result {
	var prev, flag *planner.Action
	var models []planner.Input
	work := workOf(l, s)
	for k := range s.Epochs {
		a := s.segment(k)
		a.Work = work
		if prev == nil {
			a.Inputs = []planner.Input{s.Start, s.Data}
		} else {
			a.Inputs = []planner.Input{from("model", prev, "model"), from("state", prev, "state"), from("history", prev, "history"), s.Data}
		}
		if s.Base != nil {
			a.Inputs = append(a.Inputs, *s.Base)
		}
		a.Inputs = append(a.Inputs, s.Beside...)
		if flag != nil && k < s.stable() {
			a.Inputs = append(a.Inputs, from("flag", flag, "flag"))
		}
		prev = l.Emit(s.suffix(k), a)
		models = append(models, from(fmt.Sprintf("model%d", k), prev, "model"))
		if s.Monitor != nil && k+1 < s.stable() {
			flag = l.Emit(fmt.Sprintf("monitor[%d]", k), planner.Action{Verb: "monitor", Params: s.Monitor,
				Inputs: []planner.Input{from("history", prev, "history")}, Outputs: []planner.OutputDecl{{Name: "flag", MediaType: FlagMediaType}}})
		}
	}
	r := Result{Model: prev, ModelOutput: "model", History: prev, HistoryOutput: "history"}
	if a, ok := s.pick(prev, models); ok {
		r.Model = l.Emit(s.Select, a)
	}
	return r
}

// output is what is trained, as an output.
func (s Spec) output() planner.OutputDecl {
	if s.Base != nil {
		return planner.OutputDecl{Name: "model", MediaType: adapter.MediaType, Directory: true}
	}
	return planner.OutputDecl{Name: "model", MediaType: bundle.MediaType, Directory: true}
}

// stable is the number of epochs before the decay.
func (s Spec) stable() int { return s.Epochs - s.Decay }

func (s Spec) suffix(k int) string {
	if k >= s.stable() {
		return fmt.Sprintf("decay[%d]", k-s.stable())
	}
	return fmt.Sprintf("%s[%d]", s.Prefix, k)
}

// segment is the action of the k-th epoch, without inputs. What describes the decay of wsd is only in the segments of the decay,
// so that those before it are the same whatever follows.
func (s Spec) segment(k int) planner.Action {
	a := planner.Action{Verb: "segment", Params: s.Params, Compute: true, Series: s.Prefix, Outputs: []planner.OutputDecl{
		s.output(),
		{Name: "state", MediaType: StateMediaType},
		{Name: "history", MediaType: HistoryMediaType},
	}}
	schedule, _ := s.Params["schedule"].(map[string]any)
	if schedule["type"] != "wsd" {
		return a
	}
	a.Params, schedule = maps.Clone(s.Params), maps.Clone(schedule)
	a.Params["schedule"] = schedule
	gone := []string{"decay_epochs", "shape", "final"}
	if k >= s.stable() {
		schedule["decay"] = int64(k - s.stable())
		gone = []string{"warmup_steps", "warmup_epochs"}
	}
	for _, name := range gone {
		delete(schedule, name)
	}
	return a
}

// pick is the action that chooses or makes the model to give out; none where that is the last one's.
func (s Spec) pick(last *planner.Action, models []planner.Input) (planner.Action, bool) {
	history := from("history", last, "history")
	a := planner.Action{Verb: s.Select, Outputs: []planner.OutputDecl{s.output()}}
	switch s.Select {
	case "best":
		a.Inputs = append(slices.Clone(models), history)
	case "average":
		if s.Monitor == nil { // with early stopping, the last epochs may be any
			models = models[len(models)-s.Average:]
		}
		a.Inputs = append(slices.Clone(models), history)
		a.Params = map[string]any{"epochs": int64(s.Average)}
	case "ema":
		a.Inputs = []planner.Input{from("model", last, "model"), from("state", last, "state")}
	default:
		return a, false
	}
	return a, true
}

// bytesPerNumber is how many bytes of a source file stand for one number of an example: one in images, two or three in text,
// four in binary tables.
const bytesPerNumber = 2.5

// workOf estimates the operations of all epochs: three forward passes an example, for the gradient costs two.
func workOf(l *planner.Lowering, s Spec) planner.Work {
	if s.Graph == nil {
		return planner.Work{}
	}
	info, err := graph.Infer(s.Graph)
	if err != nil || len(s.Graph.Inputs) == 0 {
		return planner.Work{} // which has been reported
	}
	example := 3 * float64(info.FLOPs)
	batch, _ := s.Params["batch"].(int64)
	parts, _ := s.Params["accumulate"].(int64)
	work, each := planner.Work{Step: example * float64(batch/max(1, parts))}, example*float64(s.Epochs)
	for _, at := range []string{"data", "finetune.data"} {
		if b := l.Producer(l.Block, at); b != nil {
			if rows, ok := b.Attrs()["rows"].(int64); ok {
				work.Fixed = each * float64(rows)
				return work
			}
		}
	}
	work.PerByte = each / (bytesPerNumber * float64(graph.Size(s.Graph.Inputs[0].Shape)))
	return work
}

func from(name string, a *planner.Action, output string) planner.Input {
	return planner.Input{Name: name, Source: planner.Source{Action: a, Output: output}}
}

// Runs are the runs of a kind that trains.
func Runs() map[string]executor.Run {
	return map[string]executor.Run{
		"segment": {Func: segment},
		"monitor": {Func: monitor, InProcess: true},
		"best":    {Func: best, InProcess: true},
		"average": {Func: average},
		"ema":     {Func: ema},

		"transfer": {Func: transfer, InProcess: true},
		"attach":   {Func: attachAdapter, InProcess: true},
		"apply":    {Func: applyAdapter, InProcess: true},
		"teach":    {Func: teach},
		"project":  {Func: project, InProcess: true},
		"student":  {Func: student, InProcess: true},
	}
}
