// Package text is the kind `dataset text`: lines, or paragraphs, of text files.
package text

import (
	"bytes"
	"context"
	"io"

	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/dataset/shard"
)

// Kind is dataset.text.
var Kind = shard.Kind(planner.Kind{Type: "text", Version: 1, Schema: Schema}, read, lowerBlock)

func lowerBlock(l *planner.Lowering) hcl.Diagnostics {
	shard.CheckSplit(l, map[string]string{"valid": "valid_files", "test": "test_files"})
	readParams, joinParams := shard.Params(l, "files", "valid_files", "test_files")
	shard.ReadClasses(l, readParams)
	if n := l.Attr("max_rows"); n != nil {
		readParams["max_rows"] = n
	}
	if l.Attr("classes") != nil && l.Attr("label_delimiter") == nil {
		l.Errorf("classes", "conflict", "Classes without a label", "classes lists the values of the label, and lines have none. Set label_delimiter, or remove classes.")
	}
	if l.Attr("label_delimiter") != nil && l.Attr("unit") == "paragraph" {
		l.Errorf("label_delimiter", "conflict", "Labels of paragraphs", "Only lines have a label before them. Remove label_delimiter, or set unit = \"line\".")
	}
	shard.Lower(l, shard.Spec{Read: readParams, Join: joinParams, Sources: shard.FileSources(l)})
	return l.Diagnostics()
}

// params are the parameters of a read.
type params struct {
	Column    string `json:"column"`
	Delimiter string `json:"label_delimiter"`
	Unit      string `json:"unit"`
	SkipEmpty bool   `json:"skip_empty"`
	MaxRows   int    `json:"max_rows"`

	Classes []string `json:"classes"`
}

// maxParagraph bounds a paragraph.
const maxParagraph = 64 << 20

// reader is a read at work.
type reader struct {
	params
	lines *shard.Lines
}

// read makes a shard of a file.
func read(ctx context.Context, job *executor.Job) error {
	r := &reader{}
	if err := job.Bind(&r.params); err != nil {
		return err
	}
	var err error
	if r.lines, err = shard.OpenLines(job.Inputs["file"]); err != nil {
		return err
	}
	defer r.lines.Close()
	m := &dataset.Manifest{Columns: []dataset.Column{{Name: r.Column, Kind: "text"}}}
	if r.Delimiter != "" {
		m.Label = &dataset.Label{Name: "label", Kind: "class"}
	}
	w, err := shard.NewWriter(job.Scratch, m)
	if err != nil {
		return err
	}
	defer w.Close()
	w.Only(r.Classes, func(int) string { return r.lines.At() })
	if err := r.copy(ctx, w); err != nil {
		return err
	}
	r.lines.Warn(job.Log)
	if w.Rows() == 0 {
		return shard.Fail("empty-file", "files", "No rows", "%s has no text.", r.lines.Name())
	}
	job.Metrics["rows"] = float64(w.Rows())
	return w.Finish(job.Out("data"))
}

func (r *reader) copy(ctx context.Context, w *shard.Writer) error {
	for n := int64(0); r.MaxRows == 0 || w.Rows() < r.MaxRows; n++ {
		if n%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		unit, err := r.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		row := shard.Row{Source: n}
		if r.Delimiter != "" {
			label, rest, ok := bytes.Cut(unit, []byte(r.Delimiter))
			if !ok || len(bytes.TrimSpace(label)) == 0 {
				return shard.Fail("no-class", "label_delimiter", "Line without a label", "%s: the line has no label before %q.", r.lines.At(), r.Delimiter)
			}
			row.Class, unit = r.lines.Text(bytes.TrimSpace(label)), rest
		}
		row.Texts = []string{r.lines.Text(unit)}
		if err := w.Add(&row); err != nil {
			return err
		}
	}
	return nil
}

// next is the next line or paragraph.
func (r *reader) next() ([]byte, error) {
	var out []byte
	for {
		line, err := r.lines.Next()
		if err == io.EOF && out != nil {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		empty := len(bytes.TrimSpace(line)) == 0
		switch {
		case r.Unit == "line" && (!empty || !r.SkipEmpty):
			return line, nil
		case r.Unit == "line":
		case empty && out != nil:
			return out, nil
		case !empty && out == nil:
			out = append([]byte{}, line...)
		case !empty:
			out = append(append(out, '\n'), line...)
		}
		if len(out) > maxParagraph {
			return nil, shard.Fail("long-line", "files", "Paragraph too long", "%s: the paragraph that ends here is longer than %d MB. Is there no empty line?", r.lines.At(), maxParagraph>>20)
		}
	}
}
