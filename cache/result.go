package cache

import (
	"time"
)

// Output is one output of an action: a file, or a directory as the digest of its root node.
type Output struct {
	Name      string `json:"name"`
	MediaType string `json:"media_type,omitempty"`
	Digest    Digest `json:"digest"`
	Directory bool   `json:"directory,omitempty"`
}

// ActionResult is what an action gave. Execution says how it came about and never enters a digest.
type ActionResult struct {
	Outputs   []Output           `json:"outputs"`
	Metrics   map[string]float64 `json:"metrics,omitempty"`
	Log       Digest             `json:"log,omitzero"`
	Execution Execution          `json:"execution"`
}

// Execution is how an action ran.
type Execution struct {
	Started    time.Time     `json:"started"`
	Wall       time.Duration `json:"wall_ns"`
	Worker     string        `json:"worker,omitempty"`
	Backend    string        `json:"backend,omitempty"`
	PeakMemory int64         `json:"peak_memory,omitempty"` // bytes
}
