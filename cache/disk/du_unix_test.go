//go:build unix

package disk

import (
	"io/fs"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// independentDu counts blocks by way of package os, and holds that against du where there is one.
func independentDu(t *testing.T, dir string) (n int64) {
	seen := map[uint64]bool{}
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if st := info.Sys().(*syscall.Stat_t); !seen[st.Ino] {
			seen[st.Ino] = true
			n += st.Blocks * 512
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("du", "-s", "--block-size=1", dir).Output(); err == nil {
		text, _, _ := strings.Cut(string(out), "\t")
		if du, err := strconv.ParseInt(text, 10, 64); err != nil || du != n {
			t.Errorf("du says %s, and the test counts %d", text, n)
		}
	}
	return n
}
