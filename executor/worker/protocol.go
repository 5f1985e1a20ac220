// Package worker runs jobs in persistent subprocesses of the same binary, so that a panic, an abort inside a native library
// or an out-of-memory kill costs one action, memory really returns, and a kill works.
//
// The parent (Pool) starts `mbuild __worker` and speaks JSON lines over its standard input and output: one request, any
// number of progress and log messages, one answer. A worker runs one job at a time and lives until its input ends, so it
// never survives its parent. It deliberately does not know the store: it sees paths.
//
// Invariant: whatever a worker does, the parent gets exactly one answer to each request: the worker's own, or what became
// of the process.
package worker

import (
	"encoding/json"
	"time"

	"mbuild.dev/mbuild/executor"
)

// Arg is the first argument that makes the binary a worker.
const Arg = "__worker"

// request asks a worker to run one job.
type request struct {
	ID      int                          `json:"id"`
	Kind    string                       `json:"kind"`
	Verb    string                       `json:"verb"`
	Addr    string                       `json:"addr"`
	Params  json.RawMessage              `json:"params"` // canonical JSON
	Inputs  map[string]executor.JobInput `json:"inputs"`
	Outputs map[string]string            `json:"outputs"`
	Scratch string                       `json:"scratch"`
	Backend string                       `json:"backend"`
	Next    json.RawMessage              `json:"next,omitempty"` // canonical JSON
}

// message is what a worker sends. Exactly one field is set.
type message struct {
	Progress *executor.Progress `json:"progress,omitempty"`
	Log      string             `json:"log,omitempty"`
	Need     int64              `json:"need,omitempty"` // executor.Job.Need
	Answer   *answer            `json:"answer,omitempty"`
}

// answer ends a job.
type answer struct {
	ID      int                `json:"id"`
	Metrics map[string]float64 `json:"metrics,omitempty"`
	Peak    int64              `json:"peak"` // peak resident memory of the process, bytes
	CPU     time.Duration      `json:"cpu"`  // processor time of the job and its children
	Error   string             `json:"error,omitempty"`
	Failure *executor.Failure  `json:"failure,omitempty"`
}
