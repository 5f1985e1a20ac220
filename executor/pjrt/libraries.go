package pjrt

import (
	"debug/elf"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// Libraries lists what the system's loader may read for a plugin beside the system's own libraries: the plugin itself, and the
// shared libraries where it looks for what the plugin needs: beside it, on its run path, and on LD_LIBRARY_PATH.
func Libraries(path string) []string {
	all := []string{path}
	for _, dir := range searched(path) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue // the loader goes on, too
		}
		for _, e := range entries {
			if name := e.Name(); strings.HasSuffix(name, ".so") || strings.Contains(name, ".so.") {
				all = append(all, filepath.Join(dir, name))
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// searched is where the loader looks for the libraries of a plugin.
func searched(path string) []string {
	origin := filepath.Dir(path)
	dirs := append([]string{origin}, filepath.SplitList(os.Getenv("LD_LIBRARY_PATH"))...)
	if real, err := filepath.EvalSymlinks(path); err == nil {
		dirs = append(dirs, filepath.Dir(real))
	}
	if runtime.GOOS != "linux" {
		return dirs
	}
	f, err := elf.Open(path)
	if err != nil {
		return dirs // Inspect says what is wrong with it
	}
	defer f.Close()
	for _, tag := range []elf.DynTag{elf.DT_RPATH, elf.DT_RUNPATH} {
		values, err := f.DynString(tag)
		if err != nil {
			continue
		}
		for _, v := range values {
			for _, dir := range filepath.SplitList(v) {
				dirs = append(dirs, strings.NewReplacer("$ORIGIN", origin, "${ORIGIN}", origin).Replace(dir))
			}
		}
	}
	return slices.DeleteFunc(dirs, func(d string) bool { return !filepath.IsAbs(d) })
}
