package csv

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
)

// params are the parameters of the action.
type params struct {
	options
	Files int                `json:"files"`
	Split *dataset.Fractions `json:"split"`
}

// run reads the table and writes the dataset.
func run(_ context.Context, job *executor.Job) error {
	var p params
	if err := job.Bind(&p); err != nil {
		return err
	}
	spill := filepath.Join(job.Scratch, "rows")
	f, err := os.Create(spill)
	if err != nil {
		return err
	}
	defer f.Close()
	t := &table{opt: p.options, spill: bufio.NewWriterSize(f, 1<<20)}
	var files []source
	for i := range p.Files {
		in := job.Inputs["file"+strconv.Itoa(i)]
		files = append(files, source{in.Path, in.Display})
	}
	if err := t.read(files); err != nil {
		return err
	}
	m := &dataset.Manifest{}
	classes, err := t.finishLabel(m)
	if err != nil {
		return err
	}
	job.Metrics["rows"] = float64(t.rows)
	warnEmpty(job.Log, p.Split, t.rows, classes, m.Label)
	return t.write(job.Out("data"), spill, m, classes, p.Split)
}

// warnEmpty says which parts of the split lack a class altogether: legal, and surely not meant.
func warnEmpty(log io.Writer, f *dataset.Fractions, n int, classes []int32, label *dataset.Label) {
	if classes == nil {
		return
	}
	names, rows := dataset.Splits(f, n, classes)
	for _, name := range names {
		there := map[int32]bool{}
		for _, r := range rows[name] {
			there[classes[r]] = true
		}
		if missing := len(label.Classes) - len(there); missing > 0 {
			fmt.Fprintf(log, "warning: the %s split has %d rows and none of %d of the %d classes; raise its fraction, or set stratify\n", name, len(rows[name]), missing, len(label.Classes))
		}
	}
}

// finishLabel names the label in the manifest and brings classes into order.
func (t *table) finishLabel(m *dataset.Manifest) ([]int32, error) {
	if t.label == nil {
		return nil, nil
	}
	m.Label = &dataset.Label{Name: t.label.name, Kind: "number"}
	if !t.label.category {
		return nil, nil
	}
	place, names := t.label.sorted()
	if len(names) == 1 {
		return nil, fail("one-class", "label", "Label with one class", "Column %q holds %q in every row: there is nothing to learn. Choose another label.", t.label.name, names[0])
	}
	if len(names) > 1000 && t.opt.LabelKind == "" {
		return nil, fail("too-many-classes", "label", "Too many classes", "Column %q holds %d different values. Set label_kind to \"number\" or \"class\".", t.label.name, len(names))
	}
	m.Label.Kind, m.Label.Classes = "class", names
	classes := make([]int32, len(t.classes))
	for i, c := range t.classes {
		classes[i] = int32(place[c])
	}
	return classes, nil
}

// width is how many numbers a row of features makes, and lists their names.
func (t *table) width() (int, []string) {
	var names []string
	for _, c := range t.features {
		if !c.category {
			names = append(names, c.name)
			continue
		}
		_, values := c.sorted()
		for _, v := range values {
			names = append(names, c.name+"="+v)
		}
	}
	return len(names), names
}

func (t *table) write(dir, spill string, m *dataset.Manifest, classes []int32, fr *dataset.Fractions) error {
	width, columns := t.width()
	m.Inputs = []dataset.Input{{Name: t.opt.Input, Shape: []int{width}, Columns: columns}}
	names, rows := dataset.Splits(fr, t.rows, classes)
	var scale *scaling
	if t.opt.Standardize {
		var err error
		if scale, err = t.fit(spill, rows[names[0]]); err != nil {
			return err
		}
	}
	splits := map[string]*dataset.Data{}
	for _, name := range names {
		d := &dataset.Data{Rows: len(rows[name])}
		for _, r := range rows[name] {
			d.Source = append(d.Source, int64(r))
			switch {
			case classes != nil:
				d.Classes = append(d.Classes, classes[r])
			case t.labels != nil:
				d.Numbers = append(d.Numbers, float32(t.labels[r]))
			}
		}
		d.Stream = t.stream(spill, rows[name], scale)
		splits[name] = d
		m.Splits = append(m.Splits, dataset.Split{Name: name, Rows: d.Rows})
	}
	return dataset.Write(dir, m, splits)
}

// each calls f with the kept cells of each of the rows, which are in ascending order.
func (t *table) each(spill string, rows []int, f func(row []float32) error) error {
	file, err := os.Open(spill)
	if err != nil {
		return err
	}
	defer file.Close()
	r := bufio.NewReaderSize(file, 1<<20)
	raw := make([]byte, 4*len(t.features))
	row := make([]float32, len(t.features))
	at := 0
	for _, want := range rows {
		for ; at <= want; at++ {
			if _, err := io.ReadFull(r, raw); err != nil {
				return err
			}
		}
		for i := range row {
			row[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		}
		if err := f(row); err != nil {
			return err
		}
	}
	return nil
}

// scaling is the mean and deviation of each number, 0 and 1 of each category.
type scaling struct{ mean, dev []float64 }

// fit takes mean and population deviation over the rows, in float64 and in order (Welford 1962). A column that never changes
// keeps deviation 1.
func (t *table) fit(spill string, rows []int) (*scaling, error) {
	n := 0.0
	s := &scaling{make([]float64, len(t.features)), make([]float64, len(t.features))}
	err := t.each(spill, rows, func(row []float32) error {
		n++
		for i, v := range row {
			d := float64(v) - s.mean[i]
			s.mean[i] += d / n
			s.dev[i] += d * (float64(v) - s.mean[i])
		}
		return nil
	})
	for i := range s.dev {
		s.dev[i] = math.Sqrt(s.dev[i] / n)
		if s.dev[i] == 0 {
			s.dev[i] = 1
		}
	}
	return s, err
}

// stream writes the features of the rows, categories as one number for each value.
func (t *table) stream(spill string, rows []int, scale *scaling) func(io.Writer) error {
	places := make([][]int, len(t.features))
	for i, c := range t.features {
		if c.category {
			places[i], _ = c.sorted()
		}
	}
	return func(w io.Writer) error {
		var out []byte
		put := func(v float32) { out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v)) }
		return t.each(spill, rows, func(row []float32) error {
			out = out[:0]
			for i, v := range row {
				switch {
				case places[i] != nil:
					for k := range places[i] {
						put(float32(b2i(places[i][int(v)] == k)))
					}
				case scale != nil:
					put(float32((float64(v) - scale.mean[i]) / scale.dev[i]))
				default:
					put(v)
				}
			}
			_, err := w.Write(out)
			return err
		})
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
