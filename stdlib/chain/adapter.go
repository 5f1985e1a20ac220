package chain

import (
	"context"
	"errors"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/adapt"
	"mbuild.dev/mbuild/stdlib/artifact/adapter"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/learn"
)

// trained is what a chain trains: a model, or an adapter over a base.
type trained struct {
	model   *bundle.Model
	adapter *adapter.Adapter // nil of a model
}

func readTrained(dir string) (t *trained, err error) {
	t = &trained{}
	if adapter.Is(dir) {
		t.adapter, err = adapter.Read(dir)
	} else {
		t.model, err = bundle.Read(dir)
	}
	return t, err
}

// params are those that are written.
func (t *trained) params() map[string]bundle.Params {
	if t.adapter != nil {
		return t.adapter.Params
	}
	return t.model.Params
}

// write writes the same with other parameters.
func (t *trained) write(dir string, params map[string]bundle.Params) error {
	if t.adapter != nil {
		a := *t.adapter
		a.Params = params
		return adapter.Write(dir, &a)
	}
	return bundle.Write(dir, &bundle.Model{Graph: t.model.Graph, Info: t.model.Info, Params: params})
}

// read reads the model that a segment begins from, whole. Of what it was read from only what is written again is kept, without
// parameters.
func (w *warm) read(job *executor.Job) (*bundle.Model, error) {
	if !job.Has("base") {
		m, err := bundle.Read(job.In("model"))
		if err == nil {
			w.trained = &trained{model: &bundle.Model{Graph: m.Graph, Info: m.Info}}
		}
		return m, err
	}
	m, a, err := readOver(job)
	if err != nil {
		return nil, err
	}
	if w.only, err = adapt.Trained(a.Graph, &a.Config); err != nil {
		return nil, err
	}
	w.trained = &trained{adapter: &adapter.Adapter{Config: a.Config, Base: a.Base, Graph: a.Graph}}
	return m, nil
}

// readOver reads an adapter, the input "model", over the input "base".
func readOver(job *executor.Job) (*bundle.Model, *adapter.Adapter, error) {
	a, err := adapter.Read(job.In("model"))
	if err != nil {
		return nil, nil, err
	}
	base, err := bundle.Read(job.In("base"))
	if err != nil {
		return nil, nil, err
	}
	m, err := a.Over(base, job.Inputs["base"].Digest)
	return m, a, err
}

// state is what a segment writes: of an adapter, without the parameters of the base.
func (w *warm) state() (*learn.State, error) {
	if w.trained.adapter != nil {
		return w.trainer.Changed()
	}
	return w.trainer.State()
}

// Attach emits the actions of an adapter around a chain: the one that makes it, which the chain starts from, and, once the chain is
// lowered, the one that makes base and adapter one model.
func Attach(l *planner.Lowering, base planner.Input, config map[string]any) planner.Input {
	base.Name = "base"
	a := l.Emit("attach", planner.Action{Verb: "attach", Params: config, Inputs: []planner.Input{base},
		Outputs: []planner.OutputDecl{{Name: "model", MediaType: adapter.MediaType, Directory: true}}})
	return from("model", a, "model")
}

// Apply emits the action that makes base and adapter one model.
func Apply(l *planner.Lowering, base planner.Input, r Result) *planner.Action {
	base.Name = "base"
	return l.Emit("apply", planner.Action{Verb: "apply", Inputs: []planner.Input{base, from("model", r.Model, r.ModelOutput)},
		Outputs: []planner.OutputDecl{{Name: "model", MediaType: bundle.MediaType, Directory: true}}})
}

// attachAdapter makes an adapter that is not trained yet.
func attachAdapter(_ context.Context, job *executor.Job) error {
	var p struct {
		adapter.Config
		Seed int64 `json:"seed"`
	}
	if err := job.Bind(&p); err != nil {
		return err
	}
	base, err := bundle.Read(job.In("base"))
	if err != nil {
		return err
	}
	a, err := adapt.New(base, job.Inputs["base"].Digest, p.Config, p.Seed)
	var m *learn.Misfit
	if errors.As(err, &m) {
		return &executor.Failure{Code: "misfit", Summary: "Adapter does not fit the model", Attr: m.Attr, Detail: m.Sentence()}
	} else if err != nil {
		return err
	}
	return adapter.Write(job.Out("model"), a)
}

// applyAdapter makes base and adapter one model, of the layers of both.
func applyAdapter(_ context.Context, job *executor.Job) error {
	m, a, err := readOver(job)
	if err != nil {
		return err
	}
	own := 0
	for _, ps := range a.Params {
		for _, t := range ps {
			own += len(t.Data)
		}
	}
	job.Metrics["parameters"], job.Metrics["adapter_bytes"] = float64(m.Info.Parameters), float64(own)
	return bundle.Write(job.Out("model"), m)
}
