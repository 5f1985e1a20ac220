package lang

import (
	"strings"
)

// Reads is everything outside the request that a Load looked at: as long as all of it is the same, so is the Spec.
type Reads struct {
	Files map[string]string `json:"files"` // path relative to the spec's directory, or absolute -> digest; "" for a file that was not there
	Lists map[string]string `json:"lists"` // directory -> names of its spec files and automatic variable files
	Globs map[string]string `json:"globs"` // pattern -> names that match
	Env   map[string]string `json:"env"`   // variable -> digest of its value; "" for one that was not set
	Given map[string]bool   `json:"given"` // those Files that the command line names, relative to where the command runs
}

// autoList stands in Lists for the automatic variable files.
const autoList = "*.auto.mbvars"

func newReads() Reads {
	return Reads{Files: map[string]string{}, Lists: map[string]string{}, Globs: map[string]string{}, Env: map[string]string{}, Given: map[string]bool{}}
}

func (r *Reads) file(path string, content []byte) { r.Files[path] = digestOf(content) }
func (r *Reads) missing(path string)              { r.Files[path] = "" }
func (r *Reads) list(dir string, names []string)  { r.Lists[dir] = strings.Join(names, "\n") }
func (r *Reads) glob(pattern string, names []string) {
	r.Globs[pattern] = strings.Join(names, "\n")
}

func (r *Reads) env(name, value string, set bool) {
	r.Env[name] = ""
	if set {
		r.Env[name] = digestOf([]byte(value))
	}
}
