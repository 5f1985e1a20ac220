package cli

import (
	"context"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"mbuild.dev/mbuild/cmd/mbuild/internal/contract"
	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/lang"
	"mbuild.dev/mbuild/lang/lock"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/planner/project"
)

// The values of -lockfile.
const (
	lockUpdate   = "update"
	lockReadonly = "readonly"
)

// lockUnfinished stands for the digest of the lock file in the memory of a project whose external files it does not all have.
const lockUnfinished = "unfinished"

func checkLockMode(mode string) error {
	if mode != "" && mode != lockUpdate && mode != lockReadonly {
		return fmt.Errorf("-lockfile=%s: it is %s or %s", mode, lockUpdate, lockReadonly)
	}
	return nil
}

// hold compares the external files of a graph with the lock file. It returns those that have no entry, which is an error when
// none may be written, and an error for each block that reads a file that is not the one of its entry. in is what inDir says.
func hold(g *planner.Graph, snap *planner.Snapshot, l *lock.File, readonly bool, in string) (unpinned []planner.SourceFile, diags hcl.Diagnostics) {
	type change struct {
		file planner.SourceFile
		sum  lock.Sum
		more []string
	}
	var changes []*change
	byBlock := map[*lang.Block]*change{}
	for _, f := range g.Files {
		if !f.External {
			continue
		}
		sum, ok := l.Sum(f.Path)
		switch c := byBlock[f.Block]; {
		case !ok:
			unpinned = append(unpinned, f)
		case sum.Digest == snap.Files[f.Path].String():
		case c == nil:
			c = &change{file: f, sum: sum}
			byBlock[f.Block], changes = c, append(changes, c)
		default:
			c.more = append(c.more, f.Path)
		}
	}
	for _, c := range changes {
		also := ""
		if len(c.more) > 0 {
			also = some(" Others than the pinned ones are also ", c.more) + "."
		}
		what := path.Dir(c.file.Path)
		if what == "." {
			what = c.file.Path
		}
		diags = append(diags, lang.Errorf("integrity", c.file.Block.Addr, c.file.Block.RangeOf(c.file.At, false), "Not the pinned file",
			"%s has the digest %s, and line %d of %s pins %s.%s Put the pinned file back; or, if the change is meant, look at what it is and pin what is there with: mbuild%s lock %s",
			c.file.Path, snap.Files[c.file.Path], c.sum.Range.Start.Line, lock.Name, c.sum.Digest, also, in, what))
	}
	if readonly {
		seen := map[*lang.Block]bool{}
		for _, f := range unpinned {
			if !seen[f.Block] {
				seen[f.Block] = true
				diags = append(diags, lang.Errorf("unpinned", f.Block.Addr, f.Block.RangeOf(f.At, false), "File is not pinned",
					"%s has no digest of %s, and -lockfile=%s adds none. Run mbuild%s lock where the right file is, and check %s in.", lock.Name, f.Path, lockReadonly, in, lock.Name))
			}
		}
	}
	return unpinned, diags
}

// swapped returns errors about external files that are not the pinned ones: where a spec does not fit a checkpoint, that may be why.
func (a *app) swapped(ctx context.Context, w *work, g *planner.Graph) hcl.Diagnostics {
	l, diags := lock.Read(a.dir)
	if diags.HasErrors() || g == nil {
		return diags
	}
	var files []planner.SourceFile
	for _, f := range g.Files {
		if _, ok := l.Sum(f.Path); ok && f.External {
			files = append(files, f)
		}
	}
	snap, d := planner.TakeSnapshot(ctx, a.dir, files, w.knownFile)
	if d.HasErrors() {
		return nil
	}
	_, d = hold(&planner.Graph{Files: files}, snap, l, false, a.inDir())
	return d
}

// pinUsed writes the digests of files that the lock file does not have, and that an action has read without a failure. A lock file
// that cannot be written is a warning: what was built stands.
func (a *app) pinUsed(w *work, res *executor.Result) []contract.Pin {
	if len(w.plan.Unpinned) == 0 {
		return nil
	}
	used := map[string]bool{}
	for _, act := range w.plan.Graph.Actions {
		if act.Kind.External && res.Results[act.Index] != nil {
			for i := range act.Inputs {
				used[act.Inputs[i].File] = true
			}
		}
	}
	l, diags := lock.Read(a.dir) // another apply may have written it since
	if diags.HasErrors() {
		a.warn("nothing was pinned in "+lock.Name, diags)
		return nil
	}
	sums, left := map[string]string{}, 0
	var pins []contract.Pin
	for _, f := range w.plan.Unpinned {
		if _, ok := l.Sum(f.Path); ok {
			continue
		}
		if !used[f.Path] {
			left++
			continue
		}
		d := w.plan.Snapshot.Files[f.Path].String()
		sums[f.Path], pins = d, append(pins, contract.Pin{Path: f.Path, Digest: d})
	}
	if err := l.Lock(sums); err != nil {
		a.warn("nothing was pinned in "+lock.Name, err)
		return nil
	}
	if left == 0 {
		w.plan.Unpinned = nil
	}
	return pins
}

// lockOf is what the memory of a project keeps of the lock file.
func (a *app) lockOf(p *planner.Plan) string {
	if len(p.Unpinned) > 0 {
		return lockUnfinished
	}
	return lockDigest(a.dir)
}

func (a *app) lockCmd() *cobra.Command {
	var remove bool
	c := &cobra.Command{
		Use:   "lock [PATH]...",
		Short: "Pin the checkpoints and tokenizers that the spec reads, as they are now",
		Long: "lock writes the digests of the files that blocks model \"pretrained\", \"onnx\" and \"peft\" and tokenizer \"pretrained\" read into\n" +
			lock.Name + ", in the place of those that it had; with PATHs, files or directories as the spec names them, of these alone. Check\n" +
			"the file in: where a file is not the pinned one, plan and apply refuse it. apply pins what has no entry yet, unless it is given\n" +
			"-lockfile=readonly. Entries of files that the spec does not read now, with other values of variables perhaps, stay.",
		RunE: func(cmd *cobra.Command, args []string) error {
			for i, p := range args {
				args[i] = path.Clean(filepath.ToSlash(p))
			}
			l, diags := lock.Read(a.dir)
			if diags.HasErrors() {
				return a.report(nil, diags)
			}
			if remove {
				return a.unlock(l, args)
			}
			return a.lock(cmd.Context(), l, args)
		},
	}
	c.Flags().BoolVar(&remove, "remove", false, "take the entries of the PATHs out")
	return c
}

// lock pins the external files of the spec that are at paths, all when there are none.
func (a *app) lock(ctx context.Context, l *lock.File, paths []string) error {
	spec, graph, diags, err := a.load(ctx, planner.Sight{})
	if err != nil {
		return err
	}
	if diags.HasErrors() {
		return a.report(spec, diags)
	}
	p := project.Open(a.fs, a.dir)
	defer p.Close()
	var files []planner.SourceFile
	for _, f := range graph.Files {
		if f.External && among(paths, f.Path) {
			files = append(files, f)
		}
	}
	for _, arg := range paths {
		if !slices.ContainsFunc(files, func(f planner.SourceFile) bool { return lock.Within(arg, f.Path) }) {
			return fmt.Errorf("no block reads a checkpoint or tokenizer at %s. Write paths as the spec does, relative to its directory", arg)
		}
	}
	snap, d := planner.TakeSnapshot(ctx, a.dir, files, (&work{project: p}).knownFile)
	if d.HasErrors() {
		return a.report(spec, d)
	}
	doc := contract.Lock{FormatVersion: contract.FormatVersion, Path: lock.Name, Pins: []contract.Pin{}}
	sums := map[string]string{}
	for _, f := range files {
		pin := contract.Pin{Path: f.Path, Digest: snap.Files[f.Path].String(), Change: contract.PinAdded}
		if old, ok := l.Sum(f.Path); ok && old.Digest == pin.Digest {
			pin.Change = contract.PinKept
		} else if ok {
			pin.Change, pin.Before = contract.PinChanged, old.Digest
		}
		if pin.Change != contract.PinKept {
			sums[f.Path] = pin.Digest
		}
		doc.Pins = append(doc.Pins, pin)
	}
	for _, s := range l.Sums {
		if among(paths, s.Path) && !slices.ContainsFunc(files, func(f planner.SourceFile) bool { return lock.Within(s.Path, f.Path) }) {
			doc.Pins = append(doc.Pins, contract.Pin{Path: s.Path, Digest: s.Digest, Change: contract.PinUnread})
		}
	}
	if err := l.Lock(sums); err != nil {
		return err
	}
	return a.printLock(doc)
}

// unlock removes the entries of paths.
func (a *app) unlock(l *lock.File, paths []string) error {
	if len(paths) == 0 {
		return fmt.Errorf("-remove needs the paths of files or directories whose entries are to go")
	}
	for _, arg := range paths {
		if !slices.ContainsFunc(l.Sums, func(s lock.Sum) bool { return lock.Within(arg, s.Path) }) {
			return fmt.Errorf("%s has no entry of %s", lock.Name, arg)
		}
	}
	doc := contract.Lock{FormatVersion: contract.FormatVersion, Path: lock.Name, Pins: []contract.Pin{}}
	was := slices.Clone(l.Sums)
	gone, err := l.Unlock(paths...)
	if err != nil {
		return err
	}
	for _, s := range was {
		if slices.Contains(gone, s.Path) {
			doc.Pins = append(doc.Pins, contract.Pin{Path: s.Path, Digest: s.Digest, Change: contract.PinRemoved})
		}
	}
	return a.printLock(doc)
}

func among(paths []string, file string) bool {
	return len(paths) == 0 || slices.ContainsFunc(paths, func(p string) bool { return lock.Within(p, file) })
}

func (a *app) printLock(doc contract.Lock) error {
	slices.SortFunc(doc.Pins, func(x, y contract.Pin) int { return strings.Compare(x.Path, y.Path) })
	if a.json {
		return a.writeJSON(doc)
	}
	a.view().Lock(doc)
	return nil
}
