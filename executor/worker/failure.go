package worker

import (
	"errors"
	"fmt"
	"strings"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/executor/mlx"
)

// failureOf is the Failure in an error of a run, one made of it when memory ran out, or nil.
func failureOf(err error, job *executor.Job) *executor.Failure {
	var f *executor.Failure
	if errors.As(err, &f) {
		return f
	}
	if asked, ok := mlx.OutOfMemory(err); ok {
		return memoryFailure(job, asked, peakMemory(), err.Error())
	}
	return nil
}

// memoryFailure words the end of a device's memory: what was expected, what was asked for (0 where that is not known), what the
// worker had at its peak, what helps.
func memoryFailure(job *executor.Job, asked, peak int64, cause string) *executor.Failure {
	var b strings.Builder
	fmt.Fprintf(&b, "%s ran out of memory on backend %s", job.Addr, job.Backend)
	if asked > 0 {
		fmt.Fprintf(&b, ": an allocation of %s failed", size(asked))
	}
	if job.Need > 0 {
		fmt.Fprintf(&b, "; the estimate of the whole was %s", size(job.Need))
	}
	fmt.Fprintf(&b, ", and this worker had %s at its peak. Use a smaller batch; to keep the result of the large one, accumulate gradients over several small ones, or let layers compute their activations twice (checkpointing).\nThe cause: %s", size(peak), cause)
	return &executor.Failure{Code: "out-of-memory", Summary: "Out of memory", Attr: "batch", Detail: b.String()}
}

// size prints bytes in the unit that people count memory in.
func size(n int64) string {
	for _, u := range []struct {
		name string
		size float64
	}{{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}} {
		if float64(n) >= u.size {
			return fmt.Sprintf("%.3g %s", float64(n)/u.size, u.name)
		}
	}
	return fmt.Sprintf("%d B", n)
}
