package conll

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"strings"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/dataset/shard"
)

// maxTokens bounds a sentence.
const maxTokens = 1_000_000

// params are the parameters of a read.
type params struct {
	Columns   []string `json:"columns"`
	TagColumn string   `json:"tag_column"`
	Skip      []string `json:"skip_columns"`
	Delimiter string   `json:"delimiter"`
	Scheme    string   `json:"scheme"`
	Output    string   `json:"output_scheme"`
	Repair    string   `json:"repair"`
	Marker    string   `json:"document_marker"`
	Comment   string   `json:"comment"`
	Documents bool     `json:"documents"`
	MaxRows   int      `json:"max_rows"`
	Classes   []string `json:"classes"`
}

// reader is a read at work.
type reader struct {
	params
	lines    *shard.Lines
	w        *shard.Writer
	keep     []int // columns that are kept, by position
	tag      int   // position of the tags
	cells    [][]string
	tags     []string
	at       []string // place of each token
	n        int      // sentences read
	docs     int
	document string // "" until its first sentence
	repaired int
	first    string // line of the first tag that was repaired
}

// read makes a shard of a file.
func read(ctx context.Context, job *executor.Job) error {
	r := &reader{}
	if err := job.Bind(&r.params); err != nil {
		return err
	}
	if r.Output == "" {
		r.Output = r.Scheme
	}
	var err error
	if r.lines, err = shard.OpenLines(job.Inputs["file"]); err != nil {
		return err
	}
	defer r.lines.Close()
	if r.w, err = shard.NewWriter(job.Scratch, r.manifest()); err != nil {
		return err
	}
	defer r.w.Close()
	r.w.Only(r.Classes, func(tag int) string { return r.at[tag] })
	if err := r.copy(ctx); err != nil {
		return err
	}
	r.lines.Warn(job.Log)
	if r.repaired > 0 {
		fmt.Fprintf(job.Log, "warning: %s: %d tags could not follow the one before them, the first on line %s, and were taken for the beginning of an entity, or its end, as conlleval does; is scheme right? repair = \"error\" refuses such files\n", r.lines.Name(), r.repaired, r.first)
	}
	if r.w.Rows() == 0 {
		return shard.Fail("empty-file", "files", "No rows", "%s has no sentences.", r.lines.Name())
	}
	job.Metrics["rows"], job.Metrics["repaired_tags"] = float64(r.w.Rows()), float64(r.repaired)
	return r.w.Finish(job.Out("data"))
}

// manifest says what the shard will be.
func (r *reader) manifest() *dataset.Manifest {
	m := &dataset.Manifest{}
	for i, c := range r.Columns {
		switch {
		case c == r.TagColumn:
			r.tag = i
		case !slices.Contains(r.Skip, c):
			r.keep = append(r.keep, i)
			m.Columns = append(m.Columns, dataset.Column{Name: c, Kind: "tokens"})
		}
	}
	m.Label = &dataset.Label{Name: r.TagColumn, Kind: "tags", Of: m.Columns[0].Name, Scheme: r.Output}
	if r.Documents {
		m.Columns = append(m.Columns, dataset.Column{Name: documentColumn, Kind: "text"})
	}
	r.cells = make([][]string, len(r.keep))
	return m
}

func (r *reader) copy(ctx context.Context) error {
	for n := 0; r.MaxRows == 0 || r.w.Rows() < r.MaxRows; n++ {
		if n%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		line, err := r.lines.Next()
		if err == io.EOF {
			return r.sentence()
		}
		if err != nil {
			return err
		}
		switch {
		case len(bytes.TrimSpace(line)) == 0:
			err = r.sentence()
		case r.Comment != "" && bytes.HasPrefix(line, []byte(r.Comment)):
		case r.Marker != "" && isMarker(line, r.Marker):
			err = r.sentence()
			r.docs, r.document = r.docs+1, ""
		default:
			err = r.token(line)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// isMarker reports a line whose first token begins a document.
func isMarker(line []byte, marker string) bool {
	rest, ok := bytes.CutPrefix(line, []byte(marker))
	return ok && (len(rest) == 0 || rest[0] == ' ' || rest[0] == '\t')
}

// token reads one line.
func (r *reader) token(line []byte) error {
	text := r.lines.Text(line)
	fields := strings.Fields(text)
	if r.Delimiter == "tab" {
		fields = strings.Split(text, "\t")
	}
	if len(fields) != len(r.Columns) {
		return shard.Fail("ragged-row", "columns", "Wrong number of columns", "%s: found %d columns (%.60q), and columns lists %d (%s). Correct the line, columns or delimiter.", r.lines.At(), len(fields), text, len(r.Columns), strings.Join(r.Columns, ", "))
	}
	for i, f := range fields {
		if f == "" {
			return shard.Fail("missing-value", "files", "Missing value", "%s: column %q is empty.", r.lines.At(), r.Columns[i])
		}
	}
	if len(r.tags) == maxTokens {
		return shard.Fail("long-line", "files", "Sentence too long", "%s: the sentence has more than %d tokens. Is there no empty line between sentences?", r.lines.At(), maxTokens)
	}
	for k, i := range r.keep {
		r.cells[k] = append(r.cells[k], fields[i])
	}
	r.tags, r.at = append(r.tags, fields[r.tag]), append(r.at, r.lines.At())
	return nil
}

// sentence adds what was read since the last one.
func (r *reader) sentence() error {
	if len(r.tags) == 0 {
		return nil
	}
	tags, err := r.convert()
	if err != nil {
		return err
	}
	row := shard.Row{Tokens: r.cells, Tags: tags, Source: int64(r.n)}
	if r.Documents {
		if r.document == "" {
			h := sha256.Sum256([]byte(strings.Join(r.cells[0], "\x00")))
			r.document = fmt.Sprintf("%d-%x", r.docs, h[:8])
		}
		row.Texts = []string{r.document}
	}
	if err := r.w.Add(&row); err != nil {
		return err
	}
	r.n++
	for k := range r.cells {
		r.cells[k] = r.cells[k][:0]
	}
	r.tags, r.at = r.tags[:0], r.at[:0]
	return nil
}

// convert brings the tags of a sentence into the scheme asked for.
func (r *reader) convert() ([]string, error) {
	if r.Scheme == "none" {
		return r.tags, nil
	}
	tags := make([]tag, len(r.tags))
	for i, s := range r.tags {
		var err error
		if tags[i], err = parseTag(s, r.Scheme); err != nil {
			return nil, shard.Fail("bad-tag", "scheme", "Impossible tag", "%s: %v. Correct the tag, or say which scheme the file has; \"none\" takes any tag.", r.at[i], err)
		}
	}
	entities := spans(tags)
	for i, s := range emit(entities, len(tags), r.Scheme) {
		if s == r.tags[i] {
			continue
		}
		if r.Repair == "error" {
			before := "the beginning of the sentence"
			if i > 0 {
				before = r.tags[i-1]
			}
			return nil, shard.Fail("bad-tag", "repair", "Impossible tag", "%s: %s cannot stand here, after %s, in %s; it would have to be %s. Correct it, or set repair = \"conlleval\".", r.at[i], r.tags[i], before, r.Scheme, s)
		}
		if r.repaired++; r.repaired == 1 {
			_, r.first, _ = strings.Cut(r.at[i], r.lines.Name()+":")
		}
	}
	return emit(entities, len(tags), r.Output), nil
}
