// Package project keeps what a working directory remembers between runs, in .mbuild: the last keys (for reasons), the stat
// cache of source files, and the state of written artifacts.
//
// Everything in it is disposable. A file that is missing, damaged or from another version is as good as empty: plans lose
// reasons and applies re-read sources, and nothing is rebuilt for that. Files are replaced in one step, so that two runs on
// one project can only lose each other's memory, never see half of it.
package project

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"mbuild.dev/mbuild/planner"
)

// Dir is the name of the directory below the spec's.
const Dir = ".mbuild"

// Project is the memory of one working directory.
type Project struct {
	Record    *planner.Record
	Stats     map[string]planner.FileStat
	Artifacts map[string]planner.ArtifactState
	Warnings  []string // what could not be read, in words for the user

	dir string
}

type document[T any] struct {
	Version int `json:"version"`
	Data    T   `json:"data"`
}

const version = 2

// Open reads the memory of the project whose spec lies in dir.
func Open(dir string) *Project {
	p := &Project{dir: filepath.Join(dir, Dir), Record: planner.NewRecord(),
		Stats: map[string]planner.FileStat{}, Artifacts: map[string]planner.ArtifactState{}}
	read(p, "stat.json", &p.Stats)
	read(p, "artifacts.json", &p.Artifacts)
	rec := planner.NewRecord()
	read(p, "last.json", rec)
	if rec.Actions != nil && rec.Blocks != nil {
		p.Record = rec
	}
	return p
}

// Prepare makes the directory of the project's memory, for those who write into it before anything is saved. A project that
// cannot be written only loses time, so there is no error.
func Prepare(dir string) {
	p := &Project{dir: filepath.Join(dir, Dir)}
	_ = p.ensure()
}

// Path returns a path inside .mbuild.
func (p *Project) Path(name string) string { return filepath.Join(p.dir, name) }

func read[T any](p *Project, name string, into *T) {
	data, err := os.ReadFile(p.Path(name))
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			p.Warnings = append(p.Warnings, fmt.Sprintf("%s/%s cannot be read (%v); going on without it.", Dir, name, err))
		}
		return
	}
	var doc document[T]
	if err := json.Unmarshal(data, &doc); err != nil || doc.Version != version {
		p.Warnings = append(p.Warnings, fmt.Sprintf("%s/%s is damaged or from another version; going on without it.", Dir, name))
		return
	}
	*into = doc.Data
}

// SaveStats keeps the stat cache.
func (p *Project) SaveStats() error { return write(p, "stat.json", p.Stats) }

// SaveRecord keeps the last keys.
func (p *Project) SaveRecord() error { return write(p, "last.json", *p.Record) }

// SaveArtifacts keeps the state of written artifacts.
func (p *Project) SaveArtifacts() error { return write(p, "artifacts.json", p.Artifacts) }

func write[T any](p *Project, name string, data T) error {
	enc, err := json.Marshal(document[T]{Version: version, Data: data})
	if err != nil {
		return err
	}
	if err := p.ensure(); err != nil {
		return err
	}
	f, err := os.CreateTemp(p.dir, name+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if _, err := f.Write(enc); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), p.Path(name))
}

// ensure makes .mbuild with an ignore file of its own, so that nobody checks it in.
func (p *Project) ensure() error {
	if _, err := os.Stat(p.Path(".gitignore")); err == nil {
		return nil
	}
	if err := os.MkdirAll(p.dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(p.Path(".gitignore"), []byte("*\n"), 0o644)
}
