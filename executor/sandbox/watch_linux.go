package sandbox

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A command that runs for less than a look apart is over before anything is worth one.
const look = 50 * time.Millisecond

// watcher adds up what all processes of a command use, which no limit of a single process bounds. Control groups would do that
// in the kernel, but few machines hand one to an ordinary user; adding up works on all.
type watcher struct {
	h       *host
	mu      sync.Mutex
	running bool
	since   time.Time

	exceeded string
	peak     int64
}

func newWatcher(h *host) *watcher {
	w := &watcher{h: h}
	go w.follow()
	return w
}

func (w *watcher) begin() {
	if w == nil {
		return
	}
	w.mu.Lock()
	w.running, w.since, w.exceeded, w.peak = true, time.Now(), "", 0
	w.mu.Unlock()
}

// end stops watching and says what was exceeded.
func (w *watcher) end() (exceeded string, peak int64) {
	if w == nil {
		return "", 0
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running = false
	return w.exceeded, w.peak
}

func (w *watcher) follow() {
	for range time.Tick(look) {
		w.mu.Lock()
		if w.running && time.Since(w.since) > look/2 {
			if w.exceeded == "" {
				w.exceeded = w.look()
			}
			if w.exceeded != "" { // again and again: in the guarded mode new ones may have come while we looked
				w.h.kill()
			}
		}
		w.mu.Unlock()
	}
}

// look names the limit that is exceeded now.
func (w *watcher) look() string {
	var memory int64
	tasks := 0
	for _, p := range descendants(os.Getpid()) {
		tasks += p.threads
		memory += p.memory
	}
	if w.h.set.Area == "" {
		var st unix.Statfs_t
		if unix.Statfs(areaDir, &st) == nil {
			memory += int64(st.Blocks-st.Bfree) * st.Bsize
		}
	}
	w.peak = max(w.peak, memory)
	switch l := w.h.set.Limits; {
	case l.Memory > 0 && memory > l.Memory:
		return "memory"
	case l.Processes > 0 && tasks > l.Processes:
		return "processes"
	}
	return ""
}

// process is what /proc says of one.
type process struct {
	pid, parent, threads int
	memory               int64 // resident and not shared with files
}

// descendants lists the processes below one. In a namespace of its own these are all.
func descendants(root int) []process {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	byParent := map[int][]process{}
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil && pid != root {
			if p, ok := readProcess(pid); ok {
				byParent[p.parent] = append(byParent[p.parent], p)
			}
		}
	}
	all := byParent[root]
	for i := 0; i < len(all); i++ {
		all = append(all, byParent[all[i].pid]...)
	}
	return all
}

func readProcess(pid int) (process, bool) {
	p := process{pid: pid}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	i := bytes.LastIndexByte(stat, ')') // the name before it may hold anything
	if err != nil || i < 0 {
		return p, false
	}
	f := bytes.Fields(stat[i+1:])
	if len(f) < 18 {
		return p, false
	}
	p.parent, _ = strconv.Atoi(string(f[1]))
	p.threads, _ = strconv.Atoi(string(f[17]))
	statm, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm")
	if m := bytes.Fields(statm); err == nil && len(m) > 2 {
		resident, _ := strconv.ParseInt(string(m[1]), 10, 64)
		shared, _ := strconv.ParseInt(string(m[2]), 10, 64)
		p.memory = (resident - shared) * int64(os.Getpagesize())
	}
	return p, true
}

// ipcLeft reports System V objects that a command has left in the slot's namespace: they would be there for the next one.
func ipcLeft() error {
	const shmInfo, semInfo, msgInfo = 14, 19, 12 // SHM_INFO, SEM_INFO, MSG_INFO
	var buf [64]int32                            // room for struct shm_info, seminfo or msginfo
	_, _, e1 := unix.Syscall(unix.SYS_SHMCTL, 0, shmInfo, uintptr(unsafe.Pointer(&buf)))
	used := buf[0] // used_ids
	_, _, e2 := unix.Syscall6(unix.SYS_SEMCTL, 0, 0, semInfo, uintptr(unsafe.Pointer(&buf)), 0, 0)
	used += buf[7] // semusz: the number of sets
	_, _, e3 := unix.Syscall(unix.SYS_MSGCTL, 0, msgInfo, uintptr(unsafe.Pointer(&buf)))
	used += buf[0] // msgpool: the number of queues
	for _, e := range []unix.Errno{e1, e2, e3} {
		if e == unix.ENOSYS {
			return nil // a kernel without them
		}
		if e != 0 {
			return e
		}
	}
	if used > 0 {
		return errors.New("shared memory, semaphores or message queues are left")
	}
	return nil
}
