// Package report is what evaluations write: report.json, and the verdicts of gates; both canonical JSON, so equal outcomes give
// equal bytes.
//
// It does not know how metrics come about (package metric) nor which block a gate stands in. The nouns: Report, Verdict, Judge.
// The invariant: every number in a file is finite; a metric that is not is left out of its report, and a gate on it is
// inconclusive.
package report

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"

	"mbuild.dev/mbuild/lang/value"
	"mbuild.dev/mbuild/stdlib/metric"
)

// The media types.
const (
	MediaType            = "application/vnd.mbuild.report.v1+json"
	VerdictMediaType     = "application/vnd.mbuild.gate.v1+json"
	PredictionsMediaType = "application/vnd.mbuild.predictions.v1+safetensors"
)

// Report is the outcome of an evaluation. PerClass is that of a classification, or of the types of entities; Confusion that of a
// classification; Positive and Threshold, of one of two classes.
type Report struct {
	Task      string             `json:"task"` // classification, regression, tagging, ranking, similarity
	Split     string             `json:"split"`
	Positive  string             `json:"positive,omitempty"`  // the class that precision, recall, f1 and auc are of
	Threshold float64            `json:"threshold,omitempty"` // the probability above which it is predicted
	Rows      int                `json:"rows"`
	Metrics   map[string]float64 `json:"metrics"`
	PerClass  []metric.Class     `json:"per_class,omitempty"`
	Confusion [][]int            `json:"confusion,omitempty"` // [actual][predicted]
	Slices    []Slice            `json:"slices,omitempty"`
}

// Slice is the measures of the rows that have one value in a column. Metrics is nil where there are too few of them.
type Slice struct {
	Value   string             `json:"value"`
	Rows    int                `json:"rows"`
	Metrics map[string]float64 `json:"metrics,omitempty"`
}

// Verdict is what a gate decided: that Value is at least (min) or at most (max) Limit, or not.
type Verdict struct {
	Metric   string   `json:"metric"`
	Bound    string   `json:"bound"` // min or max
	Limit    float64  `json:"limit"`
	Value    float64  `json:"value"`              // the metric, or its change from the baseline; 0 when inconclusive
	Baseline *float64 `json:"baseline,omitempty"` // the metric of the other report, where the gate compares
	Margin   float64  `json:"margin"`             // how far Value is on the right side of Limit; below 0 on the wrong one
	Verdict  string   `json:"verdict"`            // pass, fail, inconclusive
}

// Write writes a report, or a verdict, as canonical JSON. A number that is not finite is an error.
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

// The metrics of one class: share_CLASS is the share of the rows that are predicted as it.
var ofClass = []string{"precision_", "recall_", "f1_", "share_"}

// OfClass takes the name of a metric of one class apart; class is "" where it is of none.
func OfClass(metric string) (prefix, class string) {
	for _, p := range ofClass {
		if c, ok := strings.CutPrefix(metric, p); ok {
			return p, c
		}
	}
	return "", ""
}

// Classes are the classes that a classification is about, or nil. One of data without a label knows them by their shares.
func (r *Report) Classes() []string {
	if r.Task != "classification" {
		return nil
	}
	var names []string
	for _, c := range r.PerClass {
		names = append(names, c.Class)
	}
	if names == nil {
		for m := range r.Metrics {
			if class, ok := strings.CutPrefix(m, "share_"); ok {
				names = append(names, class)
			}
		}
		slices.Sort(names)
	}
	return names
}

// Of is a metric of one class of a classification with labels; NaN where there is none of that name.
func (r *Report) Of(name string) float64 {
	prefix, class := OfClass(name)
	at := slices.IndexFunc(r.PerClass, func(c metric.Class) bool { return c.Class == class })
	if at < 0 || r.Task != "classification" {
		return math.NaN()
	}
	switch c := r.PerClass[at]; prefix {
	case "precision_":
		return c.Precision
	case "recall_":
		return c.Recall
	case "f1_":
		return c.F1
	}
	predicted := 0
	for _, row := range r.Confusion {
		predicted += row[at]
	}
	return float64(predicted) / float64(r.Rows)
}

// tolerance is the difference, as a share of the greater number, that is taken for rounding: a drop from 0.97 to 0.96 is one of
// 0.01, though in float64 it is 0.010000000000000009.
const tolerance = 1e-10

// Judge holds a value against a bound, min or max. A value that equals the limit passes; one that is not finite is
// inconclusive.
func Judge(name, bound string, limit, v float64) Verdict {
	j := Verdict{Metric: name, Bound: bound, Limit: limit, Value: v, Margin: v - limit, Verdict: "fail"}
	if bound == "max" {
		j.Margin = limit - v
	}
	if math.Abs(j.Margin) <= tolerance*max(math.Abs(v), math.Abs(limit)) {
		j.Margin = 0
	}
	switch {
	case v-v != 0: // NaN or infinite
		j.Value, j.Margin, j.Verdict = 0, 0, "inconclusive"
	case j.Margin >= 0:
		j.Verdict = "pass"
	}
	return j
}
