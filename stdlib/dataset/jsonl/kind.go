// Package jsonl is the kind `dataset jsonl`: a JSON object on each line.
package jsonl

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/dataset/shard"
)

// Kind is dataset.jsonl.
var Kind = shard.Kind(planner.Kind{Type: "jsonl", Version: 1, Schema: Schema}, read, shard.LowerColumns)

// params are the parameters of a read.
type params struct {
	shard.Columns
	MaxRows int      `json:"max_rows"`
	Classes []string `json:"classes"`
}

// reader is a read at work.
type reader struct {
	params
	lines   *shard.Lines
	skipped int
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
	w, err := shard.NewWriter(job.Scratch, r.Manifest())
	if err != nil {
		return err
	}
	defer w.Close()
	w.Only(r.Classes, func(int) string { return r.lines.At() })
	if err := r.copy(ctx, w); err != nil {
		return err
	}
	r.lines.Warn(job.Log)
	if r.skipped > 0 {
		fmt.Fprintf(job.Log, "warning: %s: %d rows with missing values are left out\n", r.lines.Name(), r.skipped)
	}
	if w.Rows() == 0 {
		return shard.Fail("empty-file", "files", "No rows", "%s has no rows.", r.lines.Name())
	}
	job.Metrics["rows"], job.Metrics["skipped"] = float64(w.Rows()), float64(r.skipped)
	return w.Finish(job.Out("data"))
}

func (r *reader) copy(ctx context.Context, w *shard.Writer) error {
	var row shard.Row
	for n := int64(0); r.MaxRows == 0 || w.Rows() < r.MaxRows; {
		line, err := r.lines.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if n%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		row.Source = n
		n++
		whole, err := r.row(&row, line)
		if err != nil {
			return err
		}
		if !whole {
			r.skipped++
			continue
		}
		if err := w.Add(&row); err != nil {
			return err
		}
	}
	return nil
}

// row reads one line; false is a row to be left out.
func (r *reader) row(row *shard.Row, line []byte) (bool, error) {
	var object map[string]json.RawMessage
	if err := json.Unmarshal([]byte(r.lines.Text(line)), &object); err != nil || object == nil {
		return false, r.malformed(err)
	}
	row.Features, row.Texts = row.Features[:0], row.Texts[:0]
	for _, name := range r.All() {
		v, err := r.find(object, name)
		if err != nil {
			return false, err
		}
		if v == nil {
			if r.Missing == "skip" {
				return false, nil
			}
			return false, shard.ErrMissing(r.lines.At(), name, r.Attr(name))
		}
		if err := r.take(row, name, v); err != nil {
			return false, err
		}
	}
	return true, nil
}

func (r *reader) malformed(err error) error {
	at, what := r.lines.At(), "it is no object"
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		at, what = fmt.Sprintf("%s:%d", at, syntax.Offset), syntax.Error()
	}
	return shard.Fail("bad-json", "files", "Malformed line", "%s: %s. Each line is one JSON object, {\"name\": value, …}.", at, what)
}

// find is the value of a member, or of one in it; nil where there is none, or null.
func (r *reader) find(object map[string]json.RawMessage, name string) (json.RawMessage, error) {
	v, ok := object[name]
	for rest := name; !ok; {
		head, tail, dotted := strings.Cut(rest, ".")
		if v = object[head]; v == nil || !dotted {
			v = nil
			break
		}
		object = nil
		if err := json.Unmarshal(v, &object); err != nil || object == nil {
			return nil, nil
		}
		v, ok = object[tail]
		rest = tail
	}
	if string(v) == "null" {
		return nil, nil
	}
	return v, nil
}

// take puts a value where its column belongs.
func (r *reader) take(row *shard.Row, name string, v json.RawMessage) error {
	switch {
	case slices.Contains(r.Features, name):
		f, ok := number(v)
		if !ok {
			return r.wrong("not-a-number", name, v, "a number")
		}
		if err := r.Number(row, f, r.lines.At(), name); err != nil {
			return err
		}
	case slices.Contains(r.Text, name):
		var s string
		if v[0] != '"' || json.Unmarshal(v, &s) != nil {
			return r.wrong("not-text", name, v, "text")
		}
		row.Texts = append(row.Texts, s)
	case name == r.Group:
		s, ok := scalar(v)
		if !ok {
			return r.wrong("not-text", name, v, "text or a number")
		}
		row.Texts = append(row.Texts, s)
	}
	if name != r.Label {
		return nil
	}
	if r.LabelKind == "number" {
		f, ok := number(v)
		if !ok {
			return r.wrong("not-a-number", name, v, "a number")
		}
		return r.NumberLabel(row, f, r.lines.At())
	}
	s, ok := scalar(v)
	if !ok {
		return r.wrong("not-text", name, v, "text or a number")
	}
	row.Class = s
	return nil
}

func (r *reader) wrong(code, name string, v json.RawMessage, want string) error {
	return shard.Fail(code, r.Attr(name), "Value of the wrong type", "%s: %q is %.60s where %s is expected.", r.lines.At(), name, v, want)
}

// number is a value that is a number, or true or false.
func number(v json.RawMessage) (float64, bool) {
	switch string(v) {
	case "true":
		return 1, true
	case "false":
		return 0, true
	}
	if v[0] == '"' || v[0] == '{' || v[0] == '[' {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(v), 64)
	return f, err == nil || errors.Is(err, strconv.ErrRange)
}

// scalar is a value that is text, a number, true or false, as text.
func scalar(v json.RawMessage) (string, bool) {
	switch v[0] {
	case '{', '[':
		return "", false
	case '"':
		var s string
		err := json.Unmarshal(v, &s)
		return s, err == nil
	}
	return string(v), true
}
