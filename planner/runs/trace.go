package runs

import (
	"bufio"
	"cmp"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Event is one event of the Chrome trace format ("Trace Event Format", JSON object form), which Perfetto and chrome://tracing
// open. Times are in microseconds.
type Event struct {
	Name string         `json:"name"`
	Cat  string         `json:"cat,omitempty"`
	Ph   string         `json:"ph"` // X complete, M metadata, C counter, i instant
	Ts   float64        `json:"ts"`
	Dur  *float64       `json:"dur,omitempty"` // of X
	Pid  int            `json:"pid"`
	Tid  int            `json:"tid"`
	S    string         `json:"s,omitempty"` // scope of i
	Args map[string]any `json:"args,omitempty"`
}

// The threads of a trace: planning, then the slots from 1 on.
const tracePid, planTid = 1, 0

// Trace is the run as trace events: slots are threads, planning is one of its own, and a counter says how many actions ran.
func (r *Run) Trace() []Event {
	seen := map[int]bool{}
	for _, a := range r.Actions {
		seen[a.Slot] = true
	}
	events := []Event{
		meta("process_name", planTid, map[string]any{"name": "mbuild " + strings.Join(r.Args, " ")}),
		meta("thread_name", planTid, map[string]any{"name": "plan"}),
		meta("thread_sort_index", planTid, map[string]any{"sort_index": 0}),
	}
	for _, i := range slices.Sorted(maps.Keys(seen)) {
		events = append(events, meta("thread_name", i+1, map[string]any{"name": "slot " + strconv.Itoa(i+1)}),
			meta("thread_sort_index", i+1, map[string]any{"sort_index": i + 1}))
	}
	for _, p := range r.Phases {
		events = append(events, complete(p.Name, "plan", planTid, p.Start*1e6, p.Seconds*1e6, nil))
	}
	for _, a := range r.Ran() {
		events = append(events, r.traceAction(a))
	}
	events = append(events, r.parallelism()...)
	if r.End != nil && r.End.Interrupted {
		events = append(events, Event{Name: "interrupted", Ph: "i", S: "g", Ts: r.End.Seconds * 1e6, Pid: tracePid, Tid: planTid})
	}
	return events
}

func meta(name string, tid int, args map[string]any) Event {
	return Event{Name: name, Ph: "M", Pid: tracePid, Tid: tid, Args: args}
}

func complete(name, cat string, tid int, ts, dur float64, args map[string]any) Event {
	return Event{Name: name, Cat: cat, Ph: "X", Ts: ts, Dur: &dur, Pid: tracePid, Tid: tid, Args: args}
}

func (r *Run) traceAction(a Action) Event {
	wall := a.Wall
	if a.State == Running {
		wall = max(0, time.Duration(r.Seconds()*float64(time.Second))-a.Start)
	}
	args := map[string]any{"state": a.State.String(), "queued_ms": float64(a.Queue.Microseconds()) / 1e3}
	if a.Worker != "" {
		args["worker"] = a.Worker
	}
	if a.Reason.Code != "" {
		args["why"] = strings.TrimSpace(a.Reason.Code + " " + a.Reason.Path)
	}
	if a.CPU > 0 {
		args["cpu_ms"] = float64(a.CPU.Microseconds()) / 1e3
	}
	if a.Memory > 0 {
		args["memory_bytes"] = a.Memory
	}
	if a.Store > 0 {
		args["store_bytes"] = a.Store
	}
	if !a.Key.IsZero() {
		args["key"] = a.Key.String()
	}
	if a.Error != "" {
		args["error"] = a.Error
	}
	return complete(a.Addr, a.Kind, a.Slot+1, float64(a.Start.Microseconds()), float64(wall.Microseconds()), args)
}

// parallelism is a counter of the actions that run at a time.
func (r *Run) parallelism() []Event {
	type edge struct {
		at   time.Duration
		step int
	}
	var edges []edge
	for _, a := range r.Ran() {
		if a.State != Running {
			edges = append(edges, edge{a.Start, 1}, edge{a.Start + a.Wall, -1})
		}
	}
	slices.SortFunc(edges, func(a, b edge) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.step, b.step)) })
	var events []Event
	n := 0
	for i, e := range edges {
		n += e.step
		if i+1 < len(edges) && edges[i+1].at == e.at {
			continue
		}
		events = append(events, Event{Name: "running", Ph: "C", Ts: float64(e.at.Microseconds()), Pid: tracePid, Tid: planTid, Args: map[string]any{"actions": n}})
	}
	return events
}

// WriteTrace writes the events as a trace file.
func WriteTrace(w io.Writer, events []Event) error {
	out := bufio.NewWriter(w)
	out.WriteString(`{"displayTimeUnit":"ms","traceEvents":[`)
	for i, e := range events {
		enc, err := json.Marshal(e)
		if err != nil {
			return err
		}
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteByte('\n')
		out.Write(enc)
	}
	out.WriteString("\n]}\n")
	return out.Flush()
}
