package chain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"time"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/lang/value"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
	"mbuild.dev/mbuild/stdlib/graph"
	"mbuild.dev/mbuild/stdlib/learn"
)

// Epoch is one line of a history.
type Epoch struct {
	Epoch         int      `json:"epoch"` // from 1
	Loss          float64  `json:"loss"`
	Accuracy      *float64 `json:"accuracy,omitempty"`
	ValidLoss     *float64 `json:"valid_loss,omitempty"`
	ValidAccuracy *float64 `json:"valid_accuracy,omitempty"`
}

// position is where a training state stands.
type position struct {
	Epoch int `json:"epoch"`
	Step  int `json:"step"`
}

// warm is what a worker keeps between the segments of a chain: the compiled trainer, and which job's state it holds.
type warm struct {
	origin  string // "<job id>/state"
	params  string
	data    string
	trainer *learn.Trainer
	graph   *graph.Graph
	info    *graph.Info
	valid   *dataset.Data
	classes bool
}

// segment does one epoch.
func segment(ctx context.Context, job *executor.Job) error {
	if job.Has("flag") {
		flag, err := os.ReadFile(job.In("flag"))
		if err != nil {
			return err
		}
		if strings.TrimSpace(string(flag)) == "stop" {
			return passOn(job)
		}
	}
	w, err := attach(job)
	if err != nil {
		return err
	}
	last := time.Now()
	begin := last
	m, err := w.trainer.Epoch(ctx, func(step, total int) {
		if now := time.Now(); now.Sub(last) > 50*time.Millisecond || step == total {
			last = now
			job.Progress(int64(step), int64(total), map[string]float64{"steps_per_second": float64(step) / now.Sub(begin).Seconds()})
		}
	})
	if err != nil {
		job.Memory.Put("chain", nil)
		var d *learn.Diverged
		if errors.As(err, &d) {
			return &executor.Failure{Code: "diverged", Summary: "Training diverged", Attr: "optimizer", Detail: fmt.Sprintf("%s: %v. Nothing of this epoch is kept.", job.Addr, d)}
		}
		return err
	}
	return w.save(ctx, job, m)
}

// attach finds the trainer that holds the state to go on from, or makes one from what the inputs say.
func attach(job *executor.Job) (*warm, error) {
	enc, err := value.Canonical(job.Params)
	if err != nil {
		return nil, err
	}
	if w, ok := job.Memory.Get("chain").(*warm); ok && job.Has("state") {
		in := job.Inputs["state"]
		if in.Origin != "" && in.Origin == w.origin && w.params == string(enc) && w.data == job.Inputs["data"].Digest {
			return w, nil
		}
	}
	job.Memory.Put("chain", nil)
	w := &warm{params: string(enc), data: job.Inputs["data"].Digest}
	var config learn.Config
	if err := job.Bind(&config); err != nil {
		return nil, err
	}
	state, err := w.begin(job, config)
	if err != nil {
		return nil, err
	}
	manifest, err := dataset.ReadManifest(job.In("data"))
	if err != nil {
		return nil, err
	}
	data, err := dataset.Read(job.In("data"), manifest, "train")
	if err != nil {
		return nil, misfit("data", err)
	}
	if data.Classes == nil && data.Numbers == nil {
		return nil, misfit("data", errors.New("the dataset has no label: set label in its block"))
	}
	if manifest.Has("valid") && manifest.Splits[0].Name != dataset.All {
		if w.valid, err = dataset.Read(job.In("data"), manifest, "valid"); err != nil {
			return nil, err
		}
	}
	w.classes = config.Loss == "cross_entropy"
	session, err := mlx.Open(job.Backend)
	if err != nil {
		return nil, err
	}
	if w.trainer, err = learn.NewTrainer(session, w.graph, w.info, config, data, state); err != nil {
		return nil, misfit("data", err)
	}
	job.Memory.Put("chain", w)
	return w, nil
}

func misfit(attr string, err error) error {
	return &executor.Failure{Code: "misfit", Summary: "Model and data do not fit", Attr: attr, Detail: err.Error() + "."}
}

// begin reads or makes the state that the epoch starts from.
func (w *warm) begin(job *executor.Job, config learn.Config) (*learn.State, error) {
	if job.Has("graph") {
		b, err := os.ReadFile(job.In("graph"))
		if err != nil {
			return nil, err
		}
		if w.graph, w.info, err = graph.Decode(b); err != nil {
			return nil, err
		}
		return &learn.State{Params: learn.Init(w.info, config.Seed)}, nil
	}
	m, err := bundle.Read(job.In("model"))
	if err != nil {
		return nil, err
	}
	w.graph, w.info = m.Graph, m.Info
	state := &learn.State{Params: m.Params}
	if !job.Has("state") {
		return state, nil
	}
	ts, meta, err := safetensors.ReadFile(job.In("state"))
	if err != nil {
		return nil, err
	}
	var pos position
	if err := json.Unmarshal([]byte(meta["position"]), &pos); err != nil {
		return nil, fmt.Errorf("training state: %w", err)
	}
	state.Epoch, state.Step = pos.Epoch, pos.Step
	state.Moments = map[string]bundle.Params{}
	for _, t := range ts {
		layer, name, _ := strings.Cut(t.Name, "/")
		if state.Moments[layer] == nil {
			state.Moments[layer] = bundle.Params{}
		}
		state.Moments[layer][name] = &bundle.Tensor{DType: graph.DType(t.DType), Shape: t.Shape, Data: t.Data}
	}
	return state, nil
}

// writeState writes the optimizer's tensors as "<layer>/<param>.<moment>", and the position in the metadata.
func writeState(path string, s *learn.State) error {
	var ts []safetensors.Tensor
	for layer, ps := range s.Moments {
		for name, t := range ps {
			ts = append(ts, safetensors.Tensor{Name: layer + "/" + name, DType: string(t.DType), Shape: t.Shape, Data: t.Data})
		}
	}
	pos, err := json.Marshal(position{s.Epoch, s.Step})
	if err != nil {
		return err
	}
	return safetensors.WriteFile(path, ts, map[string]string{"position": string(pos)})
}

// save writes model, state and history, and remembers which job's state the trainer now holds.
func (w *warm) save(ctx context.Context, job *executor.Job, m learn.Metrics) error {
	state, err := w.trainer.State()
	if err != nil {
		return err
	}
	line := Epoch{Epoch: state.Epoch, Loss: m.Loss}
	job.Metrics["loss"], job.Metrics["epoch"] = m.Loss, float64(state.Epoch)
	if w.classes {
		line.Accuracy = &m.Accuracy
		job.Metrics["accuracy"] = m.Accuracy
	}
	if w.valid != nil {
		v, err := w.trainer.Evaluate(ctx, w.valid)
		if err != nil {
			return err
		}
		line.ValidLoss = finite(v.Loss)
		if w.classes {
			line.ValidAccuracy = &v.Accuracy
			job.Metrics["valid_accuracy"] = v.Accuracy
		}
		job.Metrics["valid_loss"] = v.Loss
	}
	if err := bundle.Write(job.Out("model"), &bundle.Model{Graph: w.graph, Info: w.info, Params: state.Params}); err != nil {
		return err
	}
	if err := writeState(job.Out("state"), state); err != nil {
		return err
	}
	var history []Epoch
	if job.Has("history") {
		if history, err = ReadHistory(job.In("history")); err != nil {
			return err
		}
	}
	w.origin = fmt.Sprintf("%d/state", job.ID)
	return writeJSON(job.Out("history"), append(history, line))
}

func finite(f float64) *float64 {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil
	}
	return &f
}

// ReadHistory reads a history.
func ReadHistory(path string) ([]Epoch, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var h []Epoch
	if err := json.Unmarshal(b, &h); err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	return h, nil
}

func writeJSON(path string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}

// passOn hands everything on unchanged: training has stopped early.
func passOn(job *executor.Job) error {
	if err := os.CopyFS(job.Out("model"), os.DirFS(job.In("model"))); err != nil {
		return err
	}
	for _, name := range []string{"state", "history"} {
		b, err := os.ReadFile(job.In(name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(job.Out(name), b, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// watched is the loss that early stopping and selection look at: on the valid split, else on the train split.
func watched(e Epoch) float64 {
	if e.ValidLoss != nil {
		return *e.ValidLoss
	}
	return e.Loss
}

// best is the index of the epoch with the lowest loss that beats those before it by more than minDelta.
func best(h []Epoch, minDelta float64) int {
	at := 0
	for i := range h {
		if watched(h[i]) < watched(h[at])-minDelta {
			at = i
		}
	}
	return at
}

// monitor says whether to go on.
func monitor(_ context.Context, job *executor.Job) error {
	var p struct {
		Patience int     `json:"patience"`
		MinDelta float64 `json:"min_delta"`
	}
	if err := job.Bind(&p); err != nil {
		return err
	}
	h, err := ReadHistory(job.In("history"))
	if err != nil {
		return err
	}
	flag := "go\n"
	if len(h)-1-best(h, p.MinDelta) >= p.Patience {
		flag = "stop\n"
	}
	return os.WriteFile(job.Out("flag"), []byte(flag), 0o644)
}

// choose hands out the model of the best epoch.
func choose(_ context.Context, job *executor.Job) error {
	h, err := ReadHistory(job.In("history"))
	if err != nil {
		return err
	}
	at := best(h, 0)
	job.Metrics["epoch"] = float64(at + 1)
	return os.CopyFS(job.Out("model"), os.DirFS(job.In(fmt.Sprintf("model%d", at))))
}
