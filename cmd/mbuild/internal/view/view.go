// Package view prints for people: diagnostics, plans, the progress and the end of an apply. It computes nothing; package
// contract is for machines.
package view

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"golang.org/x/term"

	"mbuild.dev/mbuild/lang"
	"mbuild.dev/mbuild/lang/schema"
	"mbuild.dev/mbuild/planner"
)

// Options are the flags about printing.
type Options struct{ NoColor, Verbose, Quiet bool }

// View prints to two streams.
type View struct {
	out, err io.Writer
	opts     Options
	tty      bool
	width    int
}

// New returns a View. It colours and moves the cursor on a terminal only, and not under NO_COLOR or CI.
func New(out, err io.Writer, opts Options) *View {
	v := &View{out: out, err: err, opts: opts, width: 100}
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) && os.Getenv("CI") == "" {
		v.tty = true
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 20 {
			v.width = w
		}
	}
	if os.Getenv("NO_COLOR") != "" || !v.tty {
		v.opts.NoColor = true
	}
	return v
}

const (
	red    = "31"
	green  = "32"
	yellow = "33"
	bold   = "1"
	faint  = "2"
)

func (v *View) paint(colour, s string) string {
	if v.opts.NoColor {
		return s
	}
	return "\x1b[" + colour + "m" + s + "\x1b[0m"
}

// Diagnostics prints problems to the error stream, with the line each is about.
func (v *View) Diagnostics(diags hcl.Diagnostics, files map[string]*hcl.File) {
	for _, d := range diags {
		fmt.Fprint(v.err, v.Diagnostic(d, files))
	}
}

// Diagnostic is the text of one problem.
func (v *View) Diagnostic(d *hcl.Diagnostic, files map[string]*hcl.File) string {
	var b strings.Builder
	word, colour := "Error", red
	if d.Severity == hcl.DiagWarning {
		word, colour = "Warning", yellow
	}
	fmt.Fprintf(&b, "%s %s\n", v.paint(colour, word+":"), v.paint(bold, d.Summary))
	if r := d.Subject; r != nil && r.Filename != "" {
		b.WriteString("  " + r.String())
		if addr, err := lang.ParseAddr(lang.ExtraOf(d).Address); err == nil {
			fmt.Fprintf(&b, ", in %s %q %q%s", addr.Family, addr.Type, addr.Name, addr.Key)
			if addr.Module != "" {
				b.WriteString(" of " + addr.Module)
			}
		}
		b.WriteString(":\n")
		if f := files[r.Filename]; f != nil {
			v.snippet(&b, f.Bytes, *r)
		}
	}
	b.WriteString(d.Detail + "\n\n")
	return b.String()
}

// snippet prints the line a range begins in.
func (v *View) snippet(b *strings.Builder, src []byte, r hcl.Range) {
	sc := bufio.NewScanner(strings.NewReader(string(src)))
	sc.Buffer(nil, 1<<20)
	for n := 1; sc.Scan(); n++ {
		if n == r.Start.Line {
			line := sc.Text()
			if len(line) > 200 {
				line = strings.ToValidUTF8(line[:200], "") + "…"
			}
			fmt.Fprintf(b, "  %d: %s\n", n, line)
			return
		}
	}
}

var symbols = map[planner.Status]string{planner.Cached: "=", planner.Extend: ">", planner.Unknown: "?", planner.Blocked: "!"}

// Plan prints a plan.
func (v *View) Plan(p *planner.Plan) {
	if v.opts.Quiet {
		return
	}
	v.planBlocks(p)
	for _, d := range p.Drift {
		after := "will be written again"
		if len(d.Foreign) > 0 {
			after = "will be written again only with apply -force"
		}
		fmt.Fprintf(v.out, "  ~ %s  %s: %s\n", d.Path, DriftText(d), after)
	}
	s := p.Summary
	if p.Empty() {
		v.Idle(s.Cached, blockedText(s))
		v.unpinned(p.Unpinned)
		return
	}
	fmt.Fprintf(v.out, "Plan: %d to run, %d known after them, %d cached%s.", s.Build, s.Unknown, s.Cached, blockedText(s))
	if t := estimate(p.Total); t != "" {
		fmt.Fprintf(v.out, "  %s", t)
	}
	fmt.Fprintln(v.out)
	v.backends(p)
	v.unpinned(p.Unpinned)
}

// backends prints which blocks compute with which backend, where that is not one for all.
func (v *View) backends(p *planner.Plan) {
	blocks := map[string][]string{}
	for _, b := range p.Blocks {
		on := map[string]bool{}
		for _, s := range b.Steps {
			if s.Compute && b.Status != planner.Cached {
				on[p.ToolchainOf(s.Action).Backend] = true
			}
		}
		for name := range on {
			blocks[name] = append(blocks[name], b.Block.Addr.String())
		}
	}
	if _, one := blocks[p.Toolchain.Backend]; one && len(blocks) == 1 {
		return
	}
	for _, name := range sortedKeys(blocks) {
		fmt.Fprintf(v.out, "On %s: %s.\n", name, strings.Join(blocks[name], ", "))
	}
}

// DriftText is what became of an artifact.
func DriftText(d planner.Drift) string {
	text := d.Change
	if d.Detail != "" {
		text += ", " + d.Detail
	}
	for i, f := range d.Foreign {
		switch {
		case f == ".":
		case i == 5:
			return text + fmt.Sprintf(" and %d more", len(d.Foreign)-i)
		case i == 0:
			text += ", with files that mbuild did not write: " + f
		default:
			text += ", " + f
		}
	}
	return text
}

// Idle prints that there is nothing to do.
func (v *View) Idle(cached int, more string) {
	if !v.opts.Quiet {
		fmt.Fprintf(v.out, "Nothing to run: %d actions cached%s.\n", cached, more)
	}
}

func blockedText(s planner.Summary) string {
	if s.Blocked == 0 {
		return ""
	}
	return fmt.Sprintf(", %d blocked", s.Blocked)
}

func (v *View) planBlock(b *planner.BlockStep, width int) {
	symbol, colour := v.symbol(b)
	fmt.Fprintf(v.out, "%s %-*s  %-8s %s\n", v.paint(colour, fmt.Sprintf("%3s", symbol)), width, b.Block.Addr, word(b), v.blockText(b))
}

// symbol is the sign of a block in a plan, and its colour.
func (v *View) symbol(b *planner.BlockStep) (symbol, colour string) {
	symbol, colour = symbols[b.Status], faint
	if b.Status == planner.Build {
		symbol, colour = "~", yellow
		for _, r := range b.Reasons {
			switch r.Code {
			case "new":
				symbol, colour = "+", green
			case "forced":
				symbol = "-/+"
			}
		}
	}
	if b.Status == planner.Extend {
		colour = green
	}
	if b.Status == planner.Blocked {
		colour = red
	}
	return symbol, colour
}

func word(b *planner.BlockStep) string {
	if b.Status == planner.Unknown {
		return "after"
	}
	return string(b.Status)
}

// blockText says why, in a few words.
func (v *View) blockText(b *planner.BlockStep) string {
	switch b.Status {
	case planner.Unknown:
		return "known after " + strings.Join(sources(b), ", ")
	case planner.Cached:
		return ""
	}
	var parts []string
	for i, r := range b.Reasons {
		if i == 3 {
			parts = append(parts, fmt.Sprintf("and %d more", len(b.Reasons)-3))
			break
		}
		parts = append(parts, ReasonText(r))
	}
	text := strings.Join(parts, ", ")
	c := b.Counts
	if len(b.Steps) > 1 {
		text += fmt.Sprintf(" (%d cached, %d to run)", c.Cached, c.Build+c.Unknown)
	}
	return text
}

// sources are the blocks that an unknown block waits for.
func sources(b *planner.BlockStep) []string {
	seen := map[string]bool{}
	var out []string
	for _, s := range b.Steps {
		s.Dependencies(func(a *planner.Action) {
			if name := a.Block.Addr.String(); a.Block != b.Block && !seen[name] {
				seen[name] = true
				out = append(out, name)
			}
		})
	}
	if len(out) > 3 {
		out = append(out[:3], "…")
	}
	return out
}

// ReasonText is one reason in words.
func ReasonText(r planner.Reason) string {
	switch r.Code {
	case "attribute":
		return fmt.Sprintf("%s: %s -> %s", r.Path, shown(r.Before), shown(r.After))
	case "input":
		if r.From != "" && r.Before == nil && r.After == nil {
			return "waits for " + r.From
		}
		if r.From != "" {
			return r.From + " changed"
		}
		return "input " + r.Path + " changed"
	case "kind_version":
		return fmt.Sprintf("kind: %v -> %v", r.Before, r.After)
	case "toolchain":
		what := "toolchain"
		if part, ok := strings.CutPrefix(r.Path, "backend."); ok || r.Path != "backend" {
			what += " " + part
		}
		return fmt.Sprintf("%s: %v -> %v", what, r.Before, r.After)
	case "new":
		if r.Before != nil {
			return "changed; what it was before is no longer in the store"
		}
		return "new"
	case "interrupted":
		return "interrupted: an apply was stopped before it had run"
	case "output":
		return "the same action gave other bytes"
	case "lost":
		return "its bytes are gone from the store"
	case "forced":
		return "asked for"
	case "gate":
		return r.From + " has not passed"
	}
	return r.Code
}

func shown(v any) string {
	if v == nil {
		return "(none)"
	}
	if m, ok := v.(map[string]any); ok && m["$secret"] != nil {
		return lang.Hidden
	}
	return schema.Show(v)
}

// estimate says what a plan is expected to take.
func estimate(t planner.Estimate) string {
	if t.Basis == "none" || t.Seconds <= 0 {
		return ""
	}
	basis := ""
	if t.Basis == "model" {
		basis = " by a rough guess"
	}
	return fmt.Sprintf("About %s%s, +%s in the store.", Duration(t.Seconds), basis, Bytes(t.StoreBytes))
}

// Duration prints seconds as people say them.
func Duration(seconds float64) string {
	switch d := time.Duration(seconds * float64(time.Second)); {
	case seconds < 0.0995:
		return fmt.Sprintf("%.2g ms", seconds*1e3)
	case seconds < 9.995:
		return fmt.Sprintf("%.2f s", seconds)
	case seconds < 59.95:
		return fmt.Sprintf("%.1f s", seconds)
	case seconds < 3600:
		d = d.Round(time.Second)
		return fmt.Sprintf("%d min %02d s", int(d.Minutes()), int(d.Seconds())%60)
	default:
		d = d.Round(time.Minute)
		return fmt.Sprintf("%d h %02d min", int(d.Hours()), int(d.Minutes())%60)
	}
}

// Bytes prints a number of bytes with a decimal unit.
func Bytes(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1e6:
		return fmt.Sprintf("%.3g kB", float64(n)/1e3)
	case n < 1e9:
		return fmt.Sprintf("%.3g MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.3g GB", float64(n)/1e9)
}

func sortedKeys[T any](m map[string]T) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
