package cache

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sort"
	"strings"
)

// A directory is stored as Directory messages of the Remote Execution API (build.bazel.remote.execution.v2): each level is a
// blob of its own that lists files and sub-directories with their digests, sorted by name. Its digest is that of the root
// message. The wire format is written by hand, for it is four fields of two types; unknown fields are refused, since a
// tree has one encoding only.
//
//	Directory     1: FileNode*, 2: DirectoryNode*
//	FileNode      1: name, 2: Digest, 4: is_executable
//	DirectoryNode 1: name, 2: Digest
//	Digest        1: hash (hex), 2: size_bytes

// node is a file or a sub-directory in a directory.
type node struct {
	name       string
	digest     Digest
	directory  bool
	executable bool
}

// maxDirectory bounds the message of one level: some 400,000 entries.
const maxDirectory = 64 << 20

// PutTree stores the directory at dir with everything in it. Regular files and directories only.
func PutTree(ctx context.Context, cas CAS, dir string) (Digest, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return Digest{}, err
	}
	var nodes []node
	for _, e := range entries {
		n := node{name: e.Name(), directory: e.IsDir()}
		full := filepath.Join(dir, e.Name())
		switch {
		case e.IsDir():
			n.digest, err = PutTree(ctx, cas, full)
		case e.Type().IsRegular():
			var info os.FileInfo
			if info, err = e.Info(); err == nil {
				n.executable = info.Mode()&0o100 != 0
				n.digest, err = putFile(ctx, cas, full)
			}
		default:
			err = fmt.Errorf("%s is neither a file nor a directory (%s)", e.Name(), e.Type())
		}
		if err != nil {
			return Digest{}, err
		}
		nodes = append(nodes, n)
	}
	return cas.Put(ctx, bytes.NewReader(encodeDirectory(nodes)))
}

// TreeFile is a file of a directory. Its content is Bytes or, where Path is set, that of a file on disk.
type TreeFile struct {
	Name       string // slash-separated, relative to the directory
	Executable bool
	Bytes      []byte
	Path       string
}

// PutFiles makes a directory of these files: put is called for each, then with the message of each directory as its Bytes, those
// of sub-directories first. It returns the digest of the whole. A name that is no relative path, or comes twice, is an error.
func PutFiles(files []TreeFile, put func(TreeFile) (Digest, error)) (Digest, error) {
	sorted := append([]TreeFile(nil), files...)
	sort.Slice(sorted, func(i, j int) bool { return sorted[i].Name < sorted[j].Name })
	return putFiles("", sorted, put)
}

// putFiles makes the directory of files whose names all begin with a prefix.
func putFiles(prefix string, files []TreeFile, put func(TreeFile) (Digest, error)) (Digest, error) {
	var nodes []node
	for len(files) > 0 {
		name, _, deeper := strings.Cut(files[0].Name[len(prefix):], "/")
		n, end := node{name: name, directory: deeper}, 1
		if name == "" || name == "." || name == ".." || slices.ContainsFunc(nodes, func(m node) bool { return m.name == name }) {
			return Digest{}, fmt.Errorf("%q cannot be a file of a directory", files[0].Name)
		}
		var err error
		if deeper {
			sub := prefix + name + "/"
			for end < len(files) && strings.HasPrefix(files[end].Name, sub) {
				end++
			}
			n.digest, err = putFiles(sub, files[:end], put)
		} else {
			n.executable = files[0].Executable
			n.digest, err = put(files[0])
		}
		if err != nil {
			return Digest{}, err
		}
		nodes = append(nodes, n)
		files = files[end:]
	}
	return put(TreeFile{Name: prefix, Bytes: encodeDirectory(nodes)})
}

// ErrTooLarge says that a tree holds more bytes than were asked for.
var ErrTooLarge = errors.New("too large")

// ReadTree reads a directory of at most limit bytes into memory, or returns ErrTooLarge.
func ReadTree(ctx context.Context, cas CAS, root Digest, limit int64) ([]TreeFile, error) {
	var files []TreeFile
	err := walk(ctx, cas, root, "", func(p string, n node) error {
		if n.directory {
			return nil
		}
		if limit -= n.digest.size; limit < 0 {
			return ErrTooLarge
		}
		b, err := ReadAll(ctx, cas, n.digest, n.digest.size)
		files = append(files, TreeFile{Name: p, Executable: n.executable, Bytes: b})
		return err
	})
	return files, err
}

// WalkTree calls f for each directory message and each file of a tree, the root first with path "". It reads the messages
// and does not open files.
func WalkTree(ctx context.Context, cas CAS, root Digest, f func(path string, d Digest) error) error {
	return walk(ctx, cas, root, "", func(p string, n node) error { return f(p, n.digest) })
}

// WalkFiles calls f for each file of a tree, and not for directories.
func WalkFiles(ctx context.Context, cas CAS, root Digest, f func(path string, d Digest) error) error {
	return walk(ctx, cas, root, "", func(p string, n node) error {
		if n.directory {
			return nil
		}
		return f(p, n.digest)
	})
}

func walk(ctx context.Context, cas CAS, dir Digest, at string, f func(string, node) error) error {
	if err := f(at, node{digest: dir, directory: true}); err != nil {
		return err
	}
	enc, err := ReadAll(ctx, cas, dir, maxDirectory)
	if err != nil {
		return err
	}
	nodes, err := decodeDirectory(enc)
	if err != nil {
		return fmt.Errorf("directory %s: %w", dir, err)
	}
	for _, n := range nodes {
		p := path.Join(at, n.name)
		if n.directory {
			err = walk(ctx, cas, n.digest, p, f)
		} else {
			err = f(p, n)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func materializeTree(ctx context.Context, cas CAS, root Digest, dir string) error {
	return walk(ctx, cas, root, "", func(p string, n node) error {
		full := filepath.Join(dir, filepath.FromSlash(p))
		if n.directory {
			return os.Mkdir(full, 0o755)
		}
		return materializeFile(ctx, cas, n.digest, full)
	})
}

func encodeDirectory(nodes []node) []byte {
	sort.Slice(nodes, func(i, j int) bool { return nodes[i].name < nodes[j].name })
	var files, dirs []byte
	for _, n := range nodes {
		msg := field(nil, 1, []byte(n.name))
		d := field(nil, 1, []byte(n.digest.Hex()))
		if n.digest.size != 0 {
			d = binary.AppendUvarint(append(d, 2<<3), uint64(n.digest.size))
		}
		msg = field(msg, 2, d)
		switch {
		case n.directory:
			dirs = field(dirs, 2, msg)
		case n.executable:
			files = field(files, 1, append(msg, 4<<3, 1))
		default:
			files = field(files, 1, msg)
		}
	}
	return append(files, dirs...)
}

// field appends a length-delimited field.
func field(b []byte, num byte, data []byte) []byte {
	b = binary.AppendUvarint(append(b, num<<3|2), uint64(len(data)))
	return append(b, data...)
}

var errDirectory = errors.New("not a directory message in canonical form")

func decodeDirectory(b []byte) ([]node, error) {
	var nodes []node
	err := fields(b, func(tag byte, data []byte, _ uint64) error {
		if tag != 1<<3|2 && tag != 2<<3|2 {
			return errDirectory
		}
		n, err := decodeNode(data)
		n.directory = tag == 2<<3|2
		nodes = append(nodes, n)
		return err
	})
	if err == nil && !bytes.Equal(encodeDirectory(append([]node(nil), nodes...)), b) {
		err = errDirectory
	}
	return nodes, err
}

func decodeNode(b []byte) (n node, err error) {
	err = fields(b, func(tag byte, data []byte, num uint64) error {
		switch tag {
		case 1<<3 | 2:
			n.name = string(data)
		case 2<<3 | 2:
			var err error
			n.digest, err = decodeNodeDigest(data)
			return err
		case 4 << 3:
			n.executable = num != 0
		default:
			return errDirectory
		}
		return nil
	})
	if err == nil && (n.name == "" || n.name == "." || n.name == ".." || strings.ContainsAny(n.name, "/\\\x00")) {
		err = fmt.Errorf("a directory may not hold an entry named %q", n.name)
	}
	return n, err
}

func decodeNodeDigest(b []byte) (Digest, error) {
	var hex string
	var size uint64
	err := fields(b, func(tag byte, data []byte, num uint64) error {
		switch tag {
		case 1<<3 | 2:
			hex = string(data)
		case 2 << 3:
			size = num
		default:
			return errDirectory
		}
		return nil
	})
	if err != nil {
		return Digest{}, err
	}
	return ParseDigest("sha256:"+hex, int64(size))
}

// fields calls f for each field of a message: with data for length-delimited ones, with num for varints.
func fields(b []byte, f func(tag byte, data []byte, num uint64) error) error {
	for len(b) > 0 {
		tag := b[0]
		v, n := binary.Uvarint(b[1:])
		if n <= 0 {
			return errDirectory
		}
		b = b[1+n:]
		var data []byte
		switch tag & 7 {
		case 2:
			if v > uint64(len(b)) {
				return errDirectory
			}
			data, b = b[:v], b[v:]
		case 0:
		default:
			return errDirectory
		}
		if err := f(tag, data, v); err != nil {
			return err
		}
	}
	return nil
}
