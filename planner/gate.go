package planner

import "mbuild.dev/mbuild/cache"

// Outcome is what a gate decided.
type Outcome string

// The outcomes of a gate. Only Pass opens it.
const (
	Pass         Outcome = "pass"
	Fail         Outcome = "fail"
	Inconclusive Outcome = "inconclusive"
)

// Verdict reads the outcome out of a gate's result: metric "verdict" is 1, 0 or -1.
func Verdict(r *cache.ActionResult) Outcome {
	switch v, ok := r.Metrics["verdict"]; {
	case ok && v > 0:
		return Pass
	case ok && v < 0:
		return Fail
	default:
		return Inconclusive
	}
}
