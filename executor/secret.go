package executor

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mbuild.dev/mbuild/executor/sandbox"
	"mbuild.dev/mbuild/lang"
	"mbuild.dev/mbuild/planner"
)

// secretHider replaces the clear texts of sensitive values; nil replaces nothing.
type secretHider struct{ r *strings.Replacer }

// hider hides texts, and each line of those that have several.
func hider(texts []string) *secretHider {
	var all []string
	for _, t := range texts {
		for _, part := range append([]string{t}, strings.Split(t, "\n")...) {
			if part = strings.TrimSpace(part); part != "" {
				all = append(all, part)
			}
		}
	}
	if len(all) == 0 {
		return nil
	}
	// Longer texts first: one may contain another.
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) })
	var pairs []string
	for _, t := range all {
		pairs = append(pairs, t, lang.Hidden)
	}
	return &secretHider{strings.NewReplacer(pairs...)}
}

func (h *secretHider) text(s string) string {
	if h == nil {
		return s
	}
	return h.r.Replace(s)
}

func (h *secretHider) error(err error) error {
	if h == nil {
		return err
	}
	var f *Failure
	if errors.As(err, &f) {
		hidden := *f
		hidden.Detail = h.text(f.Detail)
		return &hidden
	}
	var l *loggedError
	if errors.As(err, &l) {
		return &loggedError{h.error(l.err), h.text(l.tail)}
	}
	return errors.New(h.text(err.Error()))
}

// leaks reports an output that holds a sensitive value in clear: it would be stored and shared.
func leaks(root *sandbox.Root, outputs []planner.OutputDecl, secrets []string) error {
	if len(secrets) == 0 {
		return nil
	}
	for _, o := range outputs {
		err := filepath.WalkDir(root.OutputPath(o.Name), func(p string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // commit says that it is missing
			}
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			b, err := os.ReadFile(p)
			if err == nil && holds(b, secrets) {
				err = leakFailure(filepath.Base(p), o.Name)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// minLeak is the length below which a text is found everywhere by chance.
const minLeak = 4

func holds(b []byte, secrets []string) bool {
	return slices.ContainsFunc(secrets, func(s string) bool { return len(s) >= minLeak && bytes.Contains(b, []byte(s)) })
}

func leakFailure(file, output string) error {
	return &Failure{Code: "sensitive", Summary: "Sensitive value in an output", Attr: "outputs",
		Detail: fmt.Sprintf("The file %q of output %q holds a sensitive value in clear. Nothing of it is kept. Let the command leave it out.", file, output)}
}
