package view

import (
	"bufio"
	"fmt"

	"mbuild.dev/mbuild/lang"
	"mbuild.dev/mbuild/planner"
)

// manyBlocks is from where on the instances of one block are summed up instead of listed.
const manyBlocks = 100

// planBlocks prints what is not cached: a line a block, or, when there are very many, a line for all instances that are in the
// same state.
func (v *View) planBlocks(p *planner.Plan) {
	out := v.out
	w := bufio.NewWriter(out)
	v.out = w
	defer func() { w.Flush(); v.out = out }()
	var shown []*planner.BlockStep
	for _, b := range p.Blocks {
		if b.Status != planner.Cached || v.opts.Verbose {
			shown = append(shown, b)
		}
	}
	if len(shown) > manyBlocks && !v.opts.Verbose {
		v.planGroups(shown)
		return
	}
	width := 10
	for _, b := range shown {
		width = max(width, len(b.Block.Addr.String()))
	}
	for _, b := range shown {
		v.planBlock(b, min(width, 48))
	}
}

// group is the instances of one block that are in the same state.
type group struct {
	first *planner.BlockStep
	n     int
}

// planGroups sums up instances. Groups stand where their first instance would.
func (v *View) planGroups(blocks []*planner.BlockStep) {
	type state struct {
		base   lang.Addr
		status planner.Status
		code   string
	}
	index := map[state]int{}
	var groups []group
	for _, b := range blocks {
		s := state{base: b.Block.Addr.Base(), status: b.Status}
		if len(b.Reasons) > 0 && b.Status == planner.Build {
			s.code = b.Reasons[0].Code
		}
		i, ok := index[s]
		if !ok {
			i = len(groups)
			index[s] = i
			groups = append(groups, group{first: b})
		}
		groups[i].n++
	}
	for _, g := range groups {
		if g.n == 1 {
			v.planBlock(g.first, 10)
			continue
		}
		symbol, colour := v.symbol(g.first)
		text := v.blockText(g.first)
		if text != "" {
			text = "; the first: " + text
		}
		fmt.Fprintf(v.out, "%s %s[...]  %-8s %d instances%s\n", v.paint(colour, fmt.Sprintf("%3s", symbol)), g.first.Block.Addr.Base(), word(g.first), g.n, text)
	}
}
