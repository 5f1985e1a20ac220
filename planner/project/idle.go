package project

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"mbuild.dev/mbuild/planner"
)

// Idle is the memory of a plan in which everything was cached. As long as nothing that it looked at has changed, the next plan
// says the same, and does not have to be made: a second apply costs a look at each source, not an evaluation of each action.
//
// What it looked at: the spec (Spec, which package lang wrote and can tell to be as it was), the backend, the sources, the
// store (Store, which the store wrote) and the artifacts. Whoever uses it checks all five.
type Idle struct {
	Spec      []byte            `json:"spec"`
	Backend   string            `json:"backend"` // as the spec asks for it, "" when it does not
	Toolchain planner.Toolchain `json:"toolchain"`
	Sources   string            `json:"sources"` // a line a file: path, size, mtime, inode, separated by tabs
	Store     []byte            `json:"store"`
	Artifacts map[string]string `json:"artifacts"` // path -> planner.StatTree
	Result    []byte            `json:"result"`    // what an apply would report
	Actions   int               `json:"actions"`
}

const idleFile = "idle.json"

// LoadIdle reads the memory of the project in dir; false when there is none.
func LoadIdle(dir string) (*Idle, bool) {
	p := &Project{dir: filepath.Join(dir, Dir)}
	var i Idle
	read(p, idleFile, &i)
	return &i, i.Actions > 0
}

// SaveIdle keeps the memory, or forgets it when i is nil. What goes wrong only costs time.
func (p *Project) SaveIdle(i *Idle) {
	if i == nil {
		os.Remove(p.Path(idleFile))
		return
	}
	_ = write(p, idleFile, *i)
}

// SourceLines writes the sources of a snapshot; false when one of them is too young to be told by its time.
func SourceLines(s *planner.Snapshot) (string, bool) {
	var b strings.Builder
	for path, st := range s.Stats {
		if !st.Ripe() || strings.ContainsAny(path, "\t\n") {
			return "", false
		}
		b.WriteString(path)
		for _, n := range []int64{st.Size, st.ModTime, int64(st.Inode)} {
			b.WriteByte('\t')
			b.WriteString(strconv.FormatInt(n, 10))
		}
		b.WriteByte('\n')
	}
	return b.String(), true
}

// SourcesUnchanged holds the lines against the files below dir, on all cores.
func (i *Idle) SourcesUnchanged(dir string) bool {
	lines := strings.Split(strings.TrimSuffix(i.Sources, "\n"), "\n")
	if i.Sources == "" {
		return true
	}
	return planner.AllUnchanged(len(lines), func(k int) (string, planner.FileStat, bool) {
		f := strings.Split(lines[k], "\t")
		if len(f) != 4 {
			return "", planner.FileStat{}, false
		}
		size, err1 := strconv.ParseInt(f[1], 10, 64)
		mtime, err2 := strconv.ParseInt(f[2], 10, 64)
		inode, err3 := strconv.ParseInt(f[3], 10, 64)
		return filepath.Join(dir, filepath.FromSlash(f[0])), planner.FileStat{Size: size, ModTime: mtime, Inode: uint64(inode)}, err1 == nil && err2 == nil && err3 == nil
	})
}
