package view

import (
	"fmt"
	"path"
	"strings"

	"mbuild.dev/mbuild/cmd/mbuild/internal/contract"
	"mbuild.dev/mbuild/lang/lock"
	"mbuild.dev/mbuild/planner"
)

// unpinned prints what an apply will add to the lock file.
func (v *View) unpinned(files []planner.SourceFile) {
	if len(files) > 0 {
		paths := make([]string, len(files))
		for i, f := range files {
			paths[i] = f.Path
		}
		fmt.Fprintf(v.out, "Not in %s yet, apply will pin: %s.\n", lock.Name, filesText(paths))
	}
}

// Pinned prints what an apply has added to the lock file.
func (v *View) Pinned(pins []contract.Pin) {
	if len(pins) > 0 && !v.opts.Quiet {
		paths := make([]string, len(pins))
		for i, p := range pins {
			paths[i] = p.Path
		}
		fmt.Fprintf(v.out, "Pinned in %s, which is to be checked in: %s.\n", lock.Name, filesText(paths))
	}
}

// filesText names files, those of a directory together.
func filesText(paths []string) string {
	var dirs []string
	names := map[string][]string{}
	for _, p := range paths {
		d := path.Dir(p)
		if names[d] == nil {
			dirs = append(dirs, d)
		}
		names[d] = append(names[d], path.Base(p))
	}
	var parts []string
	for _, d := range dirs {
		in := names[d]
		if len(in) > 4 {
			in = append(in[:3:3], fmt.Sprintf("%d more", len(in)-3))
		}
		if text := strings.Join(in, ", "); d == "." {
			parts = append(parts, text)
		} else {
			parts = append(parts, fmt.Sprintf("%s of %s", text, d))
		}
	}
	return strings.Join(parts, "; ")
}

// Lock prints what became of the lock file, one line a file.
func (v *View) Lock(d contract.Lock) {
	if v.opts.Quiet {
		return
	}
	width := 0
	for _, p := range d.Pins {
		width = max(width, len(p.Path))
	}
	n := map[string]int{}
	for _, p := range d.Pins {
		n[p.Change]++
		mark, colour, text := "=", faint, p.Digest
		switch p.Change {
		case contract.PinAdded:
			mark, colour = "+", green
		case contract.PinChanged:
			mark, colour, text = "~", yellow, p.Before+" -> "+p.Digest
		case contract.PinRemoved:
			mark, colour = "-", red
		case contract.PinUnread:
			text += "  (not read as the spec is now)"
		}
		fmt.Fprintf(v.out, "  %s %-*s  %s\n", v.paint(colour, mark), width, p.Path, text)
	}
	if len(d.Pins) == 0 {
		fmt.Fprintf(v.out, "The spec reads no checkpoint or tokenizer that others made, and %s has none.\n", d.Path)
		return
	}
	fmt.Fprintf(v.out, "%s: %d added, %d changed, %d removed, %d as before.\n", d.Path, n[contract.PinAdded], n[contract.PinChanged], n[contract.PinRemoved], n[contract.PinKept]+n[contract.PinUnread])
}
