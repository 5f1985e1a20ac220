package shard

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// SortClasses brings names of classes into order: by number when all are numbers, else by text.
func SortClasses(names []string) {
	numeric := true
	for _, n := range names {
		if _, err := strconv.ParseFloat(n, 64); err != nil {
			numeric = false
			break
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		if numeric {
			x, _ := strconv.ParseFloat(a, 64)
			y, _ := strconv.ParseFloat(b, 64)
			return cmp.Or(cmp.Compare(x, y), strings.Compare(a, b))
		}
		return strings.Compare(a, b)
	})
}
