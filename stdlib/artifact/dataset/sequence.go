package dataset

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
)

// NoLabel is the label of a token that has none: special tokens, and what the alignment of labels leaves out.
const NoLabel = -100

// The parts of a sequence that an input may be: token ids, a mask (1 for tokens, 0 for padding), and the number of the text that
// a token is of (0 for the first of a pair and special tokens before it, 1 for the second).
const (
	PartIDs   = "ids"
	PartMask  = "mask"
	PartTypes = "types"
)

// PartWords is stored for tags: the word that each token is of.
const PartWords = "words"

// Sequence is text as tokens: of each row a list of token ids, between 1 and MaxLength of them. Padding is not stored: consumers
// pad the rows of a batch on the right, to one of a few Lengths.
type Sequence struct {
	Name      string `json:"name"`
	MaxLength int    `json:"max_length"`
	Lengths   []int  `json:"lengths"` // what batches are padded to, rising; the last is MaxLength
	VocabSize int    `json:"vocab_size"`
	PadID     int    `json:"pad_id"`
	MaskID    *int   `json:"mask_id,omitempty"` // of the token that masked language models put in the place of others
	Special   []int  `json:"special,omitempty"` // ids of special tokens, rising
	Tokenizer string `json:"tokenizer"`         // digest of the tokenizer, "sha256:<hex>"

	// Bytes is by split how many bytes of text, in UTF-8, the tokens are of, without what was cut off: what bits per byte are per.
	Bytes map[string]int64 `json:"bytes,omitempty"`

	// RowBytes says that the same is kept for each row, in Tokens.Bytes.
	RowBytes bool `json:"row_bytes,omitempty"`
}

// Tokens is a sequence in memory.
type Tokens struct {
	IDs   []int32
	Types []int32 // nil where no input has them
	Words []int32 // the word, counted from 0 in each row, that a token is of; -1 for special tokens; nil where the label is no tags
	Ends  []int64 // the number of tokens up to the end of each row
	Bytes []int32 // bytes of text that the tokens of each row are of; nil where they are not kept

	// Stream writes a part, which is then nil here, as it is stored: for writing what should not be in memory.
	Stream func(part string, w io.Writer) error
}

// Span is which tokens a row has: those from the first up to the second.
func (t *Tokens) Span(row int) (from, to int) {
	if row > 0 {
		from = int(t.Ends[row-1])
	}
	return from, int(t.Ends[row])
}

// Length is the number of tokens of a row.
func (t *Tokens) Length(row int) int {
	from, to := t.Span(row)
	return to - from
}

// total is the number of tokens of all rows.
func (t *Tokens) total() int {
	if len(t.Ends) == 0 {
		return 0
	}
	return int(t.Ends[len(t.Ends)-1])
}

// SequenceTensor is the name of the tensor of a part of a sequence: ids, types, words, ends, or bytes.
func SequenceTensor(sequence, part string) string { return "sequence/" + sequence + "/" + part }

// Sequence returns the sequence called name, or nil. It points into the manifest.
func (m *Manifest) Sequence(name string) *Sequence {
	for i := range m.Sequences {
		if m.Sequences[i].Name == name {
			return &m.Sequences[i]
		}
	}
	return nil
}

// tagged is the sequence that the label tags, or nil.
func (m *Manifest) tagged() *Sequence {
	if m.Label == nil || m.Label.Kind != "tags" {
		return nil
	}
	return m.Sequence(m.Label.Of)
}

// has reports whether an input has a part of a sequence.
func (m *Manifest) has(sequence, part string) bool {
	return slices.ContainsFunc(m.Inputs, func(in Input) bool { return in.Sequence == sequence && in.Part == part })
}

// Parts are what is stored of a sequence for each token.
func (m *Manifest) Parts(s *Sequence) []string {
	parts := []string{PartIDs}
	if m.has(s.Name, PartTypes) {
		parts = append(parts, PartTypes)
	}
	if m.tagged() == s {
		parts = append(parts, PartWords)
	}
	return parts
}

func (m *Manifest) checkSequences() error {
	for i := range m.Sequences {
		s := &m.Sequences[i]
		switch {
		case s.Name == "" || m.Sequence(s.Name) != s:
			return fmt.Errorf("sequence %q comes twice, or has no name", s.Name)
		case s.MaxLength < 1 || s.MaxLength > maxWidth || s.VocabSize < 1 || s.PadID < 0 || s.PadID >= s.VocabSize:
			return fmt.Errorf("sequence %q has max_length %d, vocab_size %d and pad_id %d", s.Name, s.MaxLength, s.VocabSize, s.PadID)
		case len(s.Lengths) == 0 || s.Lengths[0] < 1 || s.Lengths[len(s.Lengths)-1] != s.MaxLength || !rises(s.Lengths):
			return fmt.Errorf("sequence %q has lengths %v; they must rise, up to %d", s.Name, s.Lengths, s.MaxLength)
		case s.MaskID != nil && (*s.MaskID < 0 || *s.MaskID >= s.VocabSize):
			return fmt.Errorf("sequence %q has mask_id %d and vocab_size %d", s.Name, *s.MaskID, s.VocabSize)
		case slices.ContainsFunc(slices.Collect(maps.Values(s.Bytes)), func(n int64) bool { return n < 0 }):
			return fmt.Errorf("sequence %q has bytes %v", s.Name, s.Bytes)
		case !rises(s.Special) || len(s.Special) > 0 && (s.Special[0] < 0 || s.Special[len(s.Special)-1] >= s.VocabSize):
			return fmt.Errorf("sequence %q has special tokens %v and vocab_size %d", s.Name, s.Special, s.VocabSize)
		case !m.has(s.Name, PartIDs):
			return fmt.Errorf("no input has the ids of sequence %q", s.Name)
		}
	}
	for _, in := range m.Inputs {
		if in.Sequence == "" {
			continue
		}
		s := m.Sequence(in.Sequence)
		switch {
		case s == nil:
			return fmt.Errorf("input %q is of sequence %q, which is not there", in.Name, in.Sequence)
		case in.DType != "I32" || len(in.Shape) != 1 || in.Shape[0] != s.MaxLength:
			return fmt.Errorf("input %q is %s%v; of sequence %q it must be I32[%d]", in.Name, in.DType, in.Shape, s.Name, s.MaxLength)
		case in.Part != PartIDs && in.Part != PartMask && in.Part != PartTypes:
			return fmt.Errorf("input %q is part %q of a sequence; known are %s, %s and %s", in.Name, in.Part, PartIDs, PartMask, PartTypes)
		}
	}
	return nil
}

func rises(v []int) bool {
	for i := 1; i < len(v); i++ {
		if v[i] <= v[i-1] {
			return false
		}
	}
	return true
}

// readTokens makes a sequence of the tensors in a file, and checks it.
func (m *Manifest) readTokens(s *Sequence, rows int, raw map[string][]byte) (*Tokens, error) {
	t := &Tokens{
		IDs:  safetensors.View[int32](raw[SequenceTensor(s.Name, PartIDs)]),
		Ends: safetensors.View[int64](raw[SequenceTensor(s.Name, "ends")]),
	}
	if m.has(s.Name, PartTypes) {
		t.Types = safetensors.View[int32](raw[SequenceTensor(s.Name, PartTypes)])
	}
	if m.tagged() == s {
		t.Words = safetensors.View[int32](raw[SequenceTensor(s.Name, PartWords)])
	}
	if s.RowBytes {
		t.Bytes = safetensors.View[int32](raw[SequenceTensor(s.Name, "bytes")])
	}
	if err := rising(t.Ends, int64(len(t.IDs))); err != nil {
		return nil, err
	}
	for row, n := range t.Bytes {
		if n < 0 {
			return nil, fmt.Errorf("row %d is of %d bytes of text", row, n)
		}
	}
	for row := range rows {
		if n := t.Length(row); n < 1 || n > s.MaxLength {
			return nil, fmt.Errorf("row %d has %d tokens; rows have between 1 and %d", row, n, s.MaxLength)
		}
	}
	for i, id := range t.IDs {
		if id < 0 || int(id) >= s.VocabSize {
			return nil, fmt.Errorf("token %d has id %d; there are %d", i, id, s.VocabSize)
		}
	}
	if t.Types != nil && len(t.Types) != len(t.IDs) || t.Words != nil && len(t.Words) != len(t.IDs) {
		return nil, fmt.Errorf("there are %d tokens, %d types and %d words", len(t.IDs), len(t.Types), len(t.Words))
	}
	for i := range t.Types {
		if t.Types[i] < 0 || t.Types[i] > 1 {
			return nil, fmt.Errorf("token %d is of text %d; there are 0 and 1", i, t.Types[i])
		}
	}
	for i := range t.Words {
		if t.Words[i] < -1 {
			return nil, fmt.Errorf("token %d is of word %d", i, t.Words[i])
		}
	}
	return t, nil
}

// Padded is the length to pad some rows to: the smallest of Lengths that the longest of them has room in.
func (s *Sequence) Padded(d *Data, rows []int) int {
	longest, t := 1, d.Tokens[s.Name]
	for _, r := range rows {
		longest = max(longest, t.Length(r))
	}
	return s.fit(longest)
}

func (s *Sequence) fit(length int) int {
	i, _ := slices.BinarySearch(s.Lengths, length)
	return s.Lengths[i]
}

// Pad is an input of a sequence for some rows, [rows, length], padded on the right: ids with PadID, masks and types with 0. No
// row may be longer.
func (m *Manifest) Pad(d *Data, in *Input, rows []int, length int) []int32 {
	s, t := m.Sequence(in.Sequence), d.Tokens[in.Sequence]
	out := make([]int32, len(rows)*length)
	if in.Part == PartIDs && s.PadID != 0 {
		fill(out, int32(s.PadID))
	}
	for i, r := range rows {
		from, to := t.Span(r)
		row := out[i*length : (i+1)*length][:to-from]
		switch in.Part {
		case PartIDs:
			copy(row, t.IDs[from:to])
		case PartTypes:
			copy(row, t.Types[from:to])
		default:
			fill(row, 1)
		}
	}
	return out
}

// PadTags is the label of some rows where it tags a sequence, [rows, length], padded on the right with NoLabel.
func (m *Manifest) PadTags(d *Data, rows []int, length int) []int32 {
	t := d.Tokens[m.Label.Of]
	out := make([]int32, len(rows)*length)
	fill(out, NoLabel)
	for i, r := range rows {
		from, to := t.Span(r)
		copy(out[i*length:(i+1)*length], d.Classes[from:to])
	}
	return out
}

func fill(v []int32, x int32) {
	for i := range v {
		v[i] = x
	}
}

// ByLength brings the order of rows of an epoch into one whose batches, slices of so many rows one after the other, hold rows of
// about one length. Rows go, in the order given, to the batch of their length (of the longest sequence, where there are several),
// and batches stand in the order in which they fill; what fills none comes last, from short to long. So there are as many batches
// as before, only the last is smaller, and the order is a function of the arguments alone. Of data without sequences it is the
// order given.
func (m *Manifest) ByLength(d *Data, order []int, batch int) []int {
	if len(m.Sequences) == 0 {
		return order
	}
	out := make([]int, 0, len(order))
	open := map[[2]int][]int{} // by place in Lengths of the two sequences that decide
	var keys [][2]int
	for _, r := range order {
		k := m.lengths(d, r)
		b, ok := open[k]
		if !ok {
			keys = append(keys, k)
		}
		if b = append(b, r); len(b) == batch {
			out = append(out, b...)
			b = b[:0]
		}
		open[k] = b
	}
	slices.SortFunc(keys, func(a, b [2]int) int { return slices.Compare(a[:], b[:]) })
	for _, k := range keys {
		out = append(out, open[k]...)
	}
	return out
}

// lengths is what the row's first two sequences would be padded to alone.
func (m *Manifest) lengths(d *Data, row int) (k [2]int) {
	for i := range m.Sequences[:min(len(m.Sequences), 2)] {
		s := &m.Sequences[i]
		k[i] = s.fit(d.Tokens[s.Name].Length(row))
	}
	return k
}

// PaddingShare is the share of padding among all positions of the batches that an order makes, of all sequences together.
func (m *Manifest) PaddingShare(d *Data, order []int, batch int) float64 {
	padding, all := 0, 0
	for at := 0; at < len(order); at += batch {
		rows := order[at:min(at+batch, len(order))]
		for i := range m.Sequences {
			s := &m.Sequences[i]
			length := s.Padded(d, rows)
			all += length * len(rows)
			for _, r := range rows {
				padding += length - d.Tokens[s.Name].Length(r)
			}
		}
	}
	if all == 0 {
		return 0
	}
	return float64(padding) / float64(all)
}

// ChooseLengths picks at most n lengths to pad to, the last being longest, so that rows of the lengths that counts counts
// (counts[l] rows of l tokens), each padded to the next length, have as little padding as may be. Of equal choices it takes the one
// whose lengths are smaller from the end. Dynamic programming over lengths: O(n longest^2).
func ChooseLengths(counts []int, longest, n int) []int {
	rows := make([]float64, longest+1)   // rows of up to so many tokens
	tokens := make([]float64, longest+1) // tokens in them
	var at []int                         // lengths that occur, and the longest
	for l := 1; l <= longest; l++ {
		rows[l], tokens[l] = rows[l-1], tokens[l-1]
		if l < len(counts) {
			rows[l] += float64(counts[l])
			tokens[l] += float64(counts[l]) * float64(l)
		}
		if l == longest || l < len(counts) && counts[l] > 0 {
			at = append(at, l)
		}
	}
	cost := func(from, to int) float64 { return (rows[to]-rows[from])*float64(to) - (tokens[to] - tokens[from]) }
	k := min(n, len(at))
	best, via := make([][]float64, k), make([][]int, k)
	for j := range k {
		best[j], via[j] = make([]float64, len(at)), make([]int, len(at))
		for e, to := range at {
			best[j][e], via[j][e] = cost(0, to), -1
			if j == 0 {
				continue
			}
			for s := range e {
				if c := best[j-1][s] + cost(at[s], to); c < best[j][e] {
					best[j][e], via[j][e] = c, s
				}
			}
		}
	}
	var out []int
	for e, j := len(at)-1, k-1; e >= 0; e, j = via[j][e], j-1 {
		out = append(out, at[e])
		if j == 0 {
			break
		}
	}
	slices.Reverse(out)
	return out
}
