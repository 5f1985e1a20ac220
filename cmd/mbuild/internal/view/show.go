package view

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"mbuild.dev/mbuild/cmd/mbuild/internal/contract"
)

// Show prints what is known of a block.
func (v *View) Show(d *contract.Show) {
	fmt.Fprintf(v.out, "%s  %s\n", v.paint(bold, d.Address), d.Status)
	for _, name := range sortedKeys(d.Outputs) {
		o := d.Outputs[name]
		fmt.Fprintf(v.out, "  %-12s %s  %s\n", name, o.MediaType, *o.Digest)
		if o.Path != "" {
			fmt.Fprintf(v.out, "  %-12s %s\n", "", o.Path)
		}
	}
	for _, name := range sortedKeys(d.Metrics) {
		fmt.Fprintf(v.out, "  %-20s %.6g\n", name, d.Metrics[name])
	}
	if r, ok := d.Report.(map[string]any); ok {
		v.texts("", r)
	}
	if h, ok := d.History.([]any); ok && len(h) > 0 {
		v.history(h)
	}
}

// history prints a table of a list of objects: a line each, and a line for each object of a list inside it, after it.
func (v *View) history(list []any) {
	var lines []map[string]any
	names := map[string]bool{}
	var add func(any)
	add = func(e any) {
		line, _ := e.(map[string]any)
		lines = append(lines, line)
		for _, name := range sortedKeys(line) {
			if inner, ok := line[name].([]any); ok {
				for _, e := range inner {
					add(e)
				}
				continue
			}
			names[name] = true
		}
	}
	for _, e := range list {
		add(e)
	}
	var head []string
	for _, first := range []string{"epoch", "step"} {
		if names[first] {
			head = append(head, first)
			delete(names, first)
		}
	}
	head = append(head, sortedKeys(names)...)
	rows := [][]string{head}
	for _, line := range lines {
		var row []string
		for _, name := range head {
			if n, ok := line[name].(float64); ok {
				row = append(row, fmt.Sprintf("%.6g", n))
			} else {
				row = append(row, cell(line[name]))
			}
		}
		rows = append(rows, row)
	}
	v.columns(rows)
}

// texts prints the members of a report that are text.
func (v *View) texts(prefix string, r map[string]any) {
	for _, name := range sortedKeys(r) {
		switch x := r[name].(type) {
		case string:
			fmt.Fprintf(v.out, "  %-20s %s\n", prefix+name, x)
		case map[string]any:
			v.texts(prefix+name+".", x)
		}
	}
}

// Instances prints a table of the instances of a block: a line each, the attributes in which they differ, and their metrics.
func (v *View) Instances(d *contract.Instances) {
	attrs, metrics := map[string]bool{}, map[string]bool{}
	for _, s := range d.Instances {
		for name := range s.Attributes {
			attrs[name] = true
		}
		for name := range s.Metrics {
			metrics[name] = true
		}
	}
	head := append([]string{"instance", "status"}, append(sortedKeys(attrs), sortedKeys(metrics)...)...)
	rows := [][]string{head}
	for _, s := range d.Instances {
		row := []string{strings.TrimPrefix(s.Address, d.Address), string(s.Status)}
		for _, name := range sortedKeys(attrs) {
			row = append(row, cell(s.Attributes[name]))
		}
		for _, name := range sortedKeys(metrics) {
			if m, ok := s.Metrics[name]; ok {
				row = append(row, fmt.Sprintf("%.6g", m))
			} else {
				row = append(row, "")
			}
		}
		rows = append(rows, row)
	}
	fmt.Fprintf(v.out, "%s  %s, %d instances\n", v.paint(bold, d.Address), d.Kind, len(d.Instances))
	v.columns(rows)
}

// cell is a value of a spec as a table shows it.
func cell(v any) string {
	switch x := v.(type) {
	case nil:
		return ""
	case string:
		return x
	}
	b, _ := json.Marshal(v)
	return string(b)
}

// columns prints a table, its columns as wide as they need be.
func (v *View) columns(rows [][]string) {
	w := tabwriter.NewWriter(v.out, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintf(w, "  %s\n", strings.Join(row, "\t"))
	}
	w.Flush()
}
