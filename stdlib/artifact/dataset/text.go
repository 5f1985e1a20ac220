package dataset

import (
	"fmt"
	"slices"
)

// Texts is a column of text in memory: of each row a string, or a list of strings.
type Texts struct {
	Bytes []byte
	Ends  []int64 // where each string ends in Bytes
	Rows  []int64 // of lists: the number of strings up to the end of each row; nil otherwise
}

// At is the i-th string of all: of a text column the text of row i.
func (t *Texts) At(i int) string {
	from := int64(0)
	if i > 0 {
		from = t.Ends[i-1]
	}
	return string(t.Bytes[from:t.Ends[i]])
}

// Span is which strings a row of a token column has: those from the first up to the second.
func (t *Texts) Span(row int) (from, to int) {
	if row > 0 {
		from = int(t.Rows[row-1])
	}
	return from, int(t.Rows[row])
}

// List is the strings of a row of a token column.
func (t *Texts) List(row int) []string {
	from, to := t.Span(row)
	out := make([]string, 0, to-from)
	for i := from; i < to; i++ {
		out = append(out, t.At(i))
	}
	return out
}

// check reports ends that do not lie in order within the bytes.
func (t *Texts) check() error {
	if err := rising(t.Ends, int64(len(t.Bytes))); err != nil {
		return err
	}
	if t.Rows == nil {
		return nil
	}
	return rising(t.Rows, int64(len(t.Ends)))
}

func rising(ends []int64, total int64) error {
	if !slices.IsSorted(ends) || len(ends) > 0 && ends[0] < 0 {
		return fmt.Errorf("its ends do not rise")
	}
	if last := int64(0); len(ends) > 0 && ends[len(ends)-1] != total || len(ends) == 0 && total != last {
		return fmt.Errorf("its ends do not reach the end, %d", total)
	}
	return nil
}
