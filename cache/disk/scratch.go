package disk

import (
	"errors"
	"io/fs"
	"strings"
	"sync"

	"mbuild.dev/mbuild/cache/vfs"
)

// scratch is where this process keeps files that are not finished: tmp/live-<n>.d. The file tmp/live-<n> is locked as long as the process
// lives; what belongs to a file that is not locked is a leftover.
type scratch struct {
	mu   sync.Mutex
	live vfs.File
	dir  string
}

// Scratch is a directory on the store's file system for private roots: what is made there can be taken over without copying. It is
// this process's own, and goes with it.
func (s *Store) Scratch() string {
	dir, err := s.scratchDir()
	if err != nil {
		return s.path("tmp") // whoever uses it will be told why that does not work
	}
	return dir
}

func (s *Store) scratchDir() (string, error) {
	s.scratch.mu.Lock()
	defer s.scratch.mu.Unlock()
	if s.scratch.dir != "" {
		return s.scratch.dir, nil
	}
	s.sweep()
	f, err := s.createLive("tmp", "live-")
	if err != nil {
		return "", err
	}
	dir := f.Name() + ".d"
	if err := s.fs.MkdirAll(dir, 0o755); err != nil {
		f.Close()
		return "", err
	}
	s.scratch.live, s.scratch.dir = f, dir
	return dir, nil
}

// createLive makes a file that is locked while this process lives.
func (s *Store) createLive(dir, pattern string) (vfs.File, error) {
	for {
		f, err := s.fs.CreateTemp(s.path(dir), pattern)
		if errors.Is(err, fs.ErrNotExist) { // the directory was lost with the power
			if err = s.fs.MkdirAll(s.path(dir), 0o755); err == nil {
				f, err = s.fs.CreateTemp(s.path(dir), pattern)
			}
		}
		if err != nil {
			return nil, err
		}
		ok, err := f.TryLock(0, 1, false)
		if errors.Is(err, errors.ErrUnsupported) {
			return f, nil
		}
		info, serr := f.Stat()
		if err == nil && serr == nil && ok && info.Links > 0 {
			return f, nil
		}
		f.Close() // somebody took it for a dead one's before it was locked, or it cannot be locked
		if err = errors.Join(err, serr); err != nil {
			s.fs.Remove(f.Name())
			return nil, err
		}
	}
}

// takeDead opens the file of a process that has died, and keeps others from doing so; nil when it lives, or that cannot be told.
func (s *Store) takeDead(path string) vfs.File {
	f, err := vfs.Open(s.fs, path)
	if err != nil {
		return nil
	}
	if ok, err := f.TryLock(0, 1, true); err != nil || !ok {
		f.Close()
		return nil
	}
	return f
}

// sweep removes what dead processes have left in tmp, and returns how many files and directories.
func (s *Store) sweep() (removed int) {
	entries, err := s.fs.ReadDir(s.path("tmp"))
	if err != nil {
		return 0
	}
	names := map[string]bool{}
	for _, e := range entries {
		names[e.Name()] = true
	}
	for _, e := range entries {
		path := s.path("tmp", e.Name())
		owner, isDir := strings.CutSuffix(e.Name(), ".d")
		switch {
		case isDir && (names[owner] || s.exists("tmp", owner)): // goes with its owner
		case strings.HasPrefix(e.Name(), "live-") && !isDir:
			f := s.takeDead(path)
			if f == nil {
				continue
			}
			vfs.RemoveAll(s.fs, path+".d")
			s.fs.Remove(path)
			f.Close()
			removed++
		default: // of format 1, or its owner's file was lost with the power
			vfs.RemoveAll(s.fs, path)
			removed++
		}
	}
	return removed
}

func (s *Store) exists(parts ...string) bool {
	_, err := s.fs.Stat(s.path(parts...))
	return !errors.Is(err, fs.ErrNotExist)
}

func (s *Store) closeScratch() {
	s.scratch.mu.Lock()
	defer s.scratch.mu.Unlock()
	if s.scratch.live == nil {
		return
	}
	vfs.RemoveAll(s.fs, s.scratch.dir)
	s.fs.Remove(s.scratch.live.Name())
	s.scratch.live.Close()
	s.scratch.live, s.scratch.dir = nil, ""
}

// writeFile replaces a file of the store in one step.
func (s *Store) writeFile(name string, b []byte) error {
	dir, err := s.scratchDir()
	if err != nil {
		return err
	}
	return vfs.WriteFile(s.fs, dir, s.path(name), b, 0o644)
}

// writeDurable is writeFile for what cannot be made again.
func (s *Store) writeDurable(name string, b []byte) error {
	dir, err := s.scratchDir()
	if err != nil {
		return err
	}
	return vfs.WriteDurable(s.fs, dir, s.path(name), b, 0o644)
}

// readFile reads a file of the store; nothing when there is none.
func (s *Store) readFile(name string) ([]byte, error) {
	b, err := vfs.ReadFile(s.fs, s.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}
