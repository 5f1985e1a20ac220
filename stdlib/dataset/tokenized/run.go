package tokenized

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/dataset/shard"
	"mbuild.dev/mbuild/stdlib/token"
	"mbuild.dev/mbuild/stdlib/tokenizer"
)

// params are the parameters of the action.
type params struct {
	Text       string `json:"text"`
	Pair       string `json:"pair"`
	Second     string `json:"second"`
	MaxLength  int    `json:"max_length"`
	Truncation string `json:"truncation"`
	Lengths    int    `json:"lengths"`
	Special    bool   `json:"special_tokens"`
	Types      *bool  `json:"token_types"`
	Pack       bool   `json:"pack"`
	WordLabels string `json:"word_labels"`
	Empty      string `json:"empty"`
	Stride     *int   `json:"stride"`

	Keep     []string `json:"keep"`
	RowBytes bool     `json:"row_bytes"` // of each row, how many bytes of text its tokens are of
}

// builder is the action at work.
type builder struct {
	params
	job    *executor.Job
	tok    *token.Tokenizer
	enc    *token.Encoder
	in     *dataset.Manifest
	out    *dataset.Manifest
	texts  []string // columns: of the first sequence, of the second
	words  bool     // the first column is of words
	tags   bool     // the label tags them
	bytes  [2]int64 // of text, of the sequences of the split at work
	spills []*spill // of the sequences of the split at work
	counts struct{ tokens, truncated, empty, lost, long, windows int }
}

// run makes a dataset of tokens of a dataset of text.
func run(ctx context.Context, job *executor.Job) error {
	b := &builder{job: job}
	if err := job.Bind(&b.params); err != nil {
		return err
	}
	var err error
	if b.tok, err = token.Open(job.In("tokenizer")); err != nil {
		return err
	}
	b.enc = b.tok.NewEncoder()
	if b.in, err = dataset.ReadManifest(job.In("data")); err != nil {
		return err
	}
	if err := b.plan(); err != nil {
		return err
	}
	splits := map[string]*dataset.Data{}
	for _, s := range b.in.Splits {
		d, release, err := dataset.Map(job.In("data"), b.in, s.Name)
		if err != nil {
			return err
		}
		out, err := b.split(ctx, s.Name, d)
		release()
		for _, sp := range b.spills {
			defer sp.close()
		}
		if err != nil {
			return err
		}
		if out.Rows > 0 {
			splits[s.Name] = out
			for i := range b.out.Sequences {
				b.out.Sequences[i].Bytes[s.Name] = b.bytes[i]
			}
			b.out.Splits = append(b.out.Splits, dataset.Split{Name: s.Name, Rows: out.Rows})
		}
	}
	if len(splits) == 0 {
		return shard.Fail("empty-file", "from", "No rows", "No row of the dataset has a token.")
	}
	b.chooseLengths(splits)
	b.report(splits)
	return dataset.Write(job.Out("data"), b.out, splits)
}

// plan finds the columns and says what the dataset will be.
func (b *builder) plan() error {
	first, err := tokenizer.Columns(b.in, nonEmpty(b.Text), "from", "text")
	if err != nil {
		return err
	}
	b.texts = first
	for attr, c := range map[string]string{"pair": b.Pair, "second": b.Second} {
		if c == "" {
			continue
		}
		if _, err := tokenizer.Columns(b.in, []string{c}, "from", attr); err != nil {
			return err
		}
		b.texts = append(b.texts, c)
	}
	l := b.in.Label
	b.words = b.kind(first[0]) == "tokens"
	b.tags = l != nil && l.Kind == "tags"
	switch {
	case b.tags && l.Of != first[0]:
		return shard.Fail("misfit", "text", "Labels of another column", "The label %q tags the tokens of %q, and text is %q.", l.Name, l.Of, first[0])
	case b.tags && (b.Pair != "" || b.Second != "" || b.Pack):
		return shard.Fail("misfit", "from", "Tags and pairs", "The label %q tags words. Such a dataset takes no pair, no second, and no pack.", l.Name)
	case len(b.texts) > 1 && b.kind(b.texts[1]) == "tokens":
		return shard.Fail("misfit", "pair", "Column of words", "%q is a column of words; a second text is a column of text.", b.texts[1])
	}
	if n := b.overhead(b.Pair != ""); n >= b.MaxLength {
		return shard.Fail("misfit", "max_length", "No room for text", "max_length is %d, and the tokenizer puts %d special tokens around a text. Raise it.", b.MaxLength, n)
	}
	if n := b.tok.MaxLength; n > 0 && b.MaxLength > n {
		fmt.Fprintf(b.job.Log, "warning: max_length is %d, and the tokenizer says that its model takes %d tokens at most\n", b.MaxLength, n)
	}
	b.out = &dataset.Manifest{}
	if l != nil && !b.Pack {
		label := *l
		if b.tags {
			label.Of = "text"
		}
		b.out.Label = &label
	}
	for _, c := range b.Keep {
		if _, err := tokenizer.Columns(b.in, []string{c}, "from", "keep"); err != nil {
			return err
		}
		if b.kind(c) == "tokens" {
			return shard.Fail("misfit", "keep", "Column of words", "%q is a column of words; only columns of text are passed on.", c)
		}
		b.out.Columns = append(b.out.Columns, dataset.Column{Name: c, Kind: "text"})
	}
	names := []string{"text"}
	if b.Second != "" {
		names = []string{b.texts[0], b.Second}
	}
	for _, name := range names {
		b.addSequence(name, len(names) > 1)
	}
	return nil
}

func nonEmpty(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

func (b *builder) kind(column string) string {
	for _, c := range b.in.Columns {
		if c.Name == column {
			return c.Kind
		}
	}
	return ""
}

// overhead is how many special tokens stand around a row.
func (b *builder) overhead(pair bool) int {
	if !b.Special {
		return 0
	}
	return b.tok.Overhead(pair)
}

// addSequence adds a sequence and its inputs.
func (b *builder) addSequence(name string, named bool) {
	s := dataset.Sequence{Bytes: map[string]int64{}, RowBytes: b.RowBytes, Name: name, MaxLength: b.MaxLength, VocabSize: b.tok.VocabSize(), Special: b.tok.SpecialIDs(), Tokenizer: b.job.Inputs["tokenizer"].Digest}
	if pad, ok := b.tok.Role(token.Pad); ok {
		s.PadID = int(pad)
	} else if eos, ok := b.tok.Role(token.Eos); ok {
		s.PadID = int(eos)
	}
	if id, ok := b.tok.Role(token.Mask); ok {
		mask := int(id)
		s.MaskID = &mask
	}
	b.out.Sequences = append(b.out.Sequences, s)
	prefix := ""
	if named {
		prefix = name + "_"
	}
	add := func(input, part string) {
		b.out.Inputs = append(b.out.Inputs, dataset.Input{Name: prefix + input, Shape: []int{b.MaxLength}, DType: "I32", Sequence: name, Part: part})
	}
	add("input_ids", dataset.PartIDs)
	add("attention_mask", dataset.PartMask)
	types := b.Pair != ""
	if b.Types != nil {
		types = *b.Types
	}
	if types {
		add("token_type_ids", dataset.PartTypes)
	}
}

// split makes the rows of a split.
func (b *builder) split(ctx context.Context, name string, d *dataset.Data) (*dataset.Data, error) {
	out := &dataset.Data{Tokens: map[string]*dataset.Tokens{}}
	for _, c := range b.Keep {
		if out.Texts == nil {
			out.Texts = map[string]*dataset.Texts{}
		}
		out.Texts[c] = &dataset.Texts{}
	}
	b.spills = nil
	for i := range b.out.Sequences {
		s := &b.out.Sequences[i]
		sp, err := newSpill(b.job.Scratch, fmt.Sprintf("%s%d.", name, i), b.out.Parts(s))
		if err != nil {
			return nil, err
		}
		b.spills = append(b.spills, sp)
		out.Tokens[s.Name] = &dataset.Tokens{Stream: sp.stream}
	}
	b.bytes = [2]int64{}
	if b.Pack {
		return out, b.packed(ctx, d, out)
	}
	for r := range d.Rows {
		if r%1024 == 0 {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			b.job.Progress(int64(r), int64(d.Rows), nil)
		}
		cut := b.counts.truncated
		rows, err := b.row(name, d, r)
		if err != nil {
			return nil, err
		}
		if rows == nil {
			b.counts.truncated = cut
			b.counts.empty++
			continue
		}
		b.counts.truncated = min(b.counts.truncated, cut+1) // one row, whether one of its texts was cut or both
		for _, p := range rows {
			b.put(d, r, p, out)
		}
	}
	return out, nil
}

// piece is a row to be: its tokens by sequence, the bytes of text that they are of, and where labels are tags, those.
type piece struct {
	rows   []*token.Encoding
	bytes  [2]int64
	labels []int32
}

// put appends a row that is made of a row of the source.
func (b *builder) put(d *dataset.Data, r int, p piece, out *dataset.Data) {
	for i, e := range p.rows {
		b.add(out, i, e)
		b.bytes[i] += p.bytes[i]
		if t := out.Tokens[b.out.Sequences[i].Name]; b.RowBytes {
			t.Bytes = append(t.Bytes, int32(min(p.bytes[i], math.MaxInt32)))
		}
	}
	b.label(d, r, p, out)
	for c, t := range out.Texts {
		t.Bytes = append(t.Bytes, d.Texts[c].At(r)...)
		t.Ends = append(t.Ends, int64(len(t.Bytes)))
	}
	out.Source = append(out.Source, d.Source[r])
	out.Rows++
}

// add appends a row to the i-th sequence.
func (b *builder) add(out *dataset.Data, i int, e *token.Encoding) {
	b.spills[i].add(e)
	t := out.Tokens[b.out.Sequences[i].Name]
	end := int64(e.Len())
	if n := len(t.Ends); n > 0 {
		end += t.Ends[n-1]
	}
	t.Ends = append(t.Ends, end)
	b.counts.tokens += e.Len()
}

// covered is how many bytes of text the tokens of a row reach over: to the end of the last one of each text, or of each word.
func covered(e *token.Encoding) (sum int64) {
	last := int64(0)
	for i, o := range e.Offsets {
		if i > 0 && (e.Words[i] != e.Words[i-1] || e.Text != nil && e.Text[i] != e.Text[i-1]) {
			sum, last = sum+last, 0
		}
		last = max(last, int64(o[1]))
	}
	return sum + last
}

// label appends the label of a row.
func (b *builder) label(d *dataset.Data, r int, p piece, out *dataset.Data) {
	switch {
	case b.out.Label == nil:
	case p.labels != nil:
		out.Classes = append(out.Classes, p.labels...)
	case b.tags:
		e := p.rows[0]
		from, to := d.Texts[b.texts[0]].Span(r)
		labels := d.Classes[from:to]
		out.Classes = append(out.Classes, token.Align(e.Words, labels, token.Alignment(b.WordLabels), dataset.NoLabel)...)
		seen := 0
		for i, w := range e.Words {
			if w >= 0 && (i == 0 || w != e.Words[i-1]) {
				seen++
			}
		}
		b.counts.lost += len(labels) - seen
	case b.out.Label.Kind == "class":
		out.Classes = append(out.Classes, d.Classes[r])
	default:
		out.Numbers = append(out.Numbers, d.Numbers[r])
	}
}

// row is what a row of the source becomes: a row, or windows, or nothing of one without a token.
func (b *builder) row(split string, d *dataset.Data, r int) ([]piece, error) {
	at := func() string { return fmt.Sprintf("row %d of split %q", d.Source[r], split) }
	first := b.encode(d, r)
	if len(b.texts) == 1 {
		if ws, err := b.windowed(d, r, first); ws != nil || err != nil {
			return ws, err
		}
		e, err := b.finish(first, nil, at)
		return one(e), err
	}
	second := b.enc.Encode(d.Texts[b.texts[1]].At(r))
	if b.Pair != "" {
		if second.Len() == 0 {
			second = nil // a pair without a second text is one text
		}
		e, err := b.finish(first, second, at)
		return one(e), err
	}
	x, err := b.finish(first, nil, at)
	if err != nil {
		return nil, err
	}
	y, err := b.finish(second, nil, at)
	if err != nil || x == nil || y == nil {
		return nil, err
	}
	return []piece{{rows: []*token.Encoding{x, y}, bytes: [2]int64{covered(x), covered(y)}}}, nil
}

func one(e *token.Encoding) []piece {
	if e == nil {
		return nil
	}
	return []piece{{rows: []*token.Encoding{e}, bytes: [2]int64{covered(e)}}}
}

// encode is the tokens of the first text of a row.
func (b *builder) encode(d *dataset.Data, r int) *token.Encoding {
	col := d.Texts[b.texts[0]]
	if !b.words {
		return b.enc.Encode(col.At(r))
	}
	words := col.List(r)
	if m := b.tok.Model(); m != "WordPiece" && m != "WordLevel" {
		for i := range words {
			if i > 0 { // such tokenizers see the space before a word
				words[i] = " " + words[i]
			}
		}
	}
	unk := int32(-1)
	if id, ok := b.tok.Role(token.Unk); ok {
		unk = id
	}
	return b.enc.EncodeWords(words, unk)
}

// finish cuts what is too long and puts special tokens around it; nil for a row without a token.
func (b *builder) finish(x, y *token.Encoding, at func() string) (*token.Encoding, error) {
	n1, n2 := x.Len(), 0
	if y != nil {
		n2 = y.Len()
	}
	if n1+n2 == 0 {
		if b.Empty == "error" {
			return nil, shard.Fail("empty-text", "empty", "Text without a token", "%s has no token. Remove the row, or set empty = \"skip\" to leave such rows out.", at())
		}
		return nil, nil
	}
	room := b.MaxLength - b.overhead(y != nil)
	if n1+n2 > room {
		if b.Truncation == "error" {
			return nil, shard.Fail("long-text", "truncation", "Text too long", "%s has %d tokens, and with %d special tokens max_length = %d has room for %d. Raise max_length, or choose what is cut with truncation.", at(), n1+n2, b.overhead(y != nil), b.MaxLength, room)
		}
		b.counts.truncated++
		k1, k2 := Cut(n1, n2, room, b.Truncation)
		if k1+k2 > room {
			return nil, shard.Fail("long-text", "truncation", "Text too long", "%s has %d and %d tokens, and truncation = %q cannot bring them to %d: the text that stays whole is too long. Take longest_first.", at(), n1, n2, b.Truncation, room)
		}
		x.Truncate(k1)
		if y != nil {
			y.Truncate(k2)
		}
	}
	if b.Special {
		return b.tok.Join(x, y), nil
	}
	return join(x, y), nil
}

// join puts two texts one after the other.
func join(x, y *token.Encoding) *token.Encoding {
	if y == nil {
		return x
	}
	out := &token.Encoding{IDs: slices.Concat(x.IDs, y.IDs), Words: slices.Concat(x.Words, y.Words), Offsets: slices.Concat(x.Offsets, y.Offsets),
		Types: make([]int32, x.Len(), x.Len()+y.Len()), Text: make([]int8, x.Len(), x.Len()+y.Len())}
	for range y.IDs {
		out.Types, out.Text = append(out.Types, 1), append(out.Text, 1)
	}
	return out
}

// Cut is how many tokens of two texts stay where there is room for so many: longest_first takes from the longer one until both are of
// one length, then from both; the others from one only, as far as that goes.
func Cut(n1, n2, room int, truncation string) (int, int) {
	switch over := n1 + n2 - room; {
	case over <= 0:
		return n1, n2
	case truncation == "only_first":
		return max(n1-over, min(n1, 1)), n2
	case truncation == "only_second":
		return n1, max(n2-over, min(n2, 1))
	}
	short := min(n1, n2)
	long := max(short, room-short)
	if short+long > room {
		short = room / 2
		long = room - short
	}
	if n1 > n2 {
		return long, short
	}
	return short, long
}

// packed makes full rows of texts that follow each other.
func (b *builder) packed(ctx context.Context, d *dataset.Data, out *dataset.Data) error {
	end, ends := b.tok.Role(token.Eos)
	if !ends {
		end, ends = b.tok.Role(token.Sep)
	}
	_, around := b.tok.Role(token.Cls)
	around = around && b.Special
	room := b.MaxLength
	if around {
		room -= b.tok.Overhead(false)
	}
	var ids []int32
	var source []int64 // row that each token is of
	flush := func(n int) {
		e := &token.Encoding{IDs: slices.Clone(ids[:n]), Types: make([]int32, n), Words: slices.Repeat([]int32{-1}, n), Offsets: make([][2]int32, n), Text: make([]int8, n)}
		if around {
			e = b.tok.Join(e, nil)
		}
		b.add(out, 0, e)
		out.Source = append(out.Source, source[0])
		out.Rows++
		ids, source = ids[n:], source[n:]
	}
	for r := range d.Rows {
		if r%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		e := b.encode(d, r)
		if e.Len() == 0 {
			b.counts.empty++
			continue
		}
		ids = append(ids, e.IDs...)
		b.bytes[0] += covered(e)
		if ends {
			ids = append(ids, end)
		}
		for len(source) < len(ids) {
			source = append(source, d.Source[r])
		}
		for len(ids) >= room {
			flush(room)
		}
	}
	if len(ids) > 0 {
		flush(len(ids))
	}
	return nil
}

// chooseLengths chooses what batches are padded to, by the rows that are trained on, or by all where there are none.
func (b *builder) chooseLengths(splits map[string]*dataset.Data) {
	for i := range b.out.Sequences {
		s := &b.out.Sequences[i]
		counts := make([]int, b.MaxLength+1)
		for name, d := range splits {
			if splits["train"] != nil && name != "train" {
				continue
			}
			for r := range d.Rows {
				counts[d.Tokens[s.Name].Length(r)]++
			}
		}
		s.Lengths = dataset.ChooseLengths(counts, b.MaxLength, b.Lengths)
	}
}

// reportBatch is the size of the batches that the reported share of padding is of.
const reportBatch = 32

// report says what became of the rows.
func (b *builder) report(splits map[string]*dataset.Data) {
	c, m, rows := b.counts, b.job.Metrics, 0
	for _, d := range splits {
		rows += d.Rows
	}
	m["rows"], m["tokens"], m["truncated_rows"], m["empty_rows"] = float64(rows), float64(c.tokens), float64(c.truncated), float64(c.empty)
	if b.tags {
		m["truncated_words"] = float64(c.lost)
	}
	if c.long > 0 {
		m["windows"] = float64(c.windows)
		fmt.Fprintf(b.job.Log, "%d rows have more than max_length = %d tokens and become %d windows\n", c.long, b.MaxLength, c.windows)
	}
	name := b.out.Splits[0].Name
	d := splits[name]
	order := make([]int, d.Rows)
	for i := range order {
		order[i] = i
	}
	m["padding"] = b.out.PaddingShare(d, b.out.ByLength(d, order, reportBatch), reportBatch)
	warn := func(format string, args ...any) { fmt.Fprintf(b.job.Log, "warning: "+format+"\n", args...) }
	if c.empty > 0 {
		warn("%d rows have no token and are left out", c.empty)
	}
	if c.truncated > 0 {
		warn("%d of %d rows have more than max_length = %d tokens and are cut", c.truncated, rows, b.MaxLength)
	}
	if c.lost > 0 {
		warn("%d words with their labels are cut off; evaluations do not see them", c.lost)
	}
	b.warnUnseen(splits)
}

// warnUnseen names labels that only rows have which are not trained on.
func (b *builder) warnUnseen(splits map[string]*dataset.Data) {
	l, train := b.out.Label, splits["train"]
	if l == nil || l.Classes == nil || train == nil {
		return
	}
	seen := make([]bool, len(l.Classes))
	for _, c := range train.Classes {
		if c >= 0 {
			seen[c] = true
		}
	}
	for _, s := range b.out.Splits {
		unseen, d := map[string]int{}, splits[s.Name]
		first := int64(-1)
		for i, c := range d.Classes {
			if c < 0 || seen[c] {
				continue
			}
			if unseen[l.Classes[c]]++; first < 0 {
				row := i
				if l.Kind == "tags" {
					row, _ = slices.BinarySearch(d.Tokens[l.Of].Ends, int64(i+1))
				}
				first = d.Source[row]
			}
		}
		if len(unseen) == 0 {
			continue
		}
		var list []string
		for name, n := range unseen {
			list = append(list, fmt.Sprintf("%s (%d)", name, n))
		}
		slices.Sort(list)
		fmt.Fprintf(b.job.Log, "warning: split %q has labels that no row of \"train\" has, so no model can learn them: %s; row %d of the source is the first\n", s.Name, strings.Join(list, ", "), first)
	}
}
