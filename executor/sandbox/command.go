package sandbox

import (
	"io"
	"time"
)

// Command is a program to run.
type Command struct {
	Args    []string // program and arguments; a program without a slash is looked for in PATH
	Env     []string // the whole environment but for HOME, TMPDIR and PWD, which the sandbox sets
	Inputs  []File
	Outputs []string                       // files, or directories with all that is in them, relative to the command's directory
	Spill   func() (dir string, err error) // gives an existing directory, for outputs that are too large for memory
	Limits  Limits
	Log     io.Writer // standard output and standard error, as they come
}

// Limits bounds what a command and everything it starts may use. Zero is no limit of its own.
type Limits struct {
	Memory    int64 // bytes, of all its processes together, files in memory included
	Processes int   // processes and threads at a time
	CPUs      int   // processors it may run on
}

// DefaultProcesses is the limit of processes where a command has none of its own: enough for a parallel build, and few enough
// for the machine to survive a fork bomb.
const DefaultProcesses = 4096

// File is an input. Either Path is set or the content is Bytes.
type File struct {
	Place      string // where the command finds it, relative to its directory
	Path       string // a file, or a directory, to be made visible there; absolute
	Bytes      []byte
	Directory  bool
	Executable bool
}

// Output is a file that the command left where it declared one.
type Output struct {
	Place      string
	Executable bool
	Bytes      []byte
	Path       string // where the file was spilled to, when it was too large for Bytes
}

// Result says how a command ended. What is wrong with it beside its exit code is listed, not judged.
type Result struct {
	Exit       int    // exit code, -1 after a signal
	Signal     string // "killed", "segmentation fault", …; "" when it exited
	NotFound   string // why the program could not be started at all
	Outputs    []Output
	Problems   []Problem // declared outputs that are missing or no files
	Undeclared []string  // files it left in its directory that are no outputs
	Changed    []string  // inputs that it changed or removed
	Exceeded   string    // the limit that ended it: "memory" or "processes"
	Peak       int64     // largest memory seen, bytes; of the largest process where nothing was watched
	Left       int       // processes that were still running when it ended, and were killed
	Wall       time.Duration
}

// Problem is what is wrong with a declared output.
type Problem struct{ Place, What string }

// OK reports that the command ended well and kept to what it declared.
func (r *Result) OK() bool {
	return r.Exit == 0 && r.NotFound == "" && r.Exceeded == "" && len(r.Problems)+len(r.Undeclared)+len(r.Changed) == 0
}

// smallOutputs bounds the outputs of one command that come back in memory.
const smallOutputs = 1 << 20
