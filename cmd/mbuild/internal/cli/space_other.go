//go:build !linux

package cli

// diskSpace is not known here.
func diskSpace(string) (free int64, kind string, ok bool) { return 0, "", false }
