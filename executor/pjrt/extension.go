package pjrt

import "runtime"

// extension is what names of shared libraries end with here.
func extension() string {
	switch runtime.GOOS {
	case "windows":
		return ".dll"
	case "darwin":
		return ".dylib"
	}
	return ".so"
}
