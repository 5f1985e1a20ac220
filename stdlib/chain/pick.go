package chain

import (
	"context"
	"errors"
	"fmt"
	"os"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/graph"
)

// best hands out the model of the best epoch, with its measures.
func best(_ context.Context, job *executor.Job) error {
	h, err := ReadHistory(job.In("history"))
	if err != nil {
		return err
	}
	if len(h) == 0 {
		return errors.New("there is no epoch to choose from")
	}
	at := lowest(h, 0)
	if h[at].ValidLoss == nil {
		fmt.Fprintln(job.Log, "warning: the data has no valid split, so the best epoch is that of the lowest training loss, which says little of rows that are new: give the dataset a split with valid")
	}
	job.Metrics["epoch"] = float64(at + 1)
	for name, v := range map[string]*float64{"loss": h[at].Loss, "grad_norm": h[at].GradNorm, "lr": &h[at].LR, "accuracy": h[at].Accuracy, "valid_loss": h[at].ValidLoss, "valid_accuracy": h[at].ValidAccuracy} {
		if v != nil {
			job.Metrics[name] = *v
		}
	}
	return os.CopyFS(job.Out("model"), os.DirFS(job.In(fmt.Sprintf("model%d", at))))
}

// average makes the mean of the last models (stochastic weight averaging; Izmailov et al. 2018), in float64, from the first to
// the last. Running statistics of batch_norm are averaged like weights, and not taken anew over the data.
func average(ctx context.Context, job *executor.Job) error {
	var p struct {
		Epochs int `json:"epochs"`
	}
	if err := job.Bind(&p); err != nil {
		return err
	}
	h, err := ReadHistory(job.In("history"))
	if err != nil {
		return err
	}
	first := max(0, len(h)-p.Epochs)
	var mean *trained
	sums := map[*bundle.Tensor][]float64{}
	for k := first; k < len(h); k++ {
		m, err := readTrained(job.In(fmt.Sprintf("model%d", k)))
		if err != nil {
			return err
		}
		if mean == nil {
			mean = m
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		for layer, ps := range mean.params() {
			for name, t := range ps {
				sums[t] = plus(sums[t], m.params()[layer][name].Float32s())
			}
		}
	}
	if mean == nil {
		return errors.New("there is no epoch to take the mean of")
	}
	n := float64(len(h) - first)
	for _, ps := range mean.params() {
		for name, t := range ps {
			v := make([]float32, graph.Size(t.Shape))
			for i, s := range sums[t] {
				v[i] = float32(s / n)
			}
			ps[name] = bundle.Float32(t.Shape, v)
		}
	}
	job.Metrics["epochs"] = n
	return mean.write(job.Out("model"), mean.params())
}

func plus(sum []float64, v []float32) []float64 {
	if sum == nil {
		sum = make([]float64, len(v))
	}
	for i, x := range v {
		sum[i] += float64(x)
	}
	return sum
}

// ema makes the model of the moving averages that the last state holds.
func ema(_ context.Context, job *executor.Job) error {
	m, err := readTrained(job.In("model"))
	if err != nil {
		return err
	}
	state, err := readState(job.In("state"), m.params())
	if err != nil {
		return err
	}
	params, ok := state.Averaged()
	if !ok {
		return errors.New("the training state holds no moving averages")
	}
	return m.write(job.Out("model"), params)
}
