package executor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/executor/sandbox"
	"mbuild.dev/mbuild/lang"
	"mbuild.dev/mbuild/planner"
)

// What a run in memory has beside the bytes of small files: inputs of any size, outputs that are directories, and foreign
// programs, all without a private directory of its own until something is too large for memory.

// maxInline bounds an input that is handed on in memory; larger ones are files that the sandbox makes visible.
const maxInline = 256 << 10

// fileAccess serves one job. It is used by the job's goroutine only.
type fileAccess struct {
	m     *machine
	n     *node
	trees map[string][]cache.TreeFile // outputs that are directories
	root  *sandbox.Root               // made when first needed
}

func (a *fileAccess) close() {
	if a.root != nil {
		a.root.Remove()
	}
}

// private returns the job's own directory.
func (a *fileAccess) private() (*sandbox.Root, error) {
	if a.root == nil {
		root, err := sandbox.New(a.m.opts.Scratch)
		if err != nil {
			return nil, fmt.Errorf("making a private directory: %w", err)
		}
		a.root = root
	}
	return a.root, nil
}

// Fetch returns an input as files for a command, at the given place of its directory. Only runs in memory have it.
func (j *Job) Fetch(name, place string) ([]sandbox.File, error) {
	inputs := j.files.n.step.Action.Inputs
	i := slices.IndexFunc(inputs, func(in planner.Input) bool { return in.Name == name })
	if i < 0 {
		panic(fmt.Sprintf("executor: %s reads input %q, which it does not declare", j.Addr, name))
	}
	if inputs[i].Action == nil {
		return j.files.source(inputs[i], place)
	}
	return j.files.result(inputs[i], place)
}

// source gives a file of the project.
func (a *fileAccess) source(in planner.Input, place string) ([]sandbox.File, error) {
	p, err := filepath.Abs(filepath.Join(a.m.plan.Snapshot.Dir, filepath.FromSlash(in.File)))
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(p)
	if err != nil {
		return nil, err
	}
	f := sandbox.File{Place: place, Executable: info.Mode()&0o100 != 0}
	if info.Size() > maxInline {
		f.Path = p
		return []sandbox.File{f}, nil
	}
	f.Bytes, err = os.ReadFile(p)
	return []sandbox.File{f}, err
}

// result gives an output of another action.
func (a *fileAccess) result(in planner.Input, place string) ([]sandbox.File, error) {
	out, _ := output(a.m.nodes[in.Action.Index].result, in.Output)
	files, err := a.inline(out, place)
	if errors.Is(err, cache.ErrTooLarge) {
		files, err = a.onDisk(out, place)
	}
	if errors.Is(err, cache.ErrNotFound) || errors.Is(err, cache.ErrCorrupt) {
		return nil, &lostInput{in.Action}
	}
	return files, err
}

func (a *fileAccess) inline(out cache.Output, place string) ([]sandbox.File, error) {
	store := a.m.opts.Store
	if !out.Directory {
		if out.Digest.Size() > maxInline {
			return nil, cache.ErrTooLarge
		}
		b, err := cache.ReadAll(a.m.ctx, store, out.Digest, maxInline)
		return []sandbox.File{{Place: place, Bytes: b}}, err
	}
	tree, err := cache.ReadTree(a.m.ctx, store, out.Digest, maxInline)
	files := make([]sandbox.File, len(tree))
	for i, f := range tree {
		files[i] = sandbox.File{Place: path.Join(place, f.Name), Bytes: f.Bytes, Executable: f.Executable}
	}
	return files, err
}

func (a *fileAccess) onDisk(out cache.Output, place string) ([]sandbox.File, error) {
	root, err := a.private()
	if err != nil {
		return nil, err
	}
	p, err := filepath.Abs(root.Fresh())
	if err != nil {
		return nil, err
	}
	return []sandbox.File{{Place: place, Path: p, Directory: out.Directory}}, cache.Materialize(a.m.ctx, a.m.opts.Store, out, p)
}

// WriteTree writes an output that is a directory. Only runs in memory have it.
func (j *Job) WriteTree(name string, files []cache.TreeFile) {
	j.Out(name)
	if j.files.trees == nil {
		j.files.trees = map[string][]cache.TreeFile{}
	}
	j.files.trees[name] = files
}

// Command runs a foreign program in the apply's sandbox; see sandbox.Pool.Run. Only runs in memory have it. Where the machine
// cannot keep all promises of the sandbox, a warning says so once in an apply.
func (j *Job) Command(ctx context.Context, c *sandbox.Command) (*sandbox.Result, error) {
	c.Log = j.Log
	c.Spill = func() (string, error) {
		root, err := j.files.private()
		if err != nil {
			return "", err
		}
		return root.Work(), nil
	}
	m := j.files.m
	res, err := m.sandbox.pool(m).Run(ctx, c)
	if err == nil {
		m.sandbox.warn(m)
	}
	return res, err
}

// sandboxes is the pool of an apply, made when the first command runs, and what has been said of it.
type sandboxes struct {
	once, warned, warnedOfWorkers sync.Once
	p                             *sandbox.Pool
}

func (s *sandboxes) pool(m *machine) *sandbox.Pool {
	s.once.Do(func() {
		c := sandbox.Config{Scratch: m.opts.Scratch, Hide: []string{m.opts.Scratch}}
		if m.plan.Snapshot != nil {
			c.Hide = append(c.Hide, m.plan.Snapshot.Dir)
		}
		s.p = sandbox.NewPool(c)
	})
	return s.p
}

func (s *sandboxes) close() {
	if s.p != nil {
		s.p.Close()
	}
}

// warn says once what the sandbox of commands does not promise here.
func (s *sandboxes) warn(m *machine) {
	s.warned.Do(func() { m.warnWeak("Commands run in a weaker sandbox", s.p.Weaker()) })
}

// warnOfWorkers says the same of workers.
func (s *sandboxes) warnOfWorkers(m *machine) {
	s.warnedOfWorkers.Do(func() {
		if r, ok := m.opts.Runner.(interface{ Weaker() []sandbox.Ability }); ok {
			m.warnWeak("Workers run in a weaker sandbox", r.Weaker())
		}
	})
}

// warnWeak warns of promises that do not hold.
func (m *machine) warnWeak(summary string, off []sandbox.Ability) {
	if len(off) == 0 {
		return
	}
	text := "This machine cannot promise that\n"
	for _, a := range off {
		text += "  - " + a.What + "\n"
	}
	d := lang.Errorf("weak-sandbox", lang.Addr{}, hcl.Range{}, summary, "%sfor %s. `mbuild doctor` shows all promises.", text, off[0].Why)
	d.Severity, d.Subject = hcl.DiagWarning, nil
	select {
	case m.notes <- Event{Time: time.Now(), Diagnostic: d}:
	case <-m.ctx.Done():
	}
}

// LogTail is the end of what the job has logged, indented; "" when there is nothing.
func (j *Job) LogTail() string {
	if l, ok := j.Log.(*logBuffer); ok {
		return l.tail()
	}
	return ""
}

// wordRune tells what names of files are made of, for Undeclared.
func wordRune(r rune) bool {
	return r == '/' || r == '.' || r == '_' || r == '-' || r == '+' || r == '~' || r == '@' || r == '%' || unicode.IsLetter(r) || unicode.IsDigit(r)
}

// Undeclared finds names in a text, such as the end of a log, that are files of the project and no inputs of the job. What a
// command does not see it cannot name otherwise than by asking for it.
func (j *Job) Undeclared(text string) []string {
	dir, err := filepath.Abs(j.files.m.plan.Snapshot.Dir)
	if err != nil {
		return nil
	}
	var found []string
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return !wordRune(r) }) {
		word = strings.TrimRight(word, ".")
		if rel, err := filepath.Rel(dir, word); err == nil && filepath.IsAbs(word) {
			word = rel
		}
		word = path.Clean(strings.TrimLeft(word, "/"))
		for strings.HasPrefix(word, "../") { // a way out of the command's directory leads to nothing, wherever it was meant to
			word = word[3:]
		}
		if len(found) == 5 || len(word) < 3 || j.declares(word) || slices.Contains(found, word) {
			continue
		}
		if info, err := os.Stat(filepath.Join(dir, filepath.FromSlash(word))); err == nil && info.Mode().IsRegular() {
			found = append(found, word)
		}
	}
	return found
}

// declares reports that a name is that of an input's place, or the file of an input.
func (j *Job) declares(name string) bool {
	return slices.ContainsFunc(j.files.n.step.Action.Inputs, func(in planner.Input) bool {
		return in.Name == name || in.File == name || strings.HasPrefix(name, in.Name+"/")
	})
}
