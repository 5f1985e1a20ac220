// Package faulty is a disk in memory for tests of what must survive its failures. Processes (Process) work on one Disk through
// vfs.FS. A process can be made to die at its k-th change, also in the middle of a write; the power can fail (Disk.PowerLoss), and what
// was not synced is then lost or torn, in any order; operations can be made to fail as those of a full or broken disk do.
//
// It deliberately knows nothing of who uses it. The nouns in the order in which they appear: a Disk with its nodes and names, a
// Process with its Plan, and the Ops that a plan sees.
//
// The model is harsher than file systems are: names and data that were not synced survive a power loss independently of each
// other, and inode numbers are used again at once. What it does not have: directories that are renamed, symbolic links, maps.
package faulty

import (
	"io/fs"
	"maps"
	"math/rand"
	"path/filepath"
	"sync"
)

// Disk is a file system in memory.
type Disk struct {
	mu      sync.Mutex
	freed   *sync.Cond // a lock was given back
	names   map[string]*node
	durable map[string]*node // the names that a power loss leaves
	pending []renaming       // changes of names since
	inodes  map[uint64]bool
	clock   int64
	boot    uint64
	temps   int

	processes []*Process
}

// node is a file or a directory.
type node struct {
	inode   uint64
	dir     bool
	mode    fs.FileMode
	data    []byte
	durable []byte   // what a power loss leaves
	pending []change // since
	mtime   int64
	links   int
	open    int
	locked  *handle
	ranges  []lockRange
}

// change is a write that was not synced.
type change struct {
	at   int64
	data []byte
}

// renaming is a change of names in one step; a nil node removes the name.
type renaming map[string]*node

type lockRange struct {
	at, n  int64
	shared bool
	owner  *handle
}

// New returns an empty disk.
func New() *Disk {
	d := &Disk{names: map[string]*node{}, durable: map[string]*node{}, inodes: map[uint64]bool{}, clock: 1e18, boot: 1}
	d.freed = sync.NewCond(&d.mu)
	d.names["/"] = d.newNode(true, 0o755)
	d.durable["/"] = d.names["/"]
	return d
}

// SetClock sets the time of what is written from now on, in nanoseconds since 1970.
func (d *Disk) SetClock(ns int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.clock = ns
}

func (d *Disk) newNode(dir bool, mode fs.FileMode) *node {
	n := uint64(1)
	for d.inodes[n] {
		n++
	}
	d.inodes[n] = true
	d.clock++
	return &node{inode: n, dir: dir, mode: mode.Perm(), mtime: d.clock}
}

// apply changes names. The caller holds mu.
func (d *Disk) apply(r renaming) {
	for name, n := range r {
		if old := d.names[name]; old != nil {
			old.links--
			d.release(old)
		}
		if n == nil {
			delete(d.names, name)
			continue
		}
		n.links++
		d.names[name] = n
	}
	d.pending = append(d.pending, r)
}

// release frees the inode number of a node that nobody can reach.
func (d *Disk) release(n *node) {
	if n.links == 0 && n.open == 0 {
		delete(d.inodes, n.inode)
	}
}

// write changes the data of a node. The caller holds mu.
func (d *Disk) write(n *node, at int64, data []byte) {
	d.clock++
	n.mtime = d.clock
	n.data = overwrite(n.data, at, data)
	n.pending = append(n.pending, change{at, append([]byte(nil), data...)})
}

func overwrite(b []byte, at int64, data []byte) []byte {
	if end := at + int64(len(data)); end > int64(len(b)) {
		b = append(b, make([]byte, end-int64(len(b)))...)
	}
	copy(b[at:], data)
	return b
}

// Sync makes everything durable, as a disk does that is left alone for a while.
func (d *Disk) Sync() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.durable, d.pending = maps.Clone(d.names), nil
	for _, n := range d.names {
		n.sync()
	}
}

func (n *node) sync() { n.durable, n.pending = append([]byte(nil), n.data...), nil }

// PowerLoss ends all processes, loses or tears what was not synced as the seed decides, and starts the machine anew. Of the first seeds,
// 0 loses everything, 1 loses nothing, 2 loses all data but no names, 3 all names but no data.
func (d *Disk) PowerLoss(seed int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range d.processes {
		p.die()
	}
	d.processes = nil
	r := rand.New(rand.NewSource(seed))
	names, data := r.Float64(), r.Float64()
	switch seed {
	case 0, 1:
		names, data = float64(seed), float64(seed)
	case 2, 3:
		names, data = float64(3-seed), float64(seed-2)
	}
	nodes := map[*node]bool{}
	for _, n := range d.durable {
		nodes[n] = true
	}
	for _, p := range d.pending {
		for _, n := range p {
			if n != nil {
				nodes[n] = true
			}
		}
		if r.Float64() >= names {
			continue
		}
		for name, n := range p {
			if n == nil {
				delete(d.durable, name)
				continue
			}
			d.durable[name] = n
			for dir := filepath.Dir(name); d.durable[dir] == nil; dir = filepath.Dir(dir) {
				d.durable[dir] = d.newNode(true, 0o755)
			}
		}
	}
	for n := range nodes {
		n.tear(r, data)
		n.links, n.open, n.locked, n.ranges = 0, 0, nil, nil
	}
	d.names, d.pending = maps.Clone(d.durable), nil
	d.inodes = map[uint64]bool{}
	for _, n := range d.names {
		n.links++
		d.inodes[n.inode] = true
	}
	d.boot++
	d.freed.Broadcast()
}

// tear leaves a part of the changes: each whole with a probability, else not at all, in its place zeros, or some of its sectors.
func (n *node) tear(r *rand.Rand, keep float64) {
	const sector = 512
	for _, c := range n.pending {
		if r.Float64() < keep {
			n.durable = overwrite(n.durable, c.at, c.data)
			continue
		}
		if keep == 0 || r.Intn(3) == 0 {
			continue
		}
		torn := append([]byte(nil), c.data...)
		zeros := r.Intn(2) == 0
		for at := 0; at < len(torn); at += sector {
			if zeros || r.Intn(2) == 0 {
				clear(torn[at:min(at+sector, len(torn))])
			}
		}
		n.durable = overwrite(n.durable, c.at, torn[:len(torn)-r.Intn(len(torn)/2+1)])
	}
	n.data, n.pending = append([]byte(nil), n.durable...), nil
}
