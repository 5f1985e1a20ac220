package pjrt

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
)

// note is the file of what was remembered under a key.
func (d Dir) note(key []string) string {
	sum := sha256.Sum256([]byte(strings.Join(key, "\x00")))
	return filepath.Join(d.Path, "asked", hex.EncodeToString(sum[:16])+".json")
}

// Remember keeps what a plugin has said. Where the directory cannot be written to it is asked again next time.
func (d Dir) Remember(key []string, v any) {
	path := d.note(key)
	if os.MkdirAll(filepath.Dir(path), 0o755) == nil {
		_ = write(path, v) // best effort: see above
	}
}

// Recall reads into v what was remembered under the key; false when there is nothing.
func (d Dir) Recall(key []string, v any) bool {
	b, err := os.ReadFile(d.note(key))
	return err == nil && json.Unmarshal(b, v) == nil
}
