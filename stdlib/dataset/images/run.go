package images

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/lang/schema"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/dataset/shard"
)

// params are the parameters of a read.
type params struct {
	Files    int    `json:"files"`
	Size     []int  `json:"size"`
	Resize   string `json:"resize"`
	Channels int    `json:"channels"`
	Alpha    string `json:"alpha"`
	Input    string `json:"input"`
}

// read makes a shard of a group of files.
func read(ctx context.Context, job *executor.Job) error {
	var p params
	if err := job.Bind(&p); err != nil {
		return err
	}
	var w *shard.Writer
	first := ""
	for i := range p.Files {
		if err := ctx.Err(); err != nil {
			return err
		}
		in := job.Inputs["file"+strconv.Itoa(i)]
		r, err := p.load(in)
		if err != nil {
			return err
		}
		if w == nil {
			if p.Size == nil {
				p.Size, first = []int{r.h, r.w}, in.Display
			}
			m := &dataset.Manifest{Inputs: []dataset.Input{{Name: p.Input, Shape: []int{p.Size[0], p.Size[1], p.Channels}, DType: "U8"}}}
			if w, err = shard.NewWriter(job.Scratch, m); err != nil {
				return err
			}
			defer w.Close()
		}
		if r.h != p.Size[0] || r.w != p.Size[1] {
			return p.wrongSize(in.Display, first, r)
		}
		if err := w.Add(&shard.Row{Features: r.pix, Source: int64(i)}); err != nil {
			return err
		}
		job.Progress(int64(i+1), int64(p.Files), nil)
	}
	job.Metrics["rows"] = float64(w.Rows())
	return w.Finish(job.Out("data"))
}

func (p *params) load(in executor.JobInput) (*raster, error) {
	r, err := load(in.Path, p.Channels, p.Alpha)
	if errors.Is(err, errAlpha) {
		return nil, shard.Fail("bad-image", "alpha", "Transparent image", "%s has transparent pixels. Say what they are: alpha = \"drop\", \"black\" or \"white\"; or channels = 4.", in.Display)
	}
	if err != nil {
		return nil, shard.Fail("bad-image", "files", "Image not usable", "%s: %v. Save or fetch it again, or leave it out of files.", in.Display, err)
	}
	if p.Resize != "none" {
		r = resize(r, p.Size[0], p.Size[1], p.Resize)
	}
	return r, nil
}

func (p *params) wrongSize(name, first string, r *raster) error {
	want := "size says"
	if first != "" {
		want = first + " is"
	}
	return shard.Fail("image-size", "size", "Image of another size", "%s is %d high and %d wide, and %s %d and %d. Say how it is brought there: size = [height, width] and resize = \"crop\", \"pad\" or \"stretch\".", name, r.h, r.w, want, p.Size[0], p.Size[1])
}

// joinParams are the parameters of a join.
type joinParams struct {
	shard.Options
	Sources     [][]int64  `json:"sources"`
	Labels      [][]string `json:"labels"` // class of each image, where directories say it
	Paths       [][]string `json:"paths"`  // path of each image, where a table says it
	Directory   string     `json:"directory"`
	PathColumn  string     `json:"path_column"`
	LabelColumn string     `json:"label_column"`
}

// join joins groups, and gives images their labels.
func join(_ context.Context, job *executor.Job) error {
	var p joinParams
	if err := job.Bind(&p); err != nil {
		return err
	}
	label := func(shard, row int) string { return p.Labels[shard][row] }
	if job.Has("labels") {
		table, err := p.table(job.Inputs["labels"])
		if err != nil {
			return err
		}
		label = func(shard, row int) string { return table[p.Paths[shard][row]] }
	}
	o := p.Options
	if o.Classes == nil {
		o.Classes = p.classes(label)
	}
	o.Label = &dataset.Label{Name: "label", Kind: "class"}
	o.Class = func(s, row int) (string, error) { return label(s, row), nil }
	o.Source = func(s, row int) int64 { return p.Sources[s][row] }
	return o.Run(job)
}

// classes are all classes, sorted.
func (p *joinParams) classes(label func(shard, row int) string) []string {
	seen := map[string]bool{}
	var all []string
	for s := range p.Sources {
		for r := range p.Sources[s] {
			if c := label(s, r); !seen[c] {
				seen[c] = true
				all = append(all, c)
			}
		}
	}
	shard.SortClasses(all)
	return all
}

// table reads the table of labels, by path. Every image must be in it once, and all that is in it must be images.
func (p *joinParams) table(in executor.JobInput) (map[string]string, error) {
	images := map[string]bool{}
	for _, s := range p.Paths {
		for _, name := range s {
			images[name] = true
		}
	}
	r, err := shard.Open(in, "labels")
	if err != nil {
		return nil, err
	}
	defer r.Close()
	c := csv.NewReader(bufio.NewReader(r))
	c.FieldsPerRecord = -1
	out := map[string]string{}
	at := [2]int{}
	for n := 0; ; n++ {
		rec, err := c.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, shard.Fail("bad-csv", "labels", "Malformed CSV", "%s: %v.", in.Display, err)
		}
		line, _ := c.FieldPos(0)
		if n == 0 {
			if at, err = p.columns(rec, in.Display); err != nil {
				return nil, err
			}
			continue
		}
		if err := p.line(out, images, rec, at, fmt.Sprintf("%s:%d", in.Display, line)); err != nil {
			return nil, err
		}
	}
	for _, s := range p.Paths {
		for _, name := range s {
			if _, ok := out[name]; !ok {
				return nil, shard.Fail("no-class", "labels", "Image without a label", "%s is among the files, and %s has no line for it. Add one, or take the file out.", name, in.Display)
			}
		}
	}
	return out, nil
}

// columns finds the columns of paths and labels in the header.
func (p *joinParams) columns(header []string, name string) (at [2]int, err error) {
	for i := range header {
		header[i] = strings.TrimSpace(strings.TrimPrefix(header[i], "\ufeff"))
	}
	for i, want := range []string{p.PathColumn, p.LabelColumn} {
		if at[i] = slices.Index(header, want); at[i] < 0 {
			return at, shard.Fail("unknown-column", []string{"path_column", "label_column"}[i], "Unknown column", "%s has no column %q. It has %s.", name, want, schema.Words(header))
		}
	}
	return at, nil
}

// line takes one line of the table.
func (p *joinParams) line(out map[string]string, images map[string]bool, rec []string, at [2]int, where string) error {
	if len(rec) <= max(at[0], at[1]) {
		return shard.Fail("ragged-row", "labels", "Ragged row", "%s: the line has %d cells only.", where, len(rec))
	}
	file, label := strings.TrimSpace(rec[at[0]]), strings.TrimSpace(rec[at[1]])
	name := path.Join(p.Directory, file)
	if !images[name] && images[path.Clean(file)] {
		name = path.Clean(file)
	}
	_, twice := out[name]
	switch {
	case label == "":
		return shard.Fail("missing-value", "labels", "Missing value", "%s: there is no label.", where)
	case !images[name]:
		return shard.Fail("unknown-image", "labels", "Image that is not there", "%s: %q is not among the files. Paths are relative to the table or to the spec; add the file, or remove the line.", where, file)
	case twice:
		return shard.Fail("duplicate-row", "labels", "Image listed twice", "%s: %q is there twice.", where, file)
	}
	out[name] = label
	return nil
}
