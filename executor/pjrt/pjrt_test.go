package pjrt

import (
	"archive/zip"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// library is a minimal ELF shared library for a machine, with one dynamic symbol, as the linker would lay it out: no code in
// it, which nothing here would run.
func library(t *testing.T, machine elf.Machine, symbol string) []byte {
	const head, section = 64, 64
	names := []byte("\x00.dynsym\x00.dynstr\x00.shstrtab\x00")
	dynstr := append([]byte{0}, append([]byte(symbol), 0)...)
	var syms bytes.Buffer
	write := func(b *bytes.Buffer, v any) {
		if err := binary.Write(b, binary.LittleEndian, v); err != nil {
			t.Fatal(err)
		}
	}
	write(&syms, elf.Sym64{})
	write(&syms, elf.Sym64{Name: 1, Info: elf.ST_INFO(elf.STB_GLOBAL, elf.STT_FUNC), Shndx: 1, Value: 64})
	off := uint64(head)
	sections := []elf.Section64{{},
		{Name: 1, Type: uint32(elf.SHT_DYNSYM), Off: off, Size: uint64(syms.Len()), Link: 2, Info: 1, Entsize: elf.Sym64Size},
		{Name: 9, Type: uint32(elf.SHT_STRTAB), Off: off + uint64(syms.Len()), Size: uint64(len(dynstr))},
		{Name: 17, Type: uint32(elf.SHT_STRTAB), Off: off + uint64(syms.Len()+len(dynstr)), Size: uint64(len(names))},
	}
	table := off + uint64(syms.Len()+len(dynstr)+len(names))
	h := elf.Header64{Type: uint16(elf.ET_DYN), Machine: uint16(machine), Version: 1, Shoff: table, Ehsize: head, Shentsize: section, Shnum: uint16(len(sections)), Shstrndx: 3}
	copy(h.Ident[:], "\x7fELF\x02\x01\x01")
	var out bytes.Buffer
	write(&out, h)
	out.Write(syms.Bytes())
	out.Write(dynstr)
	out.Write(names)
	for _, s := range sections {
		write(&out, s)
	}
	return out.Bytes()
}

func file(t *testing.T, name string, b []byte) string {
	p := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(p, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return p
}

func other() elf.Machine {
	if runtime.GOARCH == "arm64" {
		return elf.EM_X86_64
	}
	return elf.EM_AARCH64
}

func onLinux(t *testing.T) elf.Machine {
	if runtime.GOOS != "linux" {
		t.Skip("libraries are ELF files on Linux")
	}
	return machines[runtime.GOARCH]
}

func TestInspect(t *testing.T) {
	m := onLinux(t)
	good := library(t, m, EntryPoint)
	if err := Inspect(file(t, "p.so", good)); err != nil {
		t.Errorf("a plugin is refused: %v", err)
	}
	for what, c := range map[string]struct {
		bytes []byte
		want  string
	}{
		"text":              {[]byte("this is not a library at all, though it is long enough for a header\n"), "no shared library"},
		"empty":             {nil, "no shared library"},
		"another processor": {library(t, other(), EntryPoint), "another processor"},
		"truncated":         {good[:len(good)-10], ""},
		"no entry point":    {library(t, m, "GetNothing"), "does not export GetPjrtApi"},
	} {
		err := Inspect(file(t, "p.so", c.bytes))
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want one line with %q", what, err, c.want)
		}
	}
	// A library whose table of sections is whole and whose contents are not: of a download that stopped it is the other way round.
	long := bytes.Clone(good)
	binary.LittleEndian.PutUint64(long[binary.LittleEndian.Uint64(long[40:])+64+32:], 1<<40) // size of the first section
	if err := Inspect(file(t, "p.so", long)); err == nil || !strings.Contains(err.Error(), "truncated") {
		t.Errorf("a truncated library: %v", err)
	}
	if err := Inspect(t.TempDir()); err == nil {
		t.Error("a directory is taken for a plugin")
	}
}

func wheel(t *testing.T, members map[string][]byte) string {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, data := range members {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return file(t, "a-1.0-py3-none-any.whl", b.Bytes())
}

func TestInstall(t *testing.T) {
	m := onLinux(t)
	d := Dir{filepath.Join(t.TempDir(), "backends")}
	if all, err := d.List(); err != nil || len(all) != 0 {
		t.Fatalf("an empty directory holds %v, %v", all, err)
	}
	one, two := library(t, m, EntryPoint), append(library(t, m, EntryPoint), "another"...)
	p, err := d.Install(Request{Backend: "xla:cpu", File: wheel(t, map[string][]byte{"a/__init__.py": nil, "a/plugin.so": one})})
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(p.Path); err != nil || !bytes.Equal(b, one) {
		t.Fatalf("what was installed is not the plugin: %v", err)
	}
	if again, err := d.Install(Request{Backend: "xla:cpu", File: file(t, "x.so", one)}); err != nil || again.Path != p.Path || again.Source != p.Source {
		t.Errorf("the same plugin again: %+v, %v", again, err)
	}
	if got, err := d.Find("xla:cpu", ""); err != nil || got.Digest != p.Digest {
		t.Errorf("the only plugin is not found: %v", err)
	}
	both := wheel(t, map[string][]byte{"a/plugin.so": one, "b/plugin.so": two})
	if _, err := d.Install(Request{Backend: "xla:cpu", File: both}); err == nil || !strings.Contains(err.Error(), "a/plugin.so, b/plugin.so") {
		t.Errorf("a wheel with two libraries: %v", err)
	}
	q, err := d.Install(Request{Backend: "xla:cpu", File: both, Member: "b/plugin.so"})
	if err != nil || q.Digest == p.Digest {
		t.Fatalf("a member by name: %v", err)
	}
	if _, err := d.Find("xla:cpu", ""); err == nil || !strings.Contains(err.Error(), p.Digest) || !strings.Contains(err.Error(), q.Digest) {
		t.Errorf("one of two: %v", err)
	}
	absent := "sha256:" + strings.Repeat("0", 64)
	if _, err := d.Find("xla:cpu", absent); !errors.Is(err, ErrNone) || !strings.Contains(err.Error(), absent) || !strings.Contains(err.Error(), q.Digest) {
		t.Errorf("a digest that is not there: %v", err)
	}
	if gone, err := d.Remove(q.Digest[:20]); err != nil || len(gone) != 1 {
		t.Errorf("remove: %v, %v", gone, err)
	}
	if all, err := d.List(); err != nil || len(all) != 1 {
		t.Errorf("after removing one of two there are %d, %v", len(all), err)
	}
	if _, err := d.Remove("sha256:ffff"); !errors.Is(err, ErrNone) {
		t.Errorf("removing nothing: %v", err)
	}
	if leftover, _ := filepath.Glob(filepath.Join(d.Path, ".new-*")); len(leftover) != 0 {
		t.Errorf("left behind: %v", leftover)
	}
}

func TestInstallRefuses(t *testing.T) {
	m := onLinux(t)
	one := library(t, m, EntryPoint)
	for what, c := range map[string]struct {
		r    Request
		want string
	}{
		"no such file":      {Request{File: "/no/such/file"}, "no such file"},
		"no library inside": {Request{File: wheel(t, map[string][]byte{"a.py": nil})}, "holds no library"},
		"no such member":    {Request{File: wheel(t, map[string][]byte{"a.so": one}), Member: "b.so"}, "libraries in it are a.so"},
		"member of a file":  {Request{File: file(t, "a.so", one), Member: "b.so"}, "no wheel"},
		"a broken wheel":    {Request{File: file(t, "a.whl", []byte("PK\x03\x04 and no more"))}, "reading the wheel"},
		"nearly empty":      {Request{File: file(t, "a.so", []byte("E"))}, "less than 4 bytes"},
		"another digest":    {Request{File: file(t, "a.so", one), Digest: "sha256:" + strings.Repeat("1", 64)}, "should have sha256:1111"},
		"another processor": {Request{File: file(t, "a.so", library(t, other(), EntryPoint))}, "another processor"},
	} {
		d := Dir{t.TempDir()}
		c.r.Backend = "xla:cpu"
		if _, err := d.Install(c.r); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", what, err, c.want)
		}
		if left, _ := os.ReadDir(d.Path); len(left) != 0 {
			t.Errorf("%s: %d entries are left behind", what, len(left))
		}
	}
}

// TestVerify: a changed plugin is found out, even when its size and modification time are as they were.
func TestVerify(t *testing.T) {
	m := onLinux(t)
	d := Dir{t.TempDir()}
	p, err := d.Install(Request{Backend: "xla:cpu", File: file(t, "x.so", library(t, m, EntryPoint))})
	if err != nil {
		t.Fatal(err)
	}
	all, err := d.List()
	if err != nil || len(all) != 1 || Verify(all[0]) != nil {
		t.Fatalf("what was installed does not verify: %v", err)
	}
	info, err := os.Stat(p.Path)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := os.ReadFile(p.Path)
	b[len(b)-1] ^= 1
	time.Sleep(10 * time.Millisecond) // the change time has the grain of the kernel's clock
	if err := os.WriteFile(p.Path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(p.Path, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if err := Verify(all[0]); err == nil || !strings.Contains(err.Error(), p.Digest) {
		t.Errorf("a changed plugin: %v", err)
	}
	b[len(b)-1] ^= 1
	if err := os.WriteFile(p.Path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Verify(all[0]); err != nil {
		t.Errorf("put right again: %v", err)
	}
	os.Remove(p.Path)
	if err := Verify(all[0]); err == nil || !strings.Contains(err.Error(), "gone") {
		t.Errorf("removed: %v", err)
	}
}

func TestByPath(t *testing.T) {
	m := onLinux(t)
	d := Dir{filepath.Join(t.TempDir(), "none yet")}
	path := file(t, "x.so", library(t, m, EntryPoint))
	p, err := d.ByPath("pjrt:x.so", path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.Path, "paths.json"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if q, err := d.ByPath("pjrt:x.so", path); err != nil || q.Digest != p.Digest {
		t.Errorf("with a damaged index: %v", err)
	}
	time.Sleep(10 * time.Millisecond)
	if err := os.WriteFile(path, append(library(t, m, EntryPoint), 1), 0o644); err != nil {
		t.Fatal(err)
	}
	if q, err := d.ByPath("pjrt:x.so", path); err != nil || q.Digest == p.Digest {
		t.Errorf("the file changed and its digest did not: %v", err)
	}
}

func TestParseDigest(t *testing.T) {
	hex := strings.Repeat("ab", 32)
	for _, ok := range []string{hex, "sha256:" + hex} {
		if got, err := ParseDigest(ok); err != nil || got != "sha256:"+hex {
			t.Errorf("%s: %s, %v", ok, got, err)
		}
	}
	for _, bad := range []string{"", "sha256:", hex[1:], strings.ToUpper(hex), "md5:" + hex} {
		if got, err := ParseDigest(bad); err == nil {
			t.Errorf("%q is taken for %s", bad, got)
		}
	}
}

func TestRecall(t *testing.T) {
	d := Dir{filepath.Join(t.TempDir(), "none yet")}
	var got []string
	if d.Recall([]string{"a", "b"}, &got) {
		t.Error("something is known that nobody said")
	}
	d.Remember([]string{"a", "b"}, []string{"x"})
	if !d.Recall([]string{"a", "b"}, &got) || len(got) != 1 || got[0] != "x" {
		t.Errorf("remembered is %v", got)
	}
	if d.Recall([]string{"ab"}, &got) {
		t.Error("keys run together")
	}
}

func TestUserDir(t *testing.T) {
	t.Setenv("MBUILD_BACKENDS", "")
	t.Setenv("HOME", "/home/somebody")
	t.Setenv("XDG_DATA_HOME", "")
	if runtime.GOOS == "linux" {
		if d, err := UserDir(); err != nil || d.Path != "/home/somebody/.local/share/mbuild/backends" {
			t.Errorf("the user's directory is %s, %v", d.Path, err)
		}
		t.Setenv("XDG_DATA_HOME", "/data")
		if d, err := UserDir(); err != nil || d.Path != "/data/mbuild/backends" {
			t.Errorf("with XDG_DATA_HOME it is %s, %v", d.Path, err)
		}
	}
	t.Setenv("MBUILD_BACKENDS", "here")
	if d, err := UserDir(); err != nil || !filepath.IsAbs(d.Path) || filepath.Base(d.Path) != "here" {
		t.Errorf("with MBUILD_BACKENDS it is %s, %v", d.Path, err)
	}
}
