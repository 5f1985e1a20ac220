package chain

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/stdlib/learn"
)

// Epoch is one line of a history. Everything in it is a pure function of what went into the chain: how long an epoch took, and
// how much memory, are metrics of its action instead, so that equal training gives equal bytes.
type Epoch struct {
	Epoch            int      `json:"epoch"` // from 1
	Loss             *float64 `json:"loss"`  // null where all steps were skipped
	Accuracy         *float64 `json:"accuracy,omitempty"`
	ValidLoss        *float64 `json:"valid_loss,omitempty"`
	ValidAccuracy    *float64 `json:"valid_accuracy,omitempty"`
	EMAValidLoss     *float64 `json:"ema_valid_loss,omitempty"` // of the moving average of the weights
	EMAValidAccuracy *float64 `json:"ema_valid_accuracy,omitempty"`
	LR               float64  `json:"lr"`                // of the last step
	GradNorm         *float64 `json:"grad_norm"`         // of the last step, before clipping
	Skipped          int      `json:"skipped,omitempty"` // steps that overflowed in float16
	Steps            []Step   `json:"steps,omitempty"`   // every log_every steps
}

// Step is what the steps since the line before did.
type Step struct {
	Step     int      `json:"step"` // the last of them, from the start of training, from 1
	Loss     *float64 `json:"loss"`
	Accuracy *float64 `json:"accuracy,omitempty"`
	LR       float64  `json:"lr"`
	GradNorm *float64 `json:"grad_norm"`
	Skipped  int      `json:"skipped,omitempty"`
}

// line makes a line of what an epoch did.
func line(epoch int, r *learn.Record) Epoch {
	e := Epoch{Epoch: epoch, Loss: finite(r.Loss), Accuracy: finite(r.Accuracy), LR: r.LR, GradNorm: finite(r.GradNorm), Skipped: r.Skipped}
	for _, l := range r.Lines {
		e.Steps = append(e.Steps, Step{Step: l.Step, Loss: finite(l.Loss), Accuracy: finite(l.Accuracy), LR: l.LR, GradNorm: finite(l.GradNorm), Skipped: l.Skipped})
	}
	return e
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

// watched is the loss that early stopping and selection look at: on the valid split, else on the train split.
func watched(e Epoch) float64 {
	switch {
	case e.ValidLoss != nil:
		return *e.ValidLoss
	case e.Loss != nil:
		return *e.Loss
	}
	return math.Inf(1)
}

// lowest is the index of the epoch with the lowest loss that beats those before it by more than minDelta.
func lowest(h []Epoch, minDelta float64) int {
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
	if len(h) == 1 && h[0].ValidLoss == nil {
		fmt.Fprintln(job.Log, "warning: the data has no valid split, so early_stopping looks at the training loss, which says little of rows that are new: give the dataset a split with valid")
	}
	flag := "go\n"
	if len(h)-1-lowest(h, p.MinDelta) >= p.Patience {
		flag = "stop\n"
	}
	return os.WriteFile(job.Out("flag"), []byte(flag), 0o644)
}
