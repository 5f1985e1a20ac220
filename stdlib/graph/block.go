package graph

import (
	"strconv"
	"strings"
)

// Block is the number of the block of a stack that a layer belongs to, by its name, which is layerN or layerN_…, and what stands
// behind the number; not ok for a layer of none (ADR 56).
func Block(layer string) (n int, rest string, ok bool) {
	s, found := strings.CutPrefix(layer, "layer")
	if !found {
		return 0, "", false
	}
	end := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(s)
	} else if s[end] != '_' {
		return 0, "", false
	}
	n, err := strconv.Atoi(s[:end])
	if err != nil || strconv.Itoa(n) != s[:end] {
		return 0, "", false
	}
	return n, s[end:], true
}
