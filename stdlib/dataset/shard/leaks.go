package shard

import (
	"bytes"
	"fmt"
	"sort"
	"strings"
)

// leaks counts rows whose inputs are there more than once.
type leaks struct {
	duplicates int       // rows that repeat one of their own split
	of         [3][3]int // [a][b]: rows of split b that are in split a too, a before b
	conflicts  int       // rows with the inputs of another and a different class
	rows       []int     // those counted in of, once each
}

// checkLeaks compares rows by content, and does what the options say about those that are in two splits.
func (j *joiner) checkLeaks() error {
	if j.opt.Leaks == "ignore" {
		return nil
	}
	l := j.findLeaks()
	j.metrics["duplicates"], j.metrics["leaks"] = float64(l.duplicates), float64(len(l.rows))
	if l.conflicts > 0 {
		fmt.Fprintf(j.log, "warning: %d rows have the same inputs as another row and a different label\n", l.conflicts)
	}
	if l.duplicates > 0 {
		fmt.Fprintf(j.log, "warning: %d of %d rows repeat an earlier row of their split\n", l.duplicates, j.rows)
	}
	if len(l.rows) == 0 {
		return nil
	}
	switch j.opt.Leaks {
	case "error":
		return Fail("leak", "leaks", "Rows in two splits", "%s. Remove them from the files, deal rows out by content (split.by) or by group, or set leaks = \"drop\".", l.describe())
	case "drop":
		for _, r := range l.rows {
			j.of[r] = gone
		}
		fmt.Fprintf(j.log, "warning: %s; they are left out there\n", l.describe())
	default:
		fmt.Fprintf(j.log, "warning: %s; set leaks to \"drop\" or \"error\", or split.by to \"content\"\n", l.describe())
	}
	return nil
}

// findLeaks looks at rows in order of their content.
func (j *joiner) findLeaks() leaks {
	order := make([]int, len(j.content))
	for i := range order {
		order[i] = i
	}
	sort.Slice(order, func(a, b int) bool {
		x, y := order[a], order[b]
		if c := bytes.Compare(j.content[x][:], j.content[y][:]); c != 0 {
			return c < 0
		}
		return x < y
	})
	var l leaks
	for from := 0; from < len(order); {
		to := from + 1
		for to < len(order) && j.content[order[to]] == j.content[order[from]] {
			to++
		}
		if to-from > 1 {
			j.countRun(&l, order[from:to])
		}
		from = to
	}
	sort.Ints(l.rows)
	return l
}

// countRun counts rows of equal content.
func (j *joiner) countRun(l *leaks, run []int) {
	var in [3]int
	for _, r := range run {
		if in[j.of[r]]++; in[j.of[r]] > 1 {
			l.duplicates++
		}
		if j.class != nil && j.class[r] != j.class[run[0]] {
			l.conflicts++
		}
	}
	for b := 1; b < 3; b++ {
		for a := range b {
			if in[a] > 0 {
				l.of[a][b] += in[b]
			}
		}
	}
	for _, r := range run {
		for a := range int(j.of[r]) {
			if in[a] > 0 {
				l.rows = append(l.rows, r)
				break
			}
		}
	}
}

func (l *leaks) describe() string {
	var parts []string
	for b := 1; b < 3; b++ {
		for a := range b {
			if n := l.of[a][b]; n > 0 {
				parts = append(parts, fmt.Sprintf("%d rows of the %s split are in the %s split too", n, splitNames[b], splitNames[a]))
			}
		}
	}
	return strings.Join(parts, ", ")
}

// warnMissing says which splits are empty or lack a class altogether: legal, and surely not meant.
func (j *joiner) warnMissing() {
	there := [3]map[int32]bool{{}, {}, {}}
	rows := [3]int{}
	for r, s := range j.of {
		if s == gone {
			continue
		}
		rows[s]++
		if j.class != nil {
			there[s][j.class[r]] = true
		}
	}
	for s, n := range rows {
		if f := j.opt.Split; n == 0 && f != nil && []float64{f.Train, f.Valid, f.Test}[s] > 0 {
			fmt.Fprintf(j.log, "warning: the %s split has no rows: there are too few, or too few groups\n", splitNames[s])
		}
		if j.class == nil || n == 0 {
			continue
		}
		if missing := len(j.m.Label.Classes) - len(there[s]); missing > 0 {
			fmt.Fprintf(j.log, "warning: the %s split has %d rows and none of %d of the %d classes; raise its fraction, or set stratify\n", splitNames[s], n, missing, len(j.m.Label.Classes))
		}
	}
}
