package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// The user that commands are, on every machine.
const (
	userID   = 1000
	userName = "mbuild"
)

// namespaces asks for a process in namespaces of its own, with the capabilities that building the root takes. Inside, the user
// that runs mbuild is userID, and nobody else exists.
func namespaces(a *syscall.SysProcAttr) {
	a.Cloneflags = unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS
	a.UidMappings = []syscall.SysProcIDMap{{ContainerID: userID, HostID: os.Geteuid(), Size: 1}}
	a.GidMappings = []syscall.SysProcIDMap{{ContainerID: userID, HostID: os.Getegid(), Size: 1}}
	a.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_SETPCAP, unix.CAP_DAC_OVERRIDE, unix.CAP_FOWNER, unix.CAP_KILL}
}

// Directories of the host that the slot sees and commands do not.
const (
	hostDir  = "/.host"  // the host's root, read-only
	areaDir  = "/.area"  // what BuildDir, TempDir and /dev/shm are parts of
	spillDir = "/.spill" // large outputs
)

// BuildDir is a command's own directory inside a private root, and TempDir the one for temporary files.
const (
	BuildDir = "/build"
	TempDir  = "/tmp"
)

// systemDirs is what a command sees of the host: programs and libraries. What is not there is left out.
var systemDirs = []string{"usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "opt", "nix", "gnu"}

// systemFiles is what programs need of /etc, as globs. The rest of it describes the machine and is none of a command's business;
// so is the time zone.
var systemFiles = []string{"alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "ld-musl-*", "ca-certificates", "ssl/certs", "pki/tls/certs", "fonts",
	"mime.types", "magic", "protocols", "services", "java*", "python*", "perl", "texmf", "ImageMagick-*", "OpenCL"}

var devices = []string{"null", "zero", "full", "random", "urandom"}

// masked is what of /proc tells about the machine or lets one change it; the first are made read-only, the others empty.
var (
	procReadOnly = []string{"sys", "sysrq-trigger", "irq", "bus", "fs", "acpi", "scsi"}
	procMasked   = []string{"kcore", "keys", "key-users", "timer_list", "sched_debug", "kmsg", "kallsyms", "config.gz", "kpagecount", "kpageflags", "kpagecgroup"}
)

// step runs steps until one fails, and says which it was.
type steps struct{ err error }

func (s *steps) do(what string, err error) {
	if s.err == nil && err != nil {
		s.err = fmt.Errorf("%s: %w", what, err)
	}
}

// buildRoot makes the private root and moves into it. It is called once, in the mount namespace of the slot.
func buildRoot(set setup) error {
	var s steps
	s.do("making mounts private", unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	const base = "/tmp" // any directory that is there: what is mounted on it is seen by this process only
	s.do("mounting a root", unix.Mount("mbuild", base, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "size=1m,mode=755"))
	s.do("making "+hostDir, os.Mkdir(base+hostDir, 0o700))
	s.do("changing the root", unix.PivotRoot(base, base+hostDir))
	s.do("entering the root", os.Chdir("/"))
	if s.err != nil {
		return s.err
	}
	s.do("mounting the working directories", mountArea(set))
	s.do("mounting "+spillDir, bindDir(hostDir+set.Spill, spillDir))
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID}
	s.do("making the host read-only", unix.MountSetattr(unix.AT_FDCWD, hostDir, unix.AT_RECURSIVE, &attr))
	s.do("mounting system directories", mountSystem())
	s.do("making devices", makeDevices())
	s.do("mounting /proc", mountProc(set))
	for _, h := range set.Hide {
		if _, err := os.Lstat(h); err == nil && h != "/" {
			s.do("hiding "+h, unix.Mount("mbuild", h, "tmpfs", unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV, "size=4k"))
		}
	}
	s.do("making the root read-only", unix.Mount("", "/", "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV, ""))
	s.do("naming the host", unix.Sethostname([]byte(userName)))
	return s.err
}

// mountArea makes the directories that a command may write in.
func mountArea(set setup) error {
	var s steps
	if set.Area == "" {
		s.do(areaDir, os.Mkdir(areaDir, 0o755))
		s.do(areaDir, unix.Mount("mbuild", areaDir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, fmt.Sprintf("size=%d,mode=755", set.Bytes)))
	} else {
		s.do(areaDir, bindDir(hostDir+set.Area, areaDir))
	}
	s.do("/dev", os.Mkdir("/dev", 0o755))
	for from, to := range map[string]string{"build": BuildDir, "tmp": TempDir, "shm": "/dev/shm"} {
		if err := os.Mkdir(filepath.Join(areaDir, from), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		s.do(to, bindDir(filepath.Join(areaDir, from), to))
	}
	// Inputs that are mounted here later must show up for the thread that starts commands, whose namespace is a copy.
	s.do("sharing "+BuildDir, unix.Mount("", BuildDir, "", unix.MS_SHARED, ""))
	return s.err
}

// bindDir makes a directory appear at a new place.
func bindDir(from, to string) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	return unix.Mount(from, to, "", unix.MS_BIND, "")
}

// bindFile makes a file appear at a new place.
func bindFile(from, to string) error {
	f, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o444)
	if err != nil {
		return err
	}
	f.Close()
	return unix.Mount(from, to, "", unix.MS_BIND, "")
}

// mirror makes a path of the host, with what is below it, appear in the root: read-only, for all of hostDir is.
func mirror(path string) error {
	from := filepath.Join(hostDir, path)
	info, err := os.Lstat(from)
	if err != nil {
		return nil
	}
	to := "/" + path
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		link, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(link, to)
	case info.IsDir():
		if err := os.MkdirAll(to, 0o755); err != nil {
			return err
		}
		return unix.Mount(from, to, "", unix.MS_BIND|unix.MS_REC, "")
	case info.Mode().IsRegular():
		return bindFile(from, to)
	}
	return nil
}

func mountSystem() error {
	for _, d := range systemDirs {
		if err := mirror(d); err != nil {
			return fmt.Errorf("/%s: %w", d, err)
		}
	}
	for _, pattern := range systemFiles {
		found, _ := filepath.Glob(hostDir + "/etc/" + pattern)
		for _, f := range found {
			rel, err := filepath.Rel(hostDir, f)
			if err == nil {
				err = mirror(rel)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", f, err)
			}
		}
	}
	for name, text := range map[string]string{
		"passwd":        fmt.Sprintf("%s:x:%d:%d::%s:/bin/sh\n", userName, userID, userID, TempDir),
		"group":         fmt.Sprintf("%s:x:%d:\n", userName, userID),
		"hosts":         "127.0.0.1 localhost\n",
		"nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
	} {
		if err := os.MkdirAll("/etc", 0o755); err != nil {
			return err
		}
		if err := os.WriteFile("/etc/"+name, []byte(text), 0o444); err != nil {
			return err
		}
	}
	return nil
}

func makeDevices() error {
	for _, d := range devices {
		if err := bindFile(hostDir+"/dev/"+d, "/dev/"+d); err != nil {
			return err
		}
	}
	for name, to := range map[string]string{"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"} {
		if err := os.Symlink(to, "/dev/"+name); err != nil {
			return err
		}
	}
	return nil
}

func mountProc(set setup) error {
	if err := os.Mkdir("/proc", 0o555); err != nil {
		return err
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return err
	}
	limitTasks(set.Limits)
	for _, name := range procReadOnly {
		p := "/proc/" + name
		err := unix.Mount(p, p, "", unix.MS_BIND|unix.MS_REC, "")
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = unix.Mount("", p, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
		}
		if err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
	}
	for _, name := range procMasked {
		p := "/proc/" + name
		if err := unix.Mount("/dev/null", p, "", unix.MS_BIND, ""); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s: %w", p, err)
		}
	}
	return nil
}

// leavePrivate gives the calling thread, which must be locked, a mount namespace without the host's directories, and nothing to
// come back with: what it starts sees the private root and holds no capability.
func leavePrivate() error {
	var s steps
	s.do("copying the mounts", unix.Unshare(unix.CLONE_NEWNS))
	s.do("following "+BuildDir, unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""))
	for _, d := range []string{hostDir, areaDir, spillDir} {
		s.do("leaving "+d, unix.Unmount(d, unix.MNT_DETACH))
	}
	s.do("entering "+BuildDir, unix.Chdir(BuildDir))
	s.do("leaving the session's keys", joinKeyring())
	s.do("dropping capabilities", dropCapabilities())
	return s.err
}

func joinKeyring() error {
	_, err := unix.KeyctlInt(unix.KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) { // no keys in this kernel, or none for containers
		return nil
	}
	return err
}

// dropCapabilities takes all capabilities from the calling thread, and the ways to get any.
func dropCapabilities() error {
	for c := 0; c <= unix.CAP_LAST_CAP; c++ {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(c), 0, 0, 0); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.EPERM) {
			return err
		}
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return err
	}
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&hdr, &none[0]); err != nil {
		return err
	}
	return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
}
