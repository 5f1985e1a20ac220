package cache

import (
	"encoding/json"
	"fmt"
	"sort"
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

// Encode returns the result as JSON with outputs sorted by name.
func (r *ActionResult) Encode() ([]byte, error) {
	c := *r
	c.Outputs = append([]Output(nil), r.Outputs...)
	sort.Slice(c.Outputs, func(i, j int) bool { return c.Outputs[i].Name < c.Outputs[j].Name })
	return json.Marshal(&c)
}

// DecodeResult reads what Encode wrote.
func DecodeResult(b []byte) (*ActionResult, error) {
	r := new(ActionResult)
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("decoding an action result: %w", err)
	}
	return r, nil
}
