package pjrt

import (
	"debug/elf"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
)

// EntryPoint is the function that every plugin exports.
const EntryPoint = "GetPjrtApi"

// machines are the processors of ELF files by Go's names.
var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64, "riscv64": elf.EM_RISCV, "ppc64le": elf.EM_PPC64, "s390x": elf.EM_S390}

// Inspect says why a file cannot be a plugin for this machine, without running any of it; nil if it can. Systems whose
// libraries are not ELF files are not looked into: there the loader has the word.
func Inspect(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a file", path)
	}
	if runtime.GOOS != "linux" {
		return nil
	}
	f, err := elf.Open(path)
	if err != nil && begins(path, elf.ELFMAG) {
		return fmt.Errorf("%s is truncated or damaged: it begins as a shared library, and reading its headers fails (%v)", path, err)
	}
	if err != nil {
		return fmt.Errorf("%s is no shared library of this system (%v): a PJRT plugin is an ELF file, *.so", path, err)
	}
	defer f.Close()
	if want, ok := machines[runtime.GOARCH]; ok && f.Machine != want {
		return fmt.Errorf("%s is for another processor: it is for %s, and this machine is %s", path, machineName(f.Machine), runtime.GOARCH)
	}
	if end := extent(f); end > uint64(info.Size()) {
		return fmt.Errorf("%s is truncated: its headers speak of %d bytes, and it has %d", path, end, info.Size())
	}
	if f.Type != elf.ET_DYN {
		return fmt.Errorf("%s is no shared library but %s", path, f.Type)
	}
	symbols, err := f.DynamicSymbols()
	if err != nil {
		return fmt.Errorf("%s: reading its symbols: %w", path, err)
	}
	for _, s := range symbols {
		if s.Name == EntryPoint && s.Section != elf.SHN_UNDEF {
			return nil
		}
	}
	return fmt.Errorf("%s is a shared library but no PJRT plugin: it does not export %s", path, EntryPoint)
}

// begins reports that a file begins with a text.
func begins(path, text string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	b := make([]byte, len(text))
	_, err = io.ReadFull(f, b)
	return err == nil && string(b) == text
}

func machineName(m elf.Machine) string {
	for goarch, em := range machines {
		if em == m {
			return goarch
		}
	}
	return strings.ToLower(strings.TrimPrefix(m.String(), "EM_"))
}

// extent is where the last part that the file's headers speak of ends.
func extent(f *elf.File) uint64 {
	var end uint64
	for _, p := range f.Progs {
		end = max(end, p.Off+p.Filesz)
	}
	for _, s := range f.Sections {
		if s.Type != elf.SHT_NOBITS && s.Type != elf.SHT_NULL {
			end = max(end, s.Offset+s.FileSize)
		}
	}
	return end
}
