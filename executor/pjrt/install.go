package pjrt

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxPlugin bounds what is taken out of a wheel: a plugin has some hundred megabytes.
const maxPlugin = 4 << 30

// Request says what to install.
type Request struct {
	Backend string // "xla:cpu"
	File    string // a shared library, or a wheel (a zip archive) that holds one
	Member  string // path within the wheel; "" takes the only plugin there is
	Digest  string // "sha256:<hex>" of the file as given, that is of the wheel or the library; "" takes any
}

// Install copies a plugin into the directory and returns it. One with the same bytes that is there already is returned as it is.
func (d Dir) Install(r Request) (*Plugin, error) {
	if r.Digest != "" {
		got, err := Digest(r.File)
		if err != nil {
			return nil, err
		}
		if got != r.Digest {
			return nil, fmt.Errorf("%s has digest %s and should have %s", r.File, got, r.Digest)
		}
	}
	if err := os.MkdirAll(d.Path, 0o755); err != nil {
		return nil, err
	}
	tmp, err := os.MkdirTemp(d.Path, ".new-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	path := filepath.Join(tmp, fileName(r.Backend))
	if err := extract(r, path); err != nil {
		return nil, err
	}
	if err := Inspect(path); err != nil {
		return nil, errors.New(strings.ReplaceAll(err.Error(), path, r.File))
	}
	return d.adopt(r, tmp, path)
}

// adopt gives the directory tmp, which holds the library at path, its name.
func (d Dir) adopt(r Request, tmp, path string) (*Plugin, error) {
	digest, err := Digest(path)
	if err != nil {
		return nil, err
	}
	if old, err := d.Find(r.Backend, digest); err == nil {
		return old, nil
	}
	p := &Plugin{Backend: r.Backend, Path: path, Digest: digest, Source: filepath.Base(r.File)}
	if err := os.Chmod(path, 0o644); err != nil {
		return nil, err
	}
	if p.Witness, err = witness(path); err != nil {
		return nil, err
	}
	if err := write(filepath.Join(tmp, manifest), p); err != nil {
		return nil, err
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return nil, err
	}
	target := d.folder(digest)
	if err := os.RemoveAll(target); err != nil { // of an install that was killed, or for another backend
		return nil, err
	}
	if err := os.Rename(tmp, target); err != nil {
		return nil, err
	}
	p.Path = filepath.Join(target, filepath.Base(path))
	return p, nil
}

// fileName is the name under which go-xla takes a plugin for one of a CPU or of CUDA, which it treats differently.
func fileName(backend string) string {
	platform := strings.TrimPrefix(backend, "xla:")
	return "pjrt_c_api_" + platform + "_plugin" + extension()
}

// extract puts the library of a request at path.
func extract(r Request, path string) error {
	in, err := os.Open(r.File)
	if err != nil {
		return err
	}
	defer in.Close()
	var magic [4]byte
	if _, err := io.ReadFull(in, magic[:]); err != nil {
		return fmt.Errorf("%s is neither a shared library nor a wheel: it has less than 4 bytes", r.File)
	}
	if string(magic[:]) != "PK\x03\x04" {
		if r.Member != "" {
			return fmt.Errorf("%s is no wheel (a zip archive), so it has no member %q", r.File, r.Member)
		}
		if _, err := in.Seek(0, io.SeekStart); err != nil {
			return err
		}
		return copyTo(path, in)
	}
	info, err := in.Stat()
	if err != nil {
		return err
	}
	z, err := zip.NewReader(in, info.Size())
	if err != nil {
		return fmt.Errorf("%s: reading the wheel: %w", r.File, err)
	}
	return extractMember(r, z, path)
}

func extractMember(r Request, z *zip.Reader, path string) error {
	var libraries []string
	var chosen *zip.File
	for _, f := range z.File {
		if strings.HasSuffix(f.Name, extension()) {
			libraries = append(libraries, f.Name)
		}
		if f.Name == r.Member || r.Member == "" && strings.HasSuffix(f.Name, extension()) {
			chosen = f
		}
	}
	slices.Sort(libraries)
	switch {
	case r.Member == "" && len(libraries) > 1:
		return fmt.Errorf("%s holds several libraries: say which with -member: %s", r.File, strings.Join(libraries, ", "))
	case chosen == nil && len(libraries) == 0:
		return fmt.Errorf("%s holds no library *%s", r.File, extension())
	case chosen == nil:
		return fmt.Errorf("%s has no member %q; libraries in it are %s", r.File, r.Member, strings.Join(libraries, ", "))
	case chosen.UncompressedSize64 > maxPlugin:
		return fmt.Errorf("%s: member %q has %d bytes; at most %d are taken", r.File, chosen.Name, chosen.UncompressedSize64, int64(maxPlugin))
	}
	in, err := chosen.Open()
	if err != nil {
		return fmt.Errorf("%s: member %q: %w", r.File, chosen.Name, err)
	}
	defer in.Close()
	return copyTo(path, in)
}

func copyTo(path string, in io.Reader) error {
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, io.LimitReader(in, maxPlugin))
	if err := errors.Join(err, out.Sync(), out.Close()); err != nil {
		return fmt.Errorf("unpacking the plugin: %w", err)
	}
	return nil
}
