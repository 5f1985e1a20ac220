package shard

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"reflect"
	"slices"

	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
)

// Options are the parameters of a join.
type Options struct {
	Parts   [3]int             `json:"parts"` // how many of the shards, in this order, are dealt out, for validation, for testing
	Split   *dataset.Fractions `json:"split"`
	Classes []string           `json:"classes"` // all there are, in order; found and sorted when nil
	Leaks   string             `json:"leaks"`   // warn, error, drop, ignore
	MaxRows int                `json:"max_rows"`
	Drop    []string           `json:"drop"` // columns that are not passed on

	// Class and Source say what the shards do not know, by shard and row in it.
	Class  func(shard, row int) (string, error) `json:"-"`
	Source func(shard, row int) int64           `json:"-"`
	Label  *dataset.Label                       `json:"-"` // what Class gives
}

// part is one shard.
type part struct {
	dir, name string
	m         *dataset.Manifest
	rows      int // that are taken
	first     int // row of the first among all
	split     int // 0 dealt, 1 valid, 2 test
}

// joiner is a join at work. Slices are by row, all shards together.
type joiner struct {
	opt     Options
	log     io.Writer
	metrics map[string]float64
	parts   []*part
	m       *dataset.Manifest
	columns []int // of the shards' columns, those passed on
	rows    int
	source  []int64
	class   []int32
	at      map[string]int32 // place of each class
	content []dataset.Key
	group   []dataset.Key
	bytes   [][]int64 // by column passed on: bytes of each row
	tokens  [][]int64 // by column passed on: strings of each row
	of      []uint8   // split of each row; gone for those left out
	remap   [][]int32 // by shard: class in the shard to class
}

// gone marks rows that are left out.
const gone = 255

// splitNames are the names of splits by number.
var splitNames = []string{"train", "valid", "test"}

// Join makes a dataset of shards: dirs and what to call them.
func Join(dirs, names []string, o Options, out string, log io.Writer, metrics map[string]float64) error {
	j := &joiner{opt: o, log: log, metrics: metrics}
	if err := j.open(dirs, names); err != nil {
		return err
	}
	if err := j.mapClasses(); err != nil {
		return err
	}
	for i, p := range j.parts {
		if err := j.index(i, p); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	j.deal()
	if err := j.checkLeaks(); err != nil {
		return err
	}
	j.warnMissing()
	metrics["rows"] = float64(j.rows)
	return j.write(out)
}

// open reads the manifests, which must be alike.
func (j *joiner) open(dirs, names []string) error {
	left := [3]int{}
	for s := range left {
		if left[s] = j.opt.MaxRows; left[s] == 0 {
			left[s] = int(^uint(0) >> 1)
		}
	}
	split, n := 0, j.opt.Parts[0]
	for i, dir := range dirs {
		for ; i >= n && split < 2; n += j.opt.Parts[split] {
			split++
		}
		m, err := dataset.ReadManifest(dir)
		if err != nil {
			return fmt.Errorf("%s: %w", names[i], err)
		}
		p := &part{dir: dir, name: names[i], m: m, first: j.rows, split: split, rows: min(m.Splits[0].Rows, left[split])}
		left[split] -= p.rows
		if i > 0 {
			if err := alike(j.parts[0], p); err != nil {
				return err
			}
		}
		j.parts = append(j.parts, p)
		j.rows += p.rows
	}
	first := j.parts[0].m
	j.m = &dataset.Manifest{Inputs: first.Inputs}
	for i, c := range first.Columns {
		if !slices.Contains(j.opt.Drop, c.Name) {
			j.m.Columns = append(j.m.Columns, c)
			j.columns = append(j.columns, i)
		}
	}
	if s := j.opt.Split; s != nil && s.Group != "" && !slices.ContainsFunc(first.Columns, func(c dataset.Column) bool { return c.Name == s.Group }) {
		return fmt.Errorf("%s: there is no column %q to deal rows out by", names[0], s.Group)
	}
	if l := first.Label; l != nil {
		j.m.Label = &dataset.Label{Name: l.Name, Kind: l.Kind, Of: l.Of, Scheme: l.Scheme}
	}
	if j.opt.Class != nil {
		j.m.Label = j.opt.Label
	}
	return nil
}

// alike reports shards that cannot be one dataset.
func alike(a, b *part) error {
	x, y := *a.m, *b.m
	kind := func(l *dataset.Label) (s [4]string) {
		if l != nil {
			s = [4]string{l.Name, l.Kind, l.Of, l.Scheme}
		}
		return s
	}
	if reflect.DeepEqual(x.Inputs, y.Inputs) && reflect.DeepEqual(x.Columns, y.Columns) && kind(x.Label) == kind(y.Label) {
		return nil
	}
	return Fail("files-disagree", "", "Files do not fit together", "Rows of %s are %s, and those of %s are %s. All files of a dataset must have rows of one shape.", a.name, describe(a.m), b.name, describe(b.m))
}

func describe(m *dataset.Manifest) string {
	s := ""
	for _, in := range m.Inputs {
		s += fmt.Sprintf("%q of shape %v%s ", in.Name, in.Shape, in.DType)
	}
	for _, c := range m.Columns {
		s += fmt.Sprintf("%s %q ", c.Kind, c.Name)
	}
	if m.Label == nil {
		return s + "without a label"
	}
	return s + fmt.Sprintf("with the label %q, a %s", m.Label.Name, m.Label.Kind)
}

// mapClasses finds the classes of all shards and brings them into order.
func (j *joiner) mapClasses() error {
	l := j.m.Label
	if l == nil || l.Kind == "number" {
		return nil
	}
	at := map[string]int32{}
	j.at = at
	all := slices.Clone(j.opt.Classes)
	for i, c := range all {
		at[c] = int32(i)
	}
	if all == nil && j.opt.Class == nil {
		for _, p := range j.parts {
			for _, c := range p.m.Label.Classes {
				if _, ok := at[c]; !ok {
					at[c] = 0
					all = append(all, c)
				}
			}
		}
		SortClasses(all)
		for i, c := range all {
			at[c] = int32(i)
		}
	}
	l.Classes = all
	if len(all) == 1 {
		return Fail("one-class", "label", "Label with one class", "The label is %q in every row: there is nothing to learn. Choose another label.", all[0])
	}
	for _, p := range j.parts {
		var to []int32
		if j.opt.Class == nil {
			for _, c := range p.m.Label.Classes {
				k, ok := at[c]
				if !ok {
					return unknownClass(p.name, c, all)
				}
				to = append(to, k)
			}
		}
		j.remap = append(j.remap, to)
	}
	return nil
}

func unknownClass(where, class string, all []string) error {
	shown, more := all, ""
	if len(shown) > 20 {
		shown, more = shown[:20], ", …"
	}
	return Fail("unknown-class", "classes", "Unknown class", "%s: found the class %q, and classes lists %q%s. Add it there, or correct the row.", where, class, shown, more)
}

// needsContent reports whether rows are compared by what they hold.
func (j *joiner) needsContent() bool {
	return j.opt.Leaks != "ignore" || j.opt.Split != nil && j.opt.Split.By == "content"
}

// index goes through a shard and keeps of each row what dealing and writing need.
func (j *joiner) index(i int, p *part) error {
	f, _, err := dataset.Open(p.dir, p.m, dataset.All)
	if err != nil {
		return err
	}
	defer f.Close()
	var features *fixed
	if j.needsContent() && len(p.m.Inputs) > 0 {
		features = openFixed(f, p.m.Inputs[0].Name, width(&p.m.Inputs[0]))
	}
	var cols []*column
	for _, c := range p.m.Columns {
		cols = append(cols, openColumn(f, c))
	}
	source := openFixed(f, dataset.RowTensor, 8)
	var class *fixed
	if j.m.Label != nil && j.m.Label.Kind == "class" && j.opt.Class == nil {
		class = openFixed(f, dataset.LabelTensor, 4)
	}
	if j.bytes == nil {
		j.bytes, j.tokens = make([][]int64, len(j.columns)), make([][]int64, len(j.columns))
	}
	h := newHasher()
	for r := range p.rows {
		h.reset()
		if features != nil {
			b, err := features.next()
			if err != nil {
				return err
			}
			h.part(b)
		}
		if err := j.indexColumns(p, cols, h); err != nil {
			return err
		}
		if j.needsContent() {
			j.content = append(j.content, h.key())
		}
		s, err := source.int64()
		if err != nil {
			return err
		}
		if s += int64(p.first); j.opt.Source != nil {
			s = j.opt.Source(i, r)
		}
		j.source = append(j.source, s)
		if err := j.indexClass(i, r, class); err != nil {
			return err
		}
	}
	return nil
}

// indexColumns keeps the sizes of the texts of a row, and its group.
func (j *joiner) indexColumns(p *part, cols []*column, h *hasher) error {
	k := 0
	for c, col := range cols {
		v, err := col.next()
		if err != nil {
			return err
		}
		if f := j.opt.Split; f != nil && f.Group == col.name {
			g := newHasher()
			g.cell(v)
			j.group = append(j.group, g.key())
		}
		if k < len(j.columns) && j.columns[k] == c {
			h.cell(v)
			j.bytes[k] = append(j.bytes[k], int64(len(v.bytes)))
			j.tokens[k] = append(j.tokens[k], int64(len(v.ends)))
			k++
		}
	}
	return nil
}

func (j *joiner) indexClass(shard, row int, class *fixed) error {
	switch {
	case j.opt.Class != nil:
		name, err := j.opt.Class(shard, row)
		if err != nil {
			return err
		}
		c, ok := j.at[name]
		if !ok {
			return unknownClass(j.parts[shard].name, name, j.m.Label.Classes)
		}
		j.class = append(j.class, c)
	case class != nil:
		b, err := class.next()
		if err != nil {
			return err
		}
		c := binary.LittleEndian.Uint32(b)
		if int(c) >= len(j.remap[shard]) {
			return fmt.Errorf("row %d is of class %d; there are %d", row, c, len(j.remap[shard]))
		}
		j.class = append(j.class, j.remap[shard][c])
	}
	return nil
}

// width is how many bytes a row of an input has.
func width(in *dataset.Input) int {
	n := 4
	if in.DType == "U8" {
		n = 1
	}
	for _, d := range in.Shape {
		n *= d
	}
	return n
}

// hasher makes a key of what a row holds: of the lengths and bytes of its parts.
type hasher struct{ b []byte }

func newHasher() *hasher { return &hasher{} }
func (h *hasher) reset() { h.b = h.b[:0] }
func (h *hasher) key() dataset.Key {
	sum := sha256.Sum256(h.b)
	return dataset.Key(sum[:16])
}

func (h *hasher) part(b []byte) {
	h.b = binary.LittleEndian.AppendUint64(h.b, uint64(len(b)))
	h.b = append(h.b, b...)
}

func (h *hasher) cell(c *cell) {
	h.b = binary.LittleEndian.AppendUint64(h.b, uint64(len(c.ends)))
	for _, e := range c.ends {
		h.b = binary.LittleEndian.AppendUint64(h.b, uint64(e))
	}
	h.b = append(h.b, c.bytes...)
}

// deal gives each row its split.
func (j *joiner) deal() {
	j.of = make([]uint8, j.rows)
	n := 0
	for _, p := range j.parts {
		if p.split == 0 {
			n += p.rows
			continue
		}
		for r := range p.rows {
			j.of[p.first+r] = uint8(p.split)
		}
	}
	f := j.opt.Split
	if f == nil {
		return
	}
	var classes []int32
	if j.class != nil {
		classes = j.class[:n]
	}
	switch {
	case f.Group != "":
		copy(j.of, f.DealByKey(j.group[:n], classes))
	case f.By == "content":
		copy(j.of, f.DealByKey(j.content[:n], classes))
	default:
		copy(j.of, f.Deal(n, classes))
	}
}

// write writes the dataset.
func (j *joiner) write(dir string) error {
	counts := [3]int{}
	for _, s := range j.of {
		if s != gone {
			counts[s]++
		}
	}
	number := map[string]uint8{}
	whole := j.opt.Split == nil && j.opt.Parts[1]+j.opt.Parts[2] == 0
	for s, n := range counts {
		name := splitNames[s]
		if whole && s == 0 {
			name = dataset.All
		}
		if n > 0 {
			j.m.Splits = append(j.m.Splits, dataset.Split{Name: name, Rows: n})
			number[name] = uint8(s)
		}
		j.metrics[splitNames[s]+"_rows"] = float64(n)
	}
	return dataset.Create(dir, j.m, func(split string) []safetensors.Tensor {
		w := &splitWriter{joiner: j, split: number[split], rows: counts[number[split]]}
		return w.tensors()
	})
}
