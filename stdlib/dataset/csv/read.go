package csv

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	stdcsv "encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/lang/schema"
)

// options are the parameters of the kind.
type options struct {
	Header      bool              `json:"header"`
	Delimiter   string            `json:"delimiter"`
	Names       []string          `json:"names"`
	Rename      map[string]string `json:"rename"`
	Features    []string          `json:"features"`
	Label       any               `json:"label"`
	LabelKind   string            `json:"label_kind"`
	Types       map[string]string `json:"types"`
	Standardize bool              `json:"standardize"`
	Input       string            `json:"input"`
}

// sampleRows is how many rows types are inferred from.
const sampleRows = 100

// column is one column of the table that is kept.
type column struct {
	name     string
	index    int // in the file
	category bool
	values   map[string]int // category -> number, in order of appearance
	names    []string       // the same, by number
}

// number returns the number of a category, a new one for a new value.
func (c *column) number(v string) int {
	i, ok := c.values[v]
	if !ok {
		i = len(c.names)
		c.values[v] = i
		c.names = append(c.names, v)
	}
	return i
}

// sorted returns for each category its place among all of them in order: by number when all are numbers, else by text.
func (c *column) sorted() (place []int, names []string) {
	order := make([]int, len(c.names))
	for i := range order {
		order[i] = i
	}
	numeric := true
	for _, n := range c.names {
		if _, err := strconv.ParseFloat(n, 64); err != nil {
			numeric = false
		}
	}
	slices.SortFunc(order, func(a, b int) int {
		if numeric {
			x, _ := strconv.ParseFloat(c.names[a], 64)
			y, _ := strconv.ParseFloat(c.names[b], 64)
			if x != y {
				if x < y {
					return -1
				}
				return 1
			}
		}
		return strings.Compare(c.names[a], c.names[b])
	})
	place = make([]int, len(order))
	for at, i := range order {
		place[i] = at
		names = append(names, c.names[i])
	}
	return place, names
}

// table reads the files, one row after the other, into a spill file of one float32 a kept column. Memory holds categories and
// labels, not the text.
type table struct {
	opt      options
	features []*column
	label    *column
	labels   []float64 // of a label that is a number
	classes  []int32   // number of appearance, of a label that is a category
	rows     int
	spill    *bufio.Writer
}

func fail(code, attr, summary, format string, args ...any) error {
	return &executor.Failure{Code: code, Attr: attr, Summary: summary, Detail: fmt.Sprintf(format, args...)}
}

// source is one file and how to call it.
type source struct{ path, display string }

// read reads all files.
func (t *table) read(files []source) error {
	for i, f := range files {
		if err := t.readFile(f, i == 0); err != nil {
			return err
		}
	}
	if t.rows == 0 {
		return fail("empty-file", "files", "No rows", "%s has no rows of data.", files[0].display)
	}
	return t.spill.Flush()
}

func (t *table) readFile(f source, first bool) error {
	file, err := os.Open(f.path)
	if err != nil {
		return err
	}
	defer file.Close()
	r, err := decompress(bufio.NewReaderSize(file, 1<<20))
	if err != nil {
		return fail("bad-gzip", "files", "Damaged gzip file", "%s: %v.", f.display, err)
	}
	c := stdcsv.NewReader(r)
	c.Comma = []rune(t.opt.Delimiter)[0]
	c.ReuseRecord = true
	c.FieldsPerRecord = -1
	p := &parser{table: t, csv: c, display: f.display}
	return p.run(first)
}

// decompress unpacks gzip, which it knows by its first two bytes.
func decompress(r *bufio.Reader) (io.Reader, error) {
	head, err := r.Peek(2)
	if err == nil && bytes.Equal(head, []byte{0x1f, 0x8b}) {
		return gzip.NewReader(r)
	}
	return r, nil
}

// parser reads one file.
type parser struct {
	table   *table
	csv     *stdcsv.Reader
	display string
	width   int
	sample  [][]string // rows that wait for the types to be inferred
	lines   []int
}

func (p *parser) run(first bool) error {
	t := p.table
	var names []string
	for {
		rec, err := p.csv.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			var pe *stdcsv.ParseError
			if errors.As(err, &pe) {
				return fail("bad-csv", "files", "Malformed CSV", "%s:%d:%d: %v.", p.display, pe.Line, pe.Column, pe.Err)
			}
			return fail("unreadable-file", "files", "File not readable", "%s, after %d bytes: %v.", p.display, p.csv.InputOffset(), err)
		}
		line, _ := p.csv.FieldPos(0)
		if p.width == 0 {
			p.width = len(rec)
			if t.opt.Header {
				names = slices.Clone(rec)
				if err := p.checkHeader(names); err != nil {
					return err
				}
				continue
			}
		}
		if len(rec) != p.width {
			return fail("ragged-row", "files", "Ragged row", "%s:%d: found %d cells, but the lines before have %d. Check for a stray or missing %q, or an unclosed quote.", p.display, line, len(rec), p.width, t.opt.Delimiter)
		}
		if t.features != nil && p.sample == nil && !first || p.sample == nil && t.rows > 0 {
			if err := p.row(rec, line); err != nil {
				return err
			}
			continue
		}
		p.sample, p.lines = append(p.sample, slices.Clone(rec)), append(p.lines, line)
		if len(p.sample) == sampleRows {
			if err := p.settle(names, first); err != nil {
				return err
			}
		}
	}
	if p.width == 0 {
		return fail("empty-file", "files", "Empty file", "%s is empty.", p.display)
	}
	return p.settle(names, first)
}

// checkHeader refuses a first line that is data.
func (p *parser) checkHeader(names []string) error {
	if numbers(names) == len(names) {
		return fail("no-header", "header", "No header line", "The first line of %s is all numbers (%s, …), but header is true. Set header = false.", p.display, names[0])
	}
	seen := map[string]bool{}
	for _, n := range names {
		if seen[n] {
			return fail("duplicate-column", "files", "Duplicate column", "%s:1: the column %q is there twice.", p.display, n)
		}
		seen[n] = true
	}
	return nil
}

// settle decides on the columns with the sampled rows, then reads these.
func (p *parser) settle(names []string, first bool) error {
	t := p.table
	if len(p.sample) == 0 {
		return nil
	}
	if t.features == nil {
		if !t.opt.Header {
			if err := p.headerByMistake(); err != nil {
				return err
			}
		}
		if err := t.choose(p.columnNames(names), p.sample, p.display); err != nil {
			return err
		}
	}
	sample, lines := p.sample, p.lines
	p.sample, p.lines = nil, nil
	for i, rec := range sample {
		if err := p.row(rec, lines[i]); err != nil {
			return err
		}
	}
	return nil
}

// headerByMistake refuses a first line without any number over a second one with some.
func (p *parser) headerByMistake() error {
	if len(p.sample) < 2 || numbers(p.sample[0]) > 0 || numbers(p.sample[1]) == 0 {
		return nil
	}
	return fail("header", "header", "Unexpected header line", "The first line of %s is words (%q, …) and the second has numbers, but header is false. Set header = true.", p.display, p.sample[0][0])
}

// numbers counts the cells that are numbers.
func numbers(rec []string) int {
	n := 0
	for _, cell := range rec {
		if _, err := strconv.ParseFloat(strings.TrimSpace(cell), 64); err == nil {
			n++
		}
	}
	return n
}

func (p *parser) columnNames(header []string) []string {
	t := p.table
	names := slices.Clone(header)
	if !t.opt.Header {
		names = slices.Clone(t.opt.Names)
		for i := len(names); i < p.width; i++ {
			names = append(names, "c"+strconv.Itoa(i))
		}
	}
	for i, n := range names {
		names[i] = strings.TrimSpace(n)
		if to, ok := t.opt.Rename[names[i]]; ok {
			names[i] = to
		}
	}
	return names
}

// choose finds the label and the features among the columns, and their types.
func (t *table) choose(names []string, sample [][]string, display string) error {
	if len(t.opt.Names) > 0 && len(t.opt.Names) != len(sample[0]) {
		return fail("wrong-names", "names", "Wrong number of names", "names has %d names, and %s has %d columns.", len(t.opt.Names), display, len(sample[0]))
	}
	label := -1
	if t.opt.Label != nil {
		var err error
		if label, err = t.find(t.opt.Label, names, display); err != nil {
			return err
		}
		t.label = &column{name: names[label], index: label, values: map[string]int{}}
	}
	wanted := t.opt.Features
	if wanted == nil {
		for i, n := range names {
			if i != label {
				wanted = append(wanted, n)
			}
		}
	}
	for _, n := range wanted {
		i := slices.Index(names, n)
		if i < 0 {
			return unknownColumn("features", n, names, display)
		}
		c := &column{name: n, index: i, values: map[string]int{}}
		switch t.opt.Types[n] {
		case "category":
			c.category = true
		case "":
			c.category = allWords(sample, i)
		}
		t.features = append(t.features, c)
	}
	for n := range t.opt.Types {
		if !slices.Contains(names, n) {
			return unknownColumn("types", n, names, display)
		}
	}
	if len(t.features) == 0 {
		return fail("no-features", "features", "No features", "%s has no columns beside the label.", display)
	}
	if t.label != nil {
		t.label.category = t.opt.LabelKind == "class" || t.opt.LabelKind == "" && (t.opt.Types[t.label.name] == "category" || !anyFraction(sample, label))
	}
	return nil
}

func (t *table) find(label any, names []string, display string) (int, error) {
	switch l := label.(type) {
	case string:
		if i := slices.Index(names, l); i >= 0 {
			return i, nil
		}
		return 0, unknownColumn("label", l, names, display)
	case float64:
		i := int(l)
		if i < 0 {
			i += len(names)
		}
		if i >= 0 && i < len(names) {
			return i, nil
		}
	}
	return 0, fail("unknown-column", "label", "Unknown column", "The label is column %v, and %s has columns 0 to %d.", label, display, len(names)-1)
}

func unknownColumn(attr, name string, names []string, display string) error {
	detail := fmt.Sprintf("%s has no column %q. ", display, name)
	if s := schema.Nearest(name, names); s != "" {
		detail += fmt.Sprintf("Did you mean %q? ", s)
	}
	shown := names
	more := ""
	if len(shown) > 20 {
		shown, more = shown[:20], fmt.Sprintf(", and %d more", len(names)-20)
	}
	return fail("unknown-column", attr, "Unknown column", "%sIt has %s%s.", detail, schema.Words(shown), more)
}

// allWords reports that no sampled cell of a column is a number.
func allWords(sample [][]string, i int) bool {
	for _, rec := range sample {
		if _, err := strconv.ParseFloat(strings.TrimSpace(rec[i]), 64); err == nil {
			return false
		}
	}
	return true
}

// anyFraction reports that some sampled cell of a column is a number that is not whole, or very large.
func anyFraction(sample [][]string, i int) bool {
	for _, rec := range sample {
		if f, err := strconv.ParseFloat(strings.TrimSpace(rec[i]), 64); err == nil && f != math.Trunc(f) {
			return true
		}
	}
	return false
}

// row keeps one row.
func (p *parser) row(rec []string, line int) error {
	t := p.table
	var buf [4]byte
	for _, c := range t.features {
		v, err := p.cell(c, rec, line)
		if err != nil {
			return err
		}
		binary.LittleEndian.PutUint32(buf[:], math.Float32bits(float32(v)))
		if _, err := t.spill.Write(buf[:]); err != nil {
			return err
		}
	}
	if t.label != nil {
		v, err := p.cell(t.label, rec, line)
		if err != nil {
			return err
		}
		if t.label.category {
			t.classes = append(t.classes, int32(v))
		} else {
			t.labels = append(t.labels, v)
		}
	}
	t.rows++
	return nil
}

// cell reads one cell: a finite number, or the number of a category.
func (p *parser) cell(c *column, rec []string, line int) (float64, error) {
	text := strings.TrimSpace(rec[c.index])
	if text == "" {
		return 0, fail("missing-value", "files", "Missing value", "%s:%d: column %q is empty. Remove the row, or fill in a value.", p.display, line, c.name)
	}
	if c.category {
		return float64(c.number(text)), nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, fail("not-a-number", "files", "Cell is not a number", "%s:%d: column %q holds %.60q where a number is expected. Correct it, or declare types = { %s = \"category\" }.", p.display, line, c.name, text, c.name)
	}
	if math.IsNaN(v) || math.IsInf(v, 0) || math.Abs(v) > math.MaxFloat32 {
		return 0, fail("not-finite", "files", "Cell is not a finite number", "%s:%d: column %q holds %s. Remove the row, or put in a number.", p.display, line, c.name, text)
	}
	return v, nil
}
