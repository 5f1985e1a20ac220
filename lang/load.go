package lang

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"mbuild.dev/mbuild/cache/vfs"
)

// Request says what to load.
type Request struct {
	Dir      string
	Kinds    Catalog
	Vars     []VarArg                         // -var, in the order given
	VarFiles []string                         // -var-file, in the order given
	Env      func(name string) (string, bool) // os.LookupEnv; nil reads nothing
	Std      Library                          // modules that sources "std/NAME" name; nil has none
	Cache    string                           // file that keeps the evaluated spec; "" keeps none
	FS       vfs.FS                           // where Cache is; nil stands for vfs.OS
	Version  string                           // of the program; another version takes nothing from the cache
}

func (r Request) fsys() vfs.FS {
	if r.FS == nil {
		return vfs.OS
	}
	return r.FS
}

// VarArg is one -var name=value.
type VarArg struct{ Name, Value string }

// Load reads, evaluates and checks the spec of a directory and of the modules it calls. It returns a Spec even beside errors,
// so that tools can look at what is well; the Spec is complete only without errors. An evaluation that takes too long or
// too much memory is given up, and reported where it stood. With Request.Cache, a spec whose every source is as it was is not
// evaluated again.
func Load(ctx context.Context, req Request) (*Spec, hcl.Diagnostics) {
	if spec, diags := readCache(ctx, req); spec != nil {
		return spec, diags
	}
	l := newLoader(req)
	if d := guarded(ctx, l, func() { l.load(ctx) }); d != nil {
		// The evaluation still runs and owns l: nothing of it may be touched.
		return &Spec{Dir: req.Dir, Variables: map[string]any{}, Files: map[string]*hcl.File{}}, hcl.Diagnostics{d}
	}
	if !l.diags.HasErrors() && writeCache(req, l.spec, l.diags) && len(l.spec.Blocks) > manyBlocks {
		// The evaluation of very many blocks leaves ten times as much memory behind as they need: let go of it.
		if spec, diags := readCache(ctx, req); spec != nil {
			spec.Cached = false
			return spec, diags
		}
	}
	return l.spec, l.diags
}

// manyBlocks is from where on a Spec is read back from its cache.
const manyBlocks = 5000

// loader is one Load: what all modules of a spec share.
type loader struct {
	req      Request
	spec     *Spec
	diags    hcl.Diagnostics
	errors   int // reported, repetitions included
	reported map[string]bool
	stack    []frame // what is being evaluated, for cycles
	sources  map[string]*source
	off      map[Addr]bool // blocks with enabled = false
	root     interface{ warn() }
	read     Reads
	position atomic.Pointer[hcl.Range] // where the evaluation stands

	traversals map[hcl.Expression][]hcl.Traversal // see variablesOf
	addrs      map[string]Addr                    // see addrOf
}

func newLoader(req Request) *loader {
	return &loader{req: req, sources: map[string]*source{}, off: map[Addr]bool{}, reported: map[string]bool{}, read: newReads(),
		traversals: map[hcl.Expression][]hcl.Traversal{}, addrs: map[string]Addr{},
		spec: &Spec{Dir: req.Dir, Variables: map[string]any{}, Files: map[string]*hcl.File{}}}
}

// part is a module in its place: the root, or an instance of a module block. There is one for each syntax.
type part interface {
	// outputNames lists the outputs, sorted.
	outputNames() []string
	// output evaluates an output; false when it is broken, which has been reported. from is who asks.
	output(name string, from hcl.Range) (cty.Value, bool)
	// finish evaluates what nobody asked for, and adds the blocks to the spec.
	finish(ctx context.Context)
	// publish adds outputs, settings and variables to the spec; for the root only.
	publish()
}

// given is the value of a module's input, evaluated on demand.
type given struct {
	rng   hcl.Range
	value func() (cty.Value, bool)
}

func (l *loader) load(ctx context.Context) part {
	src := l.openRoot()
	if src == nil || l.diags.HasErrors() {
		return nil
	}
	root := l.place(src, "", nil, nil, hcl.Range{})
	l.root, _ = root.(interface{ warn() })
	if l.diags.HasErrors() {
		return nil
	}
	root.finish(ctx)
	l.spec.sort()
	root.publish()
	if !l.diags.HasErrors() {
		l.checkEdges()
	}
	if !l.diags.HasErrors() {
		l.warnUnused()
	}
	l.spec.Reads = l.read
	return root
}

// place makes an instance of a module. prefix is its address and a dot; inputs is nil for the root, whose variables come from
// outside. from is where it is called, in a file of the user.
func (l *loader) place(src *source, prefix string, inputs map[string]given, chain []string, from hcl.Range) part {
	chain = append(slices.Clone(chain), src.dir)
	if src.cue != nil {
		return l.placeCUE(src, prefix, inputs, chain)
	}
	m := &module{loader: l, src: src, prefix: prefix, inputs: inputs, chain: chain}
	if src.std {
		m.call = &from
	}
	m.declare()
	if inputs == nil {
		m.loadVariables()
	}
	return m
}

// disabled notes a block that is declared and left out.
func (l *loader) disabled(a Addr) { l.off[a] = true }

// report adds a diagnostic; instances of one block that make one mistake make one diagnostic.
func (l *loader) report(d *hcl.Diagnostic) {
	if d.Severity == hcl.DiagError {
		l.errors++
	}
	key := d.Summary + d.Detail
	if d.Subject != nil {
		key += d.Subject.String()
	}
	if !l.reported[key] {
		l.reported[key] = true
		l.diags = append(l.diags, d)
	}
}

// at notes where the evaluation stands, for the report when it does not end.
func (l *loader) at(rng hcl.Range) { l.position.Store(&rng) }

// frame is one step of a chain of evaluations.
type frame struct {
	what string
	rng  hcl.Range
}

// state is how far the evaluation of one thing has come.
type state uint8

const (
	fresh state = iota
	busy
	done
)

// enter pushes a frame unless what is to be evaluated is already being evaluated, which is a cycle and reported.
func (l *loader) enter(st *state, what string, rng hcl.Range) bool {
	if *st == busy {
		l.reportCycle(what, rng)
		return false
	}
	*st = busy
	l.stack = append(l.stack, frame{what, rng})
	return true
}

func (l *loader) leave(st *state) {
	*st = done
	l.stack = l.stack[:len(l.stack)-1]
}

func (l *loader) reportCycle(what string, rng hcl.Range) {
	from := slices.IndexFunc(l.stack, func(f frame) bool { return f.what == what })
	steps := ""
	for _, f := range l.stack[max(from, 0):] {
		steps += fmt.Sprintf("%s (%s:%d) -> ", f.what, f.rng.Filename, f.rng.Start.Line)
	}
	l.report(problem("cycle", rng, "Cycle", "%s needs its own value: %s%s. Break the cycle at one of these places.", what, steps, what))
}
