package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Guard is a wall that needs no namespaces: what a process may read and write (Landlock), and that it opens no sockets
// (seccomp). It holds for the thread that puts it up and for everything that thread starts, for ever.
type Guard struct {
	Read    []string // files and directories that may be read, and run
	Write   []string // directories that may be written in, too
	Sockets bool     // sockets are allowed
}

// readFS and writeFS are the rights of Landlock's first version; the later ones are added where the kernel knows them.
const (
	readFS  = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	writeFS = unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE | unix.LANDLOCK_ACCESS_FS_MAKE_CHAR |
		unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_MAKE_SOCK | unix.LANDLOCK_ACCESS_FS_MAKE_FIFO |
		unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK | unix.LANDLOCK_ACCESS_FS_MAKE_SYM
	ofFiles = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE
)

// landlockVersion is the version of Landlock that the kernel offers, and why when that is none.
var landlockVersion = sync.OnceValues(func() (int, error) {
	v, _, e := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	switch e {
	case 0:
		return int(v), nil
	case unix.ENOSYS:
		return 0, errors.New("the kernel has no Landlock (it came with Linux 5.13)")
	case unix.EOPNOTSUPP:
		return 0, errors.New("Landlock is not switched on in this kernel")
	}
	return 0, fmt.Errorf("Landlock is not to be had: %w", e)
})

// lacks says why a part of the guarded mode is not to be had; "" when it is.
func lacks(part string) string {
	switch part {
	case "landlock":
		if _, err := landlockVersion(); err != nil {
			return err.Error()
		}
	case "seccomp":
		if nativeArch == 0 {
			return "no list of system calls for " + runtime.GOARCH
		}
		if unix.Prctl(unix.PR_GET_SECCOMP, 0, 0, 0, 0) != nil {
			return "the kernel has no seccomp"
		}
	}
	return ""
}

// Apply puts the guard up around the calling thread, which must be locked to its goroutine and must never be unlocked again.
// What the machine cannot do is left out; Abilities tells.
func (g Guard) Apply() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("giving up privileges: %w", err)
	}
	if lacks("landlock") == "" {
		if err := g.landlock(); err != nil {
			return fmt.Errorf("Landlock: %w", err)
		}
	}
	if !g.Sockets && lacks("seccomp") == "" {
		if err := denyCalls(networkCalls); err != nil {
			return fmt.Errorf("seccomp: %w", err)
		}
	}
	return nil
}

func (g Guard) landlock() error {
	version, err := landlockVersion()
	if err != nil {
		return err
	}
	attr := unix.LandlockRulesetAttr{Handled_access_fs: readFS | writeFS}
	if version >= 2 {
		attr.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if version >= 3 {
		attr.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	size := unsafe.Sizeof(attr.Handled_access_fs)
	if version >= 4 && !g.Sockets {
		attr.Handled_access_net = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
		size += unsafe.Sizeof(attr.Handled_access_net)
	}
	if version >= 6 && !g.Sockets {
		attr.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
		size += unsafe.Sizeof(attr.Scoped)
	}
	fd, _, e := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), size, 0)
	if e != 0 {
		return e
	}
	defer unix.Close(int(fd))
	for _, p := range g.Read {
		if err := allow(int(fd), p, readFS); err != nil {
			return err
		}
	}
	for _, p := range append(devicePaths(), g.Write...) {
		if err := allow(int(fd), p, attr.Handled_access_fs); err != nil {
			return err
		}
	}
	if _, _, e := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0); e != 0 {
		return e
	}
	return nil
}

// allow adds a rule for a path and what is below it. A path that is not there needs no rule.
func allow(ruleset int, path string, rights uint64) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		rights &= ofFiles
	}
	attr := unix.LandlockPathBeneathAttr{Allowed_access: rights, Parent_fd: int32(fd)}
	if _, _, e := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(ruleset), unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&attr)), 0, 0, 0); e != 0 {
		return fmt.Errorf("%s: %w", path, e)
	}
	return nil
}

// networkCalls open sockets. io_uring can do the same past any filter.
var networkCalls = []uint32{unix.SYS_SOCKET, unix.SYS_IO_URING_SETUP}

// denyCalls has the kernel answer EPERM to system calls of the calling thread and of what it starts. System calls of another
// architecture (32 bit programs) are all refused: their numbers mean something else.
func denyCalls(calls []uint32) error {
	const nr, arch = 0, 4 // offsets in struct seccomp_data
	stmt := func(code uint16, k uint32) unix.SockFilter { return unix.SockFilter{Code: code, K: k} }
	jump := func(op uint16, k uint32, yes, no uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | op | unix.BPF_K, K: k, Jt: yes, Jf: no}
	}
	n := uint8(len(calls))
	prog := []unix.SockFilter{
		stmt(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, arch),
		jump(unix.BPF_JEQ, nativeArch, 0, n+3),
		stmt(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, nr),
		jump(unix.BPF_JGE, 0x40000000, n+1, 0), // x32
	}
	for i, c := range calls {
		prog = append(prog, jump(unix.BPF_JEQ, c, n-uint8(i), 0))
	}
	prog = append(prog, stmt(unix.BPF_RET|unix.BPF_K, unix.SECCOMP_RET_ALLOW), stmt(unix.BPF_RET|unix.BPF_K, unix.SECCOMP_RET_ERRNO|uint32(syscall.EPERM)))
	f := unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]}
	return unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&f)), 0, 0)
}

// nativeArch is how seccomp names this architecture; 0 where it is not known.
var nativeArch = map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64, "riscv64": unix.AUDIT_ARCH_RISCV64}[runtime.GOARCH]

// SystemPaths are the files and directories of the machine that programs need to run, as far as they are there.
func SystemPaths() []string {
	var all []string
	for _, d := range systemDirs {
		all = append(all, "/"+d)
	}
	for _, f := range systemFiles {
		found, _ := filepath.Glob("/etc/" + f)
		all = append(all, found...)
	}
	return append(all, "/etc/passwd", "/etc/group", "/etc/nsswitch.conf", "/etc/hosts", "/proc")
}

// devicePaths are devices that are good to read and write.
func devicePaths() []string {
	var all []string
	for _, d := range devices {
		all = append(all, "/dev/"+d)
	}
	return all
}
