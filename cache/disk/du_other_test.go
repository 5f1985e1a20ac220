//go:build !unix

package disk

import "testing"

// independentDu has nothing to count by where there are no blocks.
func independentDu(t *testing.T, dir string) int64 {
	u, err := open(t, dir).Usage()
	if err != nil {
		t.Fatal(err)
	}
	return u.DiskBytes
}
