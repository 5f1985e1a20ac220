// Package chain is training as a chain of cached segments, for the kinds that train: each epoch is an action from the state
// before it to the state after it.
//
//	segment   [graph | model] + data -> model + state + history     the first epoch
//	          model + state + data   -> model + state + history     every other
//	monitor   history -> flag                                        "go" or "stop", with early stopping only
//	select    history + all models -> model                          with select = "best" only
//
// The configuration of a segment does not name the epoch or their number: the state it begins from says where it stands. So
// more epochs run only what is new, and fewer run nothing.
package chain

import (
	"fmt"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
)

// The media types of what only a chain reads.
const (
	StateMediaType   = "application/vnd.mbuild.state.v1+safetensors"
	HistoryMediaType = "application/vnd.mbuild.history.v1+json"
	FlagMediaType    = "text/plain"
)

// Spec is what a kind asks of a chain.
type Spec struct {
	Prefix  string         // of the segments' addresses: "segment" gives segment[0], segment[1], …
	Params  map[string]any // of a segment: learn.Config
	Start   planner.Input  // named "graph" or "model"
	Data    planner.Input  // named "data"
	Epochs  int
	Best    bool           // give out the model with the lowest loss on the valid split
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
	history := planner.Input{}
	for k := range s.Epochs {
		a := planner.Action{Verb: "segment", Params: s.Params, Compute: true, Series: s.Prefix, Outputs: []planner.OutputDecl{
			{Name: "model", MediaType: bundle.MediaType, Directory: true},
			{Name: "state", MediaType: StateMediaType},
			{Name: "history", MediaType: HistoryMediaType},
		}}
		if prev == nil {
			a.Inputs = []planner.Input{s.Start, s.Data}
		} else {
			a.Inputs = []planner.Input{from("model", prev, "model"), from("state", prev, "state"), from("history", prev, "history"), s.Data}
		}
		if flag != nil {
			a.Inputs = append(a.Inputs, from("flag", flag, "flag"))
		}
		prev = l.Emit(fmt.Sprintf("%s[%d]", s.Prefix, k), a)
		models = append(models, from(fmt.Sprintf("model%d", k), prev, "model"))
		history = from("history", prev, "history")
		if s.Monitor != nil && k+1 < s.Epochs {
			flag = l.Emit(fmt.Sprintf("monitor[%d]", k), planner.Action{Verb: "monitor", Params: s.Monitor,
				Inputs: []planner.Input{history}, Outputs: []planner.OutputDecl{{Name: "flag", MediaType: FlagMediaType}}})
		}
	}
	r := Result{Model: prev, ModelOutput: "model", History: prev, HistoryOutput: "history"}
	if s.Best {
		r.Model = l.Emit("select", planner.Action{Verb: "select", Inputs: append(models, history),
			Outputs: []planner.OutputDecl{{Name: "model", MediaType: bundle.MediaType, Directory: true}}})
	}
	return r
}

func from(name string, a *planner.Action, output string) planner.Input {
	return planner.Input{Name: name, Source: planner.Source{Action: a, Output: output}}
}

// Runs are the runs of a kind that trains.
func Runs() map[string]executor.Run {
	return map[string]executor.Run{
		"segment": {Func: segment},
		"monitor": {Func: monitor, InProcess: true},
		"select":  {Func: choose, InProcess: true},
	}
}
