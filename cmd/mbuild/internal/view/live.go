package view

import (
	"cmp"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/planner"
)

// Live prints an apply as it goes: a status line for what is running on a terminal, a line for each block elsewhere.
type Live struct {
	v       *View
	files   map[string]*hcl.File
	blocks  map[string]*blockState
	total   int // actions of the plan that are not cached
	done    int
	started time.Time
	eta     eta
	drawn   bool
	last    time.Time
	gates   []executor.GateResult
	arts    []executor.ArtifactResult
	many    bool // too many blocks for a line each
}

// blockState is how far a block is.
type blockState struct {
	left, built, cached, failed int
	began                       time.Time
	seconds                     float64
	running                     string // address of the action that runs
	progress                    *executor.Progress
	metrics                     map[string]float64
	steps                       int
	warnings                    int // printed
}

// Live begins to print an apply.
func (v *View) Live(p *planner.Plan, jobs int, files map[string]*hcl.File) *Live {
	l := &Live{v: v, files: files, blocks: map[string]*blockState{}, started: time.Now()}
	for _, b := range p.Blocks {
		l.blocks[b.Block.Addr.String()] = &blockState{left: len(b.Steps), steps: len(b.Steps)}
	}
	l.total = p.Summary.Build + p.Summary.Unknown
	l.many = len(p.Blocks) > manyBlocks && !v.opts.Verbose
	l.eta = newETA(p, jobs)
	return l
}

// Event takes one event.
func (l *Live) Event(e executor.Event) {
	if e.Diagnostic != nil {
		l.clear()
		fmt.Fprint(l.v.err, l.v.Diagnostic(e.Diagnostic, l.files))
		return
	}
	if e.Step == nil {
		return
	}
	b := l.blocks[e.Step.Block.Addr.String()]
	switch {
	case e.Started != nil:
		l.eta.start(e.Step, e.Time)
		b.running, b.progress = e.Step.Addr, nil
		if b.began.IsZero() {
			b.began = e.Time
			if !l.v.tty && !l.v.opts.Quiet && b.steps > 1 && !l.many {
				fmt.Fprintf(l.v.out, "%s ...\n", e.Step.Block.Addr)
			}
		}
		l.draw()
	case e.Progress != nil:
		b.progress = e.Progress
		l.draw()
	case e.Retry != nil:
		l.clear()
		fmt.Fprintf(l.v.out, "%s %s  attempt %d of %d: %s\n", l.v.paint(yellow, "again"), e.Step.Addr, e.Retry.Attempt, e.Retry.Retries+1, e.Retry.Why)
	case e.Waits != nil:
		l.clear()
		fmt.Fprintf(l.v.out, "%s %s  for %s, which builds it now\n", l.v.paint(yellow, "waits"), e.Step.Addr, cmp.Or(e.Waits.For, "another process"))
	case e.Finished != nil:
		l.finished(e, b)
	case e.Gate != nil:
		l.gates = append(l.gates, *e.Gate)
	case e.Artifact != nil:
		l.arts = append(l.arts, *e.Artifact)
	case e.Log != nil && l.v.opts.Verbose:
		l.clear()
		fmt.Fprintf(l.v.out, "  %s | %s\n", e.Step.Addr, e.Log.Text)
	case e.Log != nil && !l.v.opts.Quiet:
		l.warning(b, e)
	}
}

// maxWarnings bounds what is printed of the warnings of one block.
const maxWarnings = 10

// warning prints a line of an action's log that begins with "warning: ".
func (l *Live) warning(b *blockState, e executor.Event) {
	text, ok := strings.CutPrefix(e.Log.Text, "warning: ")
	if !ok {
		return
	}
	switch b.warnings++; {
	case b.warnings > maxWarnings+1:
		return
	case b.warnings > maxWarnings:
		text = "and more, which mbuild log show prints"
	}
	l.clear()
	fmt.Fprintf(l.v.err, "%s %s  %s\n", l.v.paint(yellow, "warning"), e.Step.Block.Addr, text)
}

func (l *Live) finished(e executor.Event, b *blockState) {
	f := e.Finished
	l.eta.finish(e.Step)
	b.left--
	switch f.State {
	case executor.Built:
		b.built++
		l.done++
		b.seconds += f.Seconds
		if f.Result != nil && len(f.Result.Metrics) > 0 && e.Step.Gate == nil {
			b.metrics = f.Result.Metrics
		}
	case executor.Cached:
		b.cached++
	case executor.Failed:
		b.failed++
	case executor.Skipped:
		if l.v.opts.Verbose {
			l.clear()
			fmt.Fprintf(l.v.out, "%s skipped: %s\n", e.Step.Addr, f.Why)
		}
	}
	if b.left == 0 && b.built > 0 && !l.v.opts.Quiet && !l.many {
		l.clear()
		fmt.Fprintf(l.v.out, "%s %s  %.2f s%s\n", l.v.paint(green, "built"), e.Step.Block.Addr, b.seconds, metricsText(b.metrics))
	}
	l.tick()
	l.draw()
}

// tick prints how far it is, every few seconds, where there is neither a status line nor a line for each block.
func (l *Live) tick() {
	if l.many && !l.v.tty && !l.v.opts.Quiet && time.Since(l.last) > 5*time.Second {
		if !l.last.IsZero() {
			fmt.Fprintf(l.v.out, "%d of %d built\n", l.done, l.total)
		}
		l.last = time.Now()
	}
}

// metricsText is a result's metrics in a line.
func metricsText(m map[string]float64) string {
	if b, ok := m["bytes_before"]; ok {
		text := fmt.Sprintf("  %s -> %s, %.0f of %.0f parameters not zero", Bytes(int64(b)), Bytes(int64(m["bytes"])), m["nonzeros"], m["parameters"])
		if f, ok := m["flops_before"]; ok {
			text += fmt.Sprintf(", %.4g -> %.4g operations", f, m["flops"])
		}
		return text
	}
	var parts []string
	for _, k := range []string{"rows", "parameters", "loss", "accuracy", "valid_loss", "valid_accuracy", "macro_f1", "log_loss", "r2", "rmse"} {
		if v, ok := m[k]; ok {
			parts = append(parts, fmt.Sprintf("%s %.4g", k, v))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "  " + strings.Join(parts, "  ")
}

// draw prints the status line of what is running, at most twenty times a second.
func (l *Live) draw() {
	if !l.v.tty || l.v.opts.Quiet || time.Since(l.last) < 50*time.Millisecond {
		return
	}
	l.last = time.Now()
	var running []string
	for name, b := range l.blocks {
		if b.running != "" && b.left > 0 && b.failed == 0 {
			running = append(running, name)
		}
	}
	sort.Strings(running)
	line := fmt.Sprintf("%s %d/%d", bar(l.done, l.total, 16), l.done, l.total)
	for _, name := range running {
		b := l.blocks[name]
		line += fmt.Sprintf("  %s", strings.TrimPrefix(b.running, name[:strings.IndexByte(name, '.')+1]))
		if m, ok := b.metrics["loss"]; ok {
			line += fmt.Sprintf(" loss %.4f", m)
		}
		if p := b.progress; p != nil {
			if r, ok := p.Metrics["steps_per_second"]; ok {
				line += fmt.Sprintf(" %d/%d, %.0f steps/s", p.Step, p.Total, r)
			}
		}
	}
	if left, ok := l.eta.left(time.Now()); ok {
		line += "  ETA " + Duration(left)
	} else if l.done > 0 && l.done < l.total {
		line += "  ETA " + Duration(time.Since(l.started).Seconds()/float64(l.done)*float64(l.total-l.done))
	}
	if len(line) > l.v.width-1 {
		line = line[:l.v.width-1]
	}
	fmt.Fprintf(l.v.out, "\r\x1b[K%s", line)
	l.drawn = true
}

func bar(done, total, width int) string {
	n := 0
	if total > 0 {
		n = done * width / total
	}
	return "[" + strings.Repeat("#", n) + strings.Repeat("-", width-n) + "]"
}

func (l *Live) clear() {
	if l.drawn {
		fmt.Fprint(l.v.out, "\r\x1b[K")
		l.drawn = false
	}
}

// Close prints the end.
func (l *Live) Close(res *executor.Result) {
	l.clear()
	l.v.Result(res)
}

// Result prints how an apply ended: gates with their margins, artifacts, counts.
func (v *View) Result(res *executor.Result) {
	sort.SliceStable(res.Gates, func(i, j int) bool { return res.Gates[i].Block < res.Gates[j].Block })
	for _, g := range res.Gates {
		mark := v.paint(green, "pass")
		op := map[string]string{"min": ">=", "max": "<="}[g.Bound]
		switch g.Verdict {
		case planner.Fail:
			mark = v.paint(red, "FAIL")
		case planner.Inconclusive:
			mark = v.paint(yellow, "inconclusive")
		}
		fmt.Fprintf(v.out, "gate %s  %s  %s %.4f %s %g  (margin %+.4f)\n", mark, g.Block, g.Metric, g.Value, op, g.Limit, g.Margin)
	}
	sort.SliceStable(res.Artifacts, func(i, j int) bool { return res.Artifacts[i].Path < res.Artifacts[j].Path })
	for _, a := range res.Artifacts {
		state := "unchanged"
		if a.Written {
			state = "written"
		}
		fmt.Fprintf(v.out, "artifact %s  %s  (%s, %s)\n", a.Path, a.Block, Bytes(a.Size), state)
		for _, f := range a.Overwrote {
			fmt.Fprintf(v.out, "  overwrote %s, which mbuild had not written\n", f)
		}
	}
	text := fmt.Sprintf("%d built, %d cached", res.Built, res.Cached)
	if res.Failed > 0 {
		text += fmt.Sprintf(", %d failed", res.Failed)
	}
	if res.Skipped > 0 {
		text += fmt.Sprintf(", %d skipped", res.Skipped)
	}
	if res.Interrupted {
		text += "; interrupted, what is finished is kept"
	}
	fmt.Fprintf(v.out, "%s in %.2f s.\n", text, res.Seconds)
}
