// Package project keeps what a working directory remembers between runs, in .mbuild: the memory of the last plan (memory.go), the
// blocks as they were last applied, and what an apply is about to run.
//
// Everything in it is disposable. A file that is missing, damaged or from another version is as good as empty: plans lose
// reasons and speed, and nothing is rebuilt for that. Files are replaced in one step, so that two runs on one project can
// only lose each other's memory, never see half of it.
package project

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/cache/vfs"
	"mbuild.dev/mbuild/lang"
	"mbuild.dev/mbuild/planner"
)

// Dir is the name of the directory below the spec's.
const Dir = ".mbuild"

// The files in it.
const (
	appliedFile = "applied.spec"
	runningFile = "running"

	// SpecFile is the cache of the evaluated spec, which package lang writes.
	SpecFile = "spec.cache"
)

// Project is the memory of one working directory. It is the planner.Past of its plans.
type Project struct {
	Memory   *Memory  // nil when there is none
	Warnings []string // what could not be read, in words for the user

	fs      vfs.FS
	dir     string
	applied *lang.Packed // opened when first asked for
	asked   bool
	running map[string]bool
}

// Open reads the memory of the project whose spec lies in dir. Close it.
func Open(fsys vfs.FS, dir string) *Project {
	p := &Project{fs: fsys, dir: filepath.Join(dir, Dir)}
	var err error
	p.Memory, err = readMemory(fsys, p.Path(memoryFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		p.Warnings = append(p.Warnings, fmt.Sprintf("%s/%s cannot be used: %v; going on without it.", Dir, memoryFile, err))
	}
	return p
}

// Close lets go of open files.
func (p *Project) Close() {
	if p.applied != nil {
		p.applied.Close()
	}
}

// Prepare makes the directory of the project's memory, for those who write into it before anything is saved. A project that
// cannot be written only loses time, so there is no error.
func Prepare(fsys vfs.FS, dir string) {
	p := &Project{fs: fsys, dir: filepath.Join(dir, Dir)}
	_ = p.ensure()
}

// Path returns a path inside .mbuild.
func (p *Project) Path(name string) string { return filepath.Join(p.dir, name) }

// Keys implements planner.Past.
func (p *Project) Keys(addr string) (last, prior cache.ActionKey) {
	if p.Memory == nil {
		return
	}
	i, ok := p.Memory.Action(addr)
	if !ok {
		return
	}
	return p.Memory.Keys(i)
}

// Attrs implements planner.Past.
func (p *Project) Attrs(addr lang.Addr) (map[string]any, bool) {
	if !p.asked {
		p.asked = true
		p.applied = lang.ReadPacked(p.fs, p.Path(appliedFile))
	}
	if p.applied == nil {
		return nil, false
	}
	return p.applied.Attrs(addr)
}

// Interrupted implements planner.Past.
func (p *Project) Interrupted(addr string) bool {
	if p.running == nil {
		p.running = map[string]bool{}
		text, _ := vfs.ReadFile(p.fs, p.Path(runningFile)) // it is not there unless an apply was killed
		for a := range strings.Lines(string(text)) {
			p.running[strings.TrimSuffix(a, "\n")] = true
		}
	}
	return p.running[addr]
}

// Begin notes which actions an apply is about to run, so that a later plan can tell that it was killed.
func (p *Project) Begin(plan *planner.Plan) {
	var b strings.Builder
	for _, s := range plan.Steps {
		if s != nil && s.Status == planner.Build {
			b.WriteString(s.Addr)
			b.WriteByte('\n')
		}
	}
	if b.Len() > 0 {
		_ = p.write(runningFile, []byte(b.String())) // without it, a reason is "new" where it might be "interrupted"
	}
}

// End notes that the apply has come to its end.
func (p *Project) End() { p.fs.Remove(p.Path(runningFile)) }

// Save keeps the memory.
func (p *Project) Save() error {
	parts, err := p.Memory.encode()
	if err != nil {
		return err
	}
	return p.write(memoryFile, parts...)
}

// KeepApplied remembers the attributes of the blocks that an apply has finished. whole says that these are all blocks of a spec
// whose cache is as it was evaluated: the cache is then what is kept.
func (p *Project) KeepApplied(blocks []*lang.Block, whole bool) error {
	if whole {
		return p.linkApplied()
	}
	if len(blocks) == 0 {
		return nil
	}
	all := map[lang.Addr]*lang.Block{}
	if old := lang.ReadPacked(p.fs, p.Path(appliedFile)); old != nil {
		defer old.Close()
		if s, _ := old.Spec(nil); s != nil {
			for _, b := range s.Blocks {
				all[b.Addr] = b
			}
		}
	}
	for _, b := range blocks {
		all[b.Addr] = b
	}
	return lang.WriteApplied(p.fs, p.Path(appliedFile), all)
}

// linkApplied makes the cache of the spec the memory of what was applied: a second name of one file, which is never changed,
// only replaced.
func (p *Project) linkApplied() error {
	from, err := p.fs.Stat(p.Path(SpecFile))
	if err != nil {
		return err
	}
	if to, err := p.fs.Stat(p.Path(appliedFile)); err == nil && from.Inode == to.Inode && from.Inode != 0 {
		return nil
	}
	tmp := p.Path(appliedFile + ".new")
	p.fs.Remove(tmp)
	if err := p.fs.Link(p.Path(SpecFile), tmp); err != nil {
		return err
	}
	return p.fs.Rename(tmp, p.Path(appliedFile))
}

// write replaces a file in one step.
func (p *Project) write(name string, parts ...[]byte) error {
	if err := p.ensure(); err != nil {
		return err
	}
	return vfs.WriteParts(p.fs, p.dir, p.Path(name), 0o600, parts...)
}

// ensure makes .mbuild with an ignore file of its own, so that nobody checks it in.
func (p *Project) ensure() error {
	if _, err := p.fs.Stat(p.Path(".gitignore")); err == nil {
		return nil
	}
	if err := p.fs.MkdirAll(p.dir, 0o755); err != nil {
		return err
	}
	return vfs.WriteFile(p.fs, p.dir, p.Path(".gitignore"), []byte("*\n"), 0o644)
}
