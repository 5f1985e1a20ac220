package pjrt

import (
	"os"
	"syscall"
)

func witness(path string) (Witness, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Witness{}, err
	}
	w := Witness{Size: info.Size(), ModTime: info.ModTime().UnixNano()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		w.Changed, w.Inode = st.Ctim.Nano(), st.Ino
	}
	return w, nil
}
