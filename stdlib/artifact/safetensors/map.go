package safetensors

import (
	"errors"
	"os"

	"mbuild.dev/mbuild/cache/vfs"
)

// Map maps a file of tensors into memory: their bytes are read when they are first looked at, and may not be written. They are gone
// after release. Where files cannot be mapped, it is ReadFile. Whoever maps a file knows that nobody cuts it off meanwhile, for that
// would be a fault; the store's files are never written again.
func Map(path string) (ts []Tensor, metadata map[string]string, release func(), err error) {
	f, err := vfs.OS.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, nil, err
	}
	var b []byte
	if err = errors.ErrUnsupported; info.Size > 0 {
		b, release, err = f.Map(info.Size)
	}
	if err != nil { // an empty file, or no such thing
		ts, metadata, err = ReadFile(path)
		return ts, metadata, func() {}, err
	}
	if ts, metadata, err = Decode(b); err != nil {
		release()
		return nil, nil, nil, err
	}
	return ts, metadata, release, nil
}
