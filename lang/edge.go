package lang

import (
	"fmt"
	"strconv"

	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/lang/value"
)

// collectRefs lists the references that are left in the normalised attributes: these are the block's edges.
func (l *loader) collectRefs(b *Block, v any, path string) {
	switch t := v.(type) {
	case value.Ref:
		i := len(t.To) - 1
		for t.To[i] != '.' {
			i--
		}
		if to, ok := l.addrOf(t.To[:i]); ok {
			b.Refs = append(b.Refs, Ref{At: path, To: to, Output: t.To[i+1:], Type: t.Type})
		}
	case []any:
		for i, e := range t {
			l.collectRefs(b, e, joinPath(path, strconv.Itoa(i)))
		}
	case map[string]any:
		for _, k := range keys(t) {
			l.collectRefs(b, t[k], joinPath(path, k))
		}
	}
}

// addrOf parses an address; many references lead to one block.
func (l *loader) addrOf(s string) (Addr, bool) {
	a, ok := l.addrs[s]
	if !ok {
		var err error
		if a, err = ParseAddr(s); err != nil {
			return Addr{}, false
		}
		l.addrs[s] = a
	}
	return a, true
}

func joinPath(path, k string) string {
	if path == "" {
		return k
	}
	return path + "." + k
}

// edge is what one block needs of another, and the attribute that says so.
type edge struct {
	from *Block
	at   string
	to   Addr
}

func (e edge) place() hcl.Range { return e.from.RangeOf(e.at, false) }

// checkEdges links the blocks, and finds references to instances that do not exist, and cycles among blocks.
func (l *loader) checkEdges() {
	var path []edge
	var visit func(b *Block) bool
	follow := func(e edge) bool {
		to := l.spec.Block(e.to)
		if to == nil {
			l.reportMissing(e)
			return true
		}
		e.from.needs = append(e.from.needs, to)
		path = append(path, e)
		switch to.seen {
		case busy:
			l.reportRefCycle(path)
			return false
		case fresh:
			if !visit(to) {
				return false
			}
		}
		path = path[:len(path)-1]
		return true
	}
	visit = func(b *Block) bool {
		b.seen = busy
		for _, r := range b.Refs {
			if !follow(edge{b, r.At, r.To}) {
				return false
			}
		}
		for _, d := range b.DependsOn {
			if !follow(edge{b, "depends_on", d}) {
				return false
			}
		}
		b.seen = done
		return true
	}
	for _, b := range l.spec.Blocks {
		if b.seen == fresh && !visit(b) {
			return
		}
	}
}

func (l *loader) reportMissing(e edge) {
	if l.off[e.to] {
		l.report(Errorf("disabled", e.from.Addr, e.place(), "Reference to a disabled block", "%s has enabled = false, and this refers to it. Disable this block too, or refer to another.", e.to))
		return
	}
	l.report(Errorf("unknown-block", e.from.Addr, e.place(), "Reference to nothing", "There is no block %s.", e.to))
}

// reportRefCycle reports the cycle that the last edge of a path closes.
func (l *loader) reportRefCycle(path []edge) {
	to := path[len(path)-1].to
	start := 0
	for i, e := range path[:len(path)-1] {
		if e.to == to {
			start = i + 1
		}
	}
	text := to.String()
	for _, e := range path[start:] {
		rng := e.place()
		text += fmt.Sprintf(" -> %s (%s:%d)", e.to, rng.Filename, rng.Start.Line)
	}
	l.report(Errorf("cycle", to, path[start].place(), "Cycle", "These blocks need each other: %s. Break the cycle at one of these places.", text))
}
