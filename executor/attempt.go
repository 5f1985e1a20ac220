package executor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// firstPause is the pause before the first retry; each further one is twice as long, up to longestPause.
const (
	firstPause   = 200 * time.Millisecond
	longestPause = 10 * time.Second
)

// attempt performs an action within its timeout, and again while its block has retries left and the failure may pass.
func (m *machine) attempt(n *node) outcome {
	retries, pause := n.step.Block.Retries, firstPause
	for k := 1; ; k++ {
		o := m.once(n)
		if o.err == nil || k > retries || m.ctx.Err() != nil || !mayPass(o.err) {
			return o
		}
		why, _, _ := strings.Cut(o.err.Error(), "\n")
		m.note(n, Event{Retry: &Retry{Attempt: k, Retries: retries, Why: why, Pause: pause.Seconds()}})
		select {
		case <-time.After(pause):
		case <-m.ctx.Done():
			return outcome{node: n, err: m.ctx.Err()}
		}
		pause = min(2*pause, longestPause)
	}
}

// once performs an action within its timeout. What runs outside the process is killed when that is over.
func (m *machine) once(n *node) outcome {
	limit := n.step.Timeout()
	if limit == 0 {
		return m.perform(m.ctx, n)
	}
	ctx, cancel := context.WithTimeout(m.ctx, limit)
	defer cancel()
	o := m.perform(ctx, n)
	if o.err != nil && errors.Is(o.err, context.DeadlineExceeded) && m.ctx.Err() == nil {
		o.err = tookTooLong(n, limit, o.err)
	}
	return o
}

// tookTooLong is the failure of an action that its timeout ended.
func tookTooLong(n *node, limit time.Duration, err error) error {
	f := &Failure{Code: "timeout", Summary: "Action took too long", Attr: "timeout",
		Detail: fmt.Sprintf("%s ran longer than %s and was stopped. Give its block a longer timeout if it needs one.", n.step.Addr, shortTime(limit))}
	var l *loggedError
	if errors.As(err, &l) {
		f.Detail += "\nThe end of its log:\n" + l.tail
	}
	return f
}

// shortTime writes a duration as one would in a spec: 1h30m instead of 1h30m0s.
func shortTime(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// mayPass reports that a failure is of the kind that a retry may get past: the run itself failed, not what was around it.
func mayPass(err error) bool {
	var f *Failure
	if !errors.As(err, &f) {
		return true
	}
	switch f.Code {
	case "source-changed", "store", "artifact", "sensitive", "command-not-found", "bad-path", "misfit":
		return false
	}
	return true
}
