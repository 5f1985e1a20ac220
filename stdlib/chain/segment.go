package chain

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/lang/value"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/graph"
	"mbuild.dev/mbuild/stdlib/learn"
)

// warm is what a worker keeps between the segments of a chain: the compiled trainer, and which job's state it holds.
type warm struct {
	origin  string // "<job id>/state"
	params  string
	data    *splits
	config  learn.Config
	trainer *learn.Trainer
	graph   *graph.Graph
	info    *graph.Info
	trained *trained // what is written, but for its parameters
	only    []string // of an adapter: the parameters that are trained
	ahead   *ahead   // the epoch after the one whose state it holds, if that has begun; params and config are that one's
}

// splits are the data of a chain. A worker keeps those it read last, for the next chain of a sweep.
type splits struct {
	digest       string
	train, valid *dataset.Data // valid is nil where there is no such split
	classes      []string
	lessons      string         // digest of
	teacher      *learn.Teacher // what it says about train; nil where there is none
}

// The names of what a chain keeps in a worker's memory.
const (
	warmSlot     = "chain"
	dataSlot     = "chain/data"
	programsSlot = "chain/programs"
)

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
	if err := w.warmedUp(job); err != nil {
		drop(job.Memory)
		return err
	}
	r, took, err := w.epoch(ctx, job)
	if err != nil {
		job.Memory.Put(warmSlot, nil)
		return w.failed(ctx, job, err)
	}
	if err := w.save(ctx, job, r, took); err != nil {
		drop(job.Memory)
		return err
	}
	return nil
}

// drop forgets the trainer, and stops what it does.
func drop(m *executor.Memory) {
	if w, ok := m.Get(warmSlot).(*warm); ok && w.ahead != nil {
		w.ahead.stop()
	}
	m.Put(warmSlot, nil)
}

// warmedUp reports a decay of wsd that begins before its warm-up has ended: how many steps an epoch has, only the data tells.
func (w *warm) warmedUp(job *executor.Job) error {
	if d := w.config.Schedule.Decay; d == nil || *d > 0 || !job.Has("history") {
		return nil
	}
	h, err := ReadHistory(job.In("history"))
	if err != nil || len(h) == 0 {
		return err
	}
	if last := h[len(h)-1]; last.LR < w.config.Optimizer.LR {
		return &executor.Failure{Code: "misfit", Summary: "Schedule does not fit", Attr: "schedule", Detail: fmt.Sprintf(
			"the wsd schedule ends before it begins: its decay comes after epoch %d, when warm-up has brought the learning rate to %.4g of %.4g. Warm up for less, or train for more epochs.", last.Epoch, last.LR, w.config.Optimizer.LR)}
	}
	return nil
}

// progress tells of an epoch under way, some twenty times a second.
func (w *warm) progress(job *executor.Job, begin time.Time) func(step, total int, loss float64) {
	last, loss := begin, math.NaN()
	return func(step, total int, l float64) {
		if !math.IsNaN(l) {
			loss = l
		}
		now := time.Now()
		if now.Sub(last) < 50*time.Millisecond && step != total {
			return
		}
		last = now
		seconds := now.Sub(begin).Seconds()
		m := map[string]float64{"steps_per_second": float64(step) / seconds, "examples_per_second": float64(step*w.config.Batch) / seconds}
		if !math.IsNaN(loss) {
			m["loss"] = loss
		}
		job.Progress(int64(step), int64(total), m)
	}
}

// failed words the end of an epoch that went wrong. One that diverged is gone through again, for the layer that went first.
func (w *warm) failed(ctx context.Context, job *executor.Job, err error) error {
	var div *learn.Diverged
	var over *learn.Overflow
	switch {
	case errors.As(err, &div):
		if again, err := attach(job); err == nil {
			div = again.trainer.Diagnose(ctx, div)
			drop(job.Memory)
		}
		return &executor.Failure{Code: "diverged", Summary: "Training diverged", Attr: "optimizer", Detail: fmt.Sprintf("%s: %v. Nothing of this epoch is kept.", job.Addr, div)}
	case errors.As(err, &over):
		return &executor.Failure{Code: "overflow", Summary: "Training overflows float16", Attr: "precision", Detail: fmt.Sprintf("%s: %v. Nothing of this epoch is kept.", job.Addr, over)}
	}
	return err
}

// attach finds the trainer that holds the state to go on from, or makes one from what the inputs say.
func attach(job *executor.Job) (*warm, error) {
	enc, err := value.Canonical(job.Params)
	if err != nil {
		return nil, err
	}
	var config learn.Config
	if err := job.Bind(&config); err != nil {
		return nil, err
	}
	if w, ok := job.Memory.Get(warmSlot).(*warm); ok && job.Has("state") {
		in := job.Inputs["state"]
		if in.Origin != "" && in.Origin == w.origin && w.data.digest == job.Inputs["data"].Digest && w.data.lessons == job.Inputs["lessons"].Digest &&
			(w.params == string(enc) || w.ahead == nil && w.trainer.Reschedule(config)) {
			w.params, w.config = string(enc), config
			w.config.Only = w.only
			job.Expects(needs(w.info, w.config))
			return w, nil
		}
	}
	drop(job.Memory)
	w := &warm{params: string(enc), config: config}
	state, err := w.begin(job)
	if err != nil {
		return nil, err
	}
	w.config.Only = w.only
	if w.data, err = readSplits(job); err != nil {
		return nil, err
	}
	job.Expects(needs(w.info, w.config))
	session, err := mlx.Open(job.Backend)
	if err != nil {
		return nil, err
	}
	if err := w.config.Named(w.data.classes); err != nil {
		return nil, misfit(err)
	}
	if err := w.data.taught(job); err != nil {
		return nil, err
	}
	w.config.Teach(w.data.teacher)
	programs, ok := job.Memory.Get(programsSlot).(*learn.Programs)
	if !ok {
		programs = &learn.Programs{}
		job.Memory.Put(programsSlot, programs)
	}
	if w.trainer, err = learn.NewTrainer(session, w.graph, w.info, w.config, w.data.train, state, programs); err != nil {
		return nil, misfit(err)
	}
	job.Memory.Put(warmSlot, w)
	return w, nil
}

// needs estimates the memory of a training step, in float32: parameters, their gradients and two moments of each, and what every
// layer gives for each example that is computed at once, with its gradient.
func needs(info *graph.Info, config learn.Config) int64 {
	values := info.Parameters
	for name, li := range info.Layers {
		for _, p := range li.Params {
			if p.Trainable && config.Trains(name, p.Name) {
				values += 3 * int64(graph.Size(p.Shape))
			}
		}
	}
	var activations int64
	for _, shape := range info.Shapes {
		activations += int64(graph.Size(shape))
	}
	return 4 * (values + 2*activations*int64(config.Batch/max(config.Accumulate, 1)))
}

// misfit points at the attribute that does not fit.
func misfit(err error) error {
	f := &executor.Failure{Code: "misfit", Summary: "Model and data do not fit", Attr: "data", Detail: err.Error() + "."}
	var m *learn.Misfit
	if errors.As(err, &m) {
		f.Attr, f.Detail = m.Attr, m.Sentence()
	}
	return f
}

// readSplits reads the data, unless the worker has it.
func readSplits(job *executor.Job) (*splits, error) {
	dir, digest := job.In("data"), job.Inputs["data"].Digest
	if s, ok := job.Memory.Get(dataSlot).(*splits); ok && s.digest == digest {
		return s, nil
	}
	job.Memory.Put(dataSlot, nil)
	manifest, err := dataset.ReadManifest(dir)
	if err != nil {
		return nil, err
	}
	s := &splits{digest: digest}
	if manifest.Label != nil {
		s.classes = manifest.Label.Classes
	}
	if s.train, err = dataset.Read(dir, manifest, "train"); err != nil {
		return nil, misfit(err)
	}
	if manifest.Has("valid") && manifest.Splits[0].Name != dataset.All {
		if s.valid, err = dataset.Read(dir, manifest, "valid"); err != nil {
			return nil, err
		}
	}
	job.Memory.Put(dataSlot, s)
	return s, nil
}

// taught reads what the teacher says, unless the worker has it.
func (s *splits) taught(job *executor.Job) (err error) {
	digest := job.Inputs["lessons"].Digest
	if s.lessons == digest {
		return nil
	}
	s.lessons, s.teacher = digest, nil
	if job.Has("lessons") {
		s.teacher, err = readLessons(job.In("lessons"))
	}
	return err
}

// begin reads or makes the state that the epoch starts from.
func (w *warm) begin(job *executor.Job) (*learn.State, error) {
	if job.Has("graph") {
		b, err := os.ReadFile(job.In("graph"))
		if err != nil {
			return nil, err
		}
		if w.graph, w.info, err = graph.Decode(b); err != nil {
			return nil, err
		}
		w.trained = &trained{model: &bundle.Model{Graph: w.graph, Info: w.info}}
		job.Expects(needs(w.info, w.config)) // with initial weights, which are made here
		return &learn.State{Params: learn.Init(w.info, w.config.Seed)}, nil
	}
	m, err := w.read(job)
	if err != nil {
		return nil, err
	}
	w.graph, w.info = m.Graph, m.Info
	if !job.Has("state") {
		return &learn.State{Params: m.Params}, nil
	}
	return readState(job.In("state"), m.Params)
}

// save writes model, state and history, and remembers which job's state the trainer now holds. The files are written while the
// valid split is computed, and the next epoch begins.
func (w *warm) save(ctx context.Context, job *executor.Job, r *learn.Record, took time.Duration) error {
	state, err := w.state()
	if err != nil {
		return err
	}
	written := make(chan error, 1)
	go func() {
		err := w.trained.write(job.Out("model"), state.Params)
		if err == nil {
			err = writeState(job.Out("state"), state)
		}
		written <- err
	}()
	l, config := line(state.Epoch, r), w.config
	err = w.validate(ctx, &l)
	if err == nil {
		w.goAhead(job)
	}
	if err = errors.Join(err, <-written); err != nil {
		return err
	}
	w.report(job, config, l, r, took)
	var history []Epoch
	if job.Has("history") {
		if history, err = ReadHistory(job.In("history")); err != nil {
			return err
		}
	}
	w.origin = fmt.Sprintf("%d/state", job.ID)
	return writeJSON(job.Out("history"), append(history, l))
}

// validate measures the valid split.
func (w *warm) validate(ctx context.Context, l *Epoch) error {
	if w.data.valid == nil {
		return nil
	}
	v, err := w.trainer.Evaluate(ctx, w.data.valid, false)
	if err != nil {
		return err
	}
	l.ValidLoss, l.ValidAccuracy = finite(v.Loss), finite(v.Accuracy)
	if w.config.EMA == nil {
		return nil
	}
	if v, err = w.trainer.Evaluate(ctx, w.data.valid, true); err != nil {
		return err
	}
	l.EMAValidLoss, l.EMAValidAccuracy = finite(v.Loss), finite(v.Accuracy)
	return nil
}

// report makes metrics and a line of the log. They stand beside the outputs, not in them, so they may tell of time and memory.
func (w *warm) report(job *executor.Job, config learn.Config, l Epoch, r *learn.Record, took time.Duration) {
	rate, memory := float64(w.data.train.Rows)/took.Seconds(), resident()
	for name, v := range map[string]*float64{
		"loss": l.Loss, "accuracy": l.Accuracy, "valid_loss": l.ValidLoss, "valid_accuracy": l.ValidAccuracy,
		"ema_valid_loss": l.EMAValidLoss, "ema_valid_accuracy": l.EMAValidAccuracy, "lr": &l.LR, "grad_norm": l.GradNorm,
	} {
		if v != nil {
			job.Metrics[name] = *v
		}
	}
	job.Metrics["epoch"], job.Metrics["steps"] = float64(l.Epoch), float64(r.Steps)
	job.Metrics["examples_per_second"], job.Metrics["memory_bytes"] = rate, float64(memory)
	text := fmt.Sprintf("epoch %d: loss %.6g, lr %.4g", l.Epoch, r.Loss, l.LR)
	if l.GradNorm != nil {
		text += fmt.Sprintf(", gradient norm %.4g", *l.GradNorm)
	}
	if config.Precision == "float16" {
		job.Metrics["skipped_steps"] = float64(r.Skipped)
		text += fmt.Sprintf(", %d steps skipped", r.Skipped)
	}
	text += fmt.Sprintf(", %.0f examples/s", rate)
	if n := tokensOf(w.data.train); n > 0 {
		job.Metrics["tokens_per_second"] = float64(n) / took.Seconds()
		text += fmt.Sprintf(", %.0f tokens/s", job.Metrics["tokens_per_second"])
	}
	fmt.Fprintf(job.Log, "%s, %d MB\n", text, memory>>20)
}

// tokensOf is the number of tokens of all sequences of all rows, without padding.
func tokensOf(d *dataset.Data) int {
	n := 0
	for _, t := range d.Tokens {
		n += len(t.IDs)
	}
	return n
}

// resident is how many bytes of memory this process has, with what libraries outside of Go took; where the system does not say,
// what Go took.
func resident() int64 {
	if b, err := os.ReadFile("/proc/self/statm"); err == nil {
		if f := strings.Fields(string(b)); len(f) > 1 {
			if pages, err := strconv.ParseInt(f[1], 10, 64); err == nil {
				return pages * int64(os.Getpagesize())
			}
		}
	}
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	return int64(mem.Sys)
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
