// Package pjrt keeps PJRT plugins: the shared libraries through which XLA drives a processor. It looks at them as files, and
// never loads one; only package executor/mlx does that, in a worker.
//
// The nouns: Plugin (one file with its digest), Dir (the plugins of a user, by digest), Inspect (what can be said of a file
// without running any of it: format, processor, whether it is whole, whether it has the entry point).
//
// Invariant: a Plugin that Verify has passed has the bytes of its digest. Nothing here opens a network connection. Read next:
// executor/mlx/choice.go, which makes a backend of a plugin.
package pjrt

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// Plugin is a plugin on this machine.
type Plugin struct {
	Backend string  `json:"backend"`           // the backend it is installed for: "xla:cpu"
	Path    string  `json:"path"`              // absolute
	Digest  string  `json:"digest"`            // "sha256:<hex>"
	Source  string  `json:"source,omitempty"`  // the file or wheel it was taken from, without directories
	Version string  `json:"version,omitempty"` // of the PJRT interface it speaks, "0.115"; "" until it was asked
	Witness Witness `json:"witness"`
}

// Witness is what the file system said of a file when its digest was taken: while it says the same, the file is taken to be
// the same. A change of the bytes moves the change time, which no program can set.
type Witness struct {
	Size    int64  `json:"size"`
	ModTime int64  `json:"mtime"` // nanoseconds
	Changed int64  `json:"ctime"` // nanoseconds; 0 where the system has none
	Inode   uint64 `json:"inode"`
}

// ErrNone says that no plugin fits.
var ErrNone = errors.New("no plugin")

// Dir is a directory of plugins. Each has a directory of its own, named after its digest, with the file and plugin.json.
type Dir struct{ Path string }

// UserDir is where plugins of this user are: $MBUILD_BACKENDS, else mbuild/backends under the user's data directory.
func UserDir() (Dir, error) {
	if d := os.Getenv("MBUILD_BACKENDS"); d != "" {
		abs, err := filepath.Abs(d)
		return Dir{abs}, err
	}
	base, err := dataDir()
	if err != nil {
		return Dir{}, fmt.Errorf("there is no data directory for this user (%w): set MBUILD_BACKENDS", err)
	}
	return Dir{filepath.Join(base, "mbuild", "backends")}, nil
}

// dataDir is the user's data directory in the sense of the XDG base directory specification, or what stands for it elsewhere.
func dataDir() (string, error) {
	if d := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(d) && runtime.GOOS != "windows" {
		return d, nil
	}
	switch runtime.GOOS {
	case "windows", "darwin":
		return os.UserConfigDir()
	}
	home, err := os.UserHomeDir()
	return filepath.Join(home, ".local", "share"), err
}

const manifest = "plugin.json"

func (d Dir) folder(digest string) string {
	return filepath.Join(d.Path, strings.Replace(digest, ":", "-", 1))
}

// List is all plugins, by backend and digest. A directory that is not there has none.
func (d Dir) List() ([]*Plugin, error) {
	entries, err := os.ReadDir(d.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []*Plugin
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(d.Path, e.Name(), manifest))
		if err != nil || !strings.HasPrefix(e.Name(), "sha256-") {
			continue // the directory of something else, or of an install that was killed
		}
		p := new(Plugin)
		if err := json.Unmarshal(b, p); err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Join(d.Path, e.Name(), manifest), err)
		}
		p.Path = filepath.Join(d.Path, e.Name(), filepath.Base(p.Path))
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b *Plugin) int { return strings.Compare(a.Backend+a.Digest, b.Backend+b.Digest) })
	return all, nil
}

// Find is the plugin of a backend with a digest; with an empty digest the only one there is. It wraps ErrNone when there is
// none, and says what is there instead.
func (d Dir) Find(backend, digest string) (*Plugin, error) {
	all, err := d.List()
	if err != nil {
		return nil, err
	}
	var fit []*Plugin
	var have []string
	for _, p := range all {
		if p.Backend == backend {
			have = append(have, p.Digest)
			if digest == "" || p.Digest == digest {
				fit = append(fit, p)
			}
		}
	}
	switch {
	case len(fit) == 1:
		return fit[0], nil
	case len(fit) > 1:
		return nil, fmt.Errorf("several plugins are installed for %s (%s): say which one with mbuild backend pin %s DIGEST", backend, strings.Join(have, ", "), backend)
	case len(have) > 0:
		return nil, fmt.Errorf("%w with digest %s is installed for %s; installed is %s", ErrNone, digest, backend, strings.Join(have, ", "))
	}
	return nil, fmt.Errorf("%w is installed for %s: mbuild backend install %s FILE", ErrNone, backend, backend)
}

// Save writes the plugin's description again, after its Version became known. A directory that cannot be written to keeps the
// old one, which only costs time.
func (d Dir) Save(p *Plugin) {
	dir := d.folder(p.Digest)
	if filepath.Dir(p.Path) == dir {
		_ = write(filepath.Join(dir, manifest), p) // best effort: see above
	}
}

// Remove deletes the plugins whose digest begins with a prefix; it wraps ErrNone when there is none.
func (d Dir) Remove(prefix string) ([]*Plugin, error) {
	all, err := d.List()
	if err != nil {
		return nil, err
	}
	var gone []*Plugin
	for _, p := range all {
		if strings.HasPrefix(p.Digest, prefix) || strings.HasPrefix(strings.TrimPrefix(p.Digest, "sha256:"), prefix) {
			gone = append(gone, p)
		}
	}
	if len(gone) == 0 {
		return nil, fmt.Errorf("%w has a digest that begins with %q; mbuild backend list shows them", ErrNone, prefix)
	}
	for _, p := range gone {
		if err := os.RemoveAll(d.folder(p.Digest)); err != nil {
			return nil, err
		}
	}
	return gone, nil
}

// Verify makes sure that the plugin's file has the bytes of its digest. It reads them only when the file system says that the
// file is not the one whose digest was taken.
func Verify(p *Plugin) error {
	w, err := witness(p.Path)
	if err != nil {
		return fmt.Errorf("the plugin is gone: %w", err)
	}
	if w == p.Witness {
		return nil
	}
	digest, err := Digest(p.Path)
	if err != nil {
		return err
	}
	if digest != p.Digest {
		return fmt.Errorf("the plugin %s has digest %s and should have %s: it was changed or damaged; remove it and install it again", p.Path, digest, p.Digest)
	}
	p.Witness = w
	return nil
}

// Digest is "sha256:<hex>" of a file.
func Digest(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("reading %s: %w", path, err)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), nil
}

// ByPath is the plugin in a file anywhere on this machine. Its digest is remembered in d, beside the file's witness, so that a
// plan need not read hundreds of megabytes again.
func (d Dir) ByPath(backend, path string) (*Plugin, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	w, err := witness(path)
	if err != nil {
		return nil, err
	}
	known := map[string]*Plugin{}
	index := filepath.Join(d.Path, "paths.json")
	if b, err := os.ReadFile(index); err == nil {
		_ = json.Unmarshal(b, &known) // a damaged index is an empty one
	}
	if p := known[path]; p != nil && p.Witness == w && p.Path == path {
		p.Backend = backend
		return p, nil
	}
	if err := Inspect(path); err != nil {
		return nil, err
	}
	digest, err := Digest(path)
	if err != nil {
		return nil, err
	}
	p := &Plugin{Backend: backend, Path: path, Digest: digest, Source: filepath.Base(path), Witness: w}
	if known == nil {
		known = map[string]*Plugin{}
	}
	known[path] = p
	if os.MkdirAll(d.Path, 0o755) == nil {
		_ = write(index, known) // best effort: without it the next plan reads the file again
	}
	return p, nil
}

// write replaces a JSON file as a whole.
func write(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".new-")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(append(b, '\n'))
	if err := errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

var hexDigest = regexp.MustCompile(`^(sha256:)?[0-9a-f]{64}$`)

// ParseDigest takes "sha256:<hex>" or the hexadecimal digits alone.
func ParseDigest(s string) (string, error) {
	if !hexDigest.MatchString(s) {
		return "", fmt.Errorf("%q is no digest: write sha256: and 64 hexadecimal digits", s)
	}
	return "sha256:" + strings.TrimPrefix(s, "sha256:"), nil
}
