// Package report is what evaluations write: report.json, and the verdicts of gates.
package report

import (
	"encoding/json"
	"fmt"
	"math"
	"os"

	"mbuild.dev/mbuild/lang/value"
	"mbuild.dev/mbuild/stdlib/metric"
)

// The media types.
const (
	MediaType            = "application/vnd.mbuild.report.v1+json"
	VerdictMediaType     = "application/vnd.mbuild.gate.v1+json"
	PredictionsMediaType = "application/vnd.mbuild.predictions.v1+safetensors"
)

// Report is the outcome of an evaluation.
type Report struct {
	Task      string             `json:"task"` // classification, regression
	Split     string             `json:"split"`
	Rows      int                `json:"rows"`
	Metrics   map[string]float64 `json:"metrics"`
	PerClass  []metric.Class     `json:"per_class,omitempty"`
	Confusion [][]int            `json:"confusion,omitempty"` // [actual][predicted]
}

// Verdict is what a gate decided.
type Verdict struct {
	Metric  string  `json:"metric"`
	Bound   string  `json:"bound"` // min or max
	Limit   float64 `json:"limit"`
	Value   float64 `json:"value"`
	Margin  float64 `json:"margin"`
	Verdict string  `json:"verdict"` // pass, fail, inconclusive
}

// Write writes canonical JSON.
func Write(path string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	n, err := value.Decode(b)
	if err != nil {
		return err
	}
	if b, err = value.Canonical(n); err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o644)
}

// Read reads a report.
func Read(path string) (*Report, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := new(Report)
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	return r, nil
}

// Judge holds a value against a bound. A value that is not a number is inconclusive.
func Judge(name, bound string, limit, v float64) Verdict {
	j := Verdict{Metric: name, Bound: bound, Limit: limit, Value: v, Margin: v - limit, Verdict: "fail"}
	if bound == "max" {
		j.Margin = limit - v
	}
	switch {
	case math.IsNaN(v):
		j.Value, j.Margin, j.Verdict = 0, 0, "inconclusive"
	case j.Margin >= 0:
		j.Verdict = "pass"
	}
	return j
}
