package disk

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"mbuild.dev/mbuild/cache"
)

// Pin keeps a result with its bytes, or a blob, until it is taken back.
type Pin struct {
	Key    cache.ActionKey `json:"key,omitzero"`
	Digest cache.Digest    `json:"digest,omitzero"`
	Label  string          `json:"label,omitempty"` // for people: the address that was pinned
}

func (p Pin) same(q Pin) bool { return p.Key == q.Key && p.Digest == q.Digest }

// Seen is a project that uses the store.
type Seen struct {
	Dir  string    `json:"dir"`
	Time time.Time `json:"time"`
}

// Pins returns what is pinned.
func (s *Store) Pins() ([]Pin, error) { return readList[Pin](s, "pins") }

// Pin adds a pin. A result or blob that is pinned already gets the new label.
func (s *Store) Pin(p Pin) error {
	if p.Key.IsZero() == p.Digest.IsZero() {
		return fmt.Errorf("a pin names either a key or a blob")
	}
	return changeList(s, "pins", func(pins []Pin) []Pin {
		return append(slices.DeleteFunc(pins, p.same), p)
	})
}

// Unpin removes the pins that match; it returns how many there were.
func (s *Store) Unpin(match func(Pin) bool) (n int, err error) {
	err = changeList(s, "pins", func(pins []Pin) []Pin {
		left := slices.DeleteFunc(slices.Clone(pins), match)
		n = len(pins) - len(left)
		return left
	})
	return n, err
}

// Projects returns the projects that have used the store, with the time when each was seen last, to the day.
func (s *Store) Projects() ([]Seen, error) { return readList[Seen](s, "projects") }

// Register notes that a project, by its absolute directory, uses the store. It writes once a day.
func (s *Store) Register(dir string) error {
	seen, err := s.Projects()
	if err != nil || s.readOnly {
		return err
	}
	now := s.now().UTC()
	for _, p := range seen {
		if age := now.Sub(p.Time); p.Dir == dir && age >= 0 && age < 24*time.Hour {
			return nil
		}
	}
	return changeList(s, "projects", func(seen []Seen) []Seen {
		return append(slices.DeleteFunc(seen, func(p Seen) bool { return p.Dir == dir }), Seen{dir, now})
	})
}

// Forget removes projects: those whose directory is gone.
func (s *Store) Forget(dirs ...string) error {
	return changeList(s, "projects", func(seen []Seen) []Seen {
		return slices.DeleteFunc(seen, func(p Seen) bool { return slices.Contains(dirs, p.Dir) })
	})
}

// readList reads a file with a JSON document a line.
func readList[T any](s *Store, name string) ([]T, error) {
	b, err := s.readFile(name)
	if err != nil {
		return nil, fmt.Errorf("reading the store's file %q: %w", name, err)
	}
	var list []T
	for i, line := range bytes.Split(bytes.TrimSpace(b), []byte("\n")) {
		if len(line) == 0 {
			continue
		}
		var v T
		if err := json.Unmarshal(line, &v); err != nil {
			return nil, fmt.Errorf("the store's file %q is damaged in line %d (%v): %w; correct or remove it", s.path(name), i+1, err, cache.ErrFormat)
		}
		list = append(list, v)
	}
	return list, nil
}

// changeList changes such a file, one process at a time.
func changeList[T any](s *Store, name string, change func([]T) []T) error {
	if s.readOnly {
		return cache.ErrReadOnly
	}
	s.held.Lock()
	defer s.held.Unlock()
	if err := s.locks.Lock(); err != nil {
		return fmt.Errorf("locking the store's file %q: %w", name, err)
	}
	defer s.locks.Unlock()
	list, err := readList[T](s, name)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for _, v := range change(list) {
		if err := enc.Encode(v); err != nil {
			return err
		}
	}
	if err := s.writeDurable(name, b.Bytes()); err != nil {
		return fmt.Errorf("writing the store's file %q: %w", name, wrap(err))
	}
	return nil
}
