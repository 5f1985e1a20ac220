package cli

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/cmd/mbuild/internal/contract"
	"mbuild.dev/mbuild/cmd/mbuild/internal/view"
	"mbuild.dev/mbuild/lang"
	"mbuild.dev/mbuild/lang/lock"
)

// planFile is what plan -out writes: the plan as a document, and how to make it again. apply makes it again and refuses when it
// came out different, naming what moved; so what runs is what was shown.
//
// On disk it is one line, "mbuild plan 1 <SHA-256 of the rest in hexadecimal>", and this as JSON. Values of sensitive variables
// are never in it; Secrets names them, and whoever applies gives them again.
type planFile struct {
	Plan     *contract.Plan    `json:"plan"`
	Dir      string            `json:"dir"`
	Vars     []string          `json:"vars"`
	Env      map[string]string `json:"env"` // values that MBUILD_VAR_name gave, by name
	Secrets  []string          `json:"secrets"`
	VarFiles []string          `json:"var_files"`
	Targets  []string          `json:"targets"`
	Exclude  []string          `json:"exclude"`
	Replace  []string          `json:"replace"`
	NoCache  bool              `json:"no_cache"`
	Backend  string            `json:"backend"` // that -backend or MBUILD_BACKEND asked for, "" when neither did
	Lock     string            `json:"lock"`    // digest of the lock file, "" when there is none
	Lockfile string            `json:"lockfile"`
}

const (
	planMagic  = "mbuild plan "
	planFormat = "1"
)

// newPlanFile gathers what it takes to make the plan again.
func (a *app) newPlanFile(w *work, f planFlags, doc *contract.Plan) planFile {
	p := planFile{Plan: doc, Dir: a.dir, VarFiles: a.varFiles, Targets: f.targets, Exclude: f.exclude, Replace: f.replace, NoCache: f.noCache,
		Env: map[string]string{}, Backend: a.asked(), Lock: lockDigest(a.dir), Lockfile: f.lockfile}
	for name, v := range w.spec.Variables {
		text, given := os.LookupEnv("MBUILD_VAR_" + name)
		switch {
		case v == lang.Hidden:
			p.Secrets = append(p.Secrets, name)
		case given:
			p.Env[name] = text
		}
	}
	slices.Sort(p.Secrets)
	for _, v := range a.vars {
		if name, _, _ := strings.Cut(v, "="); !slices.Contains(p.Secrets, name) {
			p.Vars = append(p.Vars, v)
		}
	}
	return p
}

func lockDigest(dir string) string {
	b, err := os.ReadFile(filepath.Join(dir, lock.Name))
	if err != nil {
		return ""
	}
	return cache.Sum(b).String()
}

// write puts the file in place in one step.
func (p planFile) write(path string) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("-out %s: it exists and is no regular file", path)
	}
	body, err := json.MarshalIndent(p, "", " ")
	if err != nil {
		return err
	}
	sum := sha256.Sum256(body)
	tmp, err := os.CreateTemp(filepath.Dir(path), ".mbuild-plan-") // readable by its owner only
	if err != nil {
		return fmt.Errorf("-out %s: %w", path, err)
	}
	defer os.Remove(tmp.Name())
	_, err = fmt.Fprintf(tmp, "%s%s %s\n%s", planMagic, planFormat, hex.EncodeToString(sum[:]), body)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("-out %s: %w", path, err)
	}
	return nil
}

// readPlanFile reads a plan file and refuses what is none, of another format, or not as it was written.
func readPlanFile(path string) (*planFile, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no plan file %s. Make one with mbuild plan -out %s", path, path)
	}
	if err != nil {
		return nil, err
	}
	return parsePlanFile(path, b)
}

func parsePlanFile(path string, b []byte) (*planFile, error) {
	head, body, _ := bytes.Cut(b, []byte("\n"))
	rest, ok := strings.CutPrefix(string(head), planMagic)
	if !ok {
		return nil, fmt.Errorf("%s is no plan file of mbuild", path)
	}
	format, sum, _ := strings.Cut(rest, " ")
	if format != planFormat {
		return nil, fmt.Errorf("%s is a plan file of format %q, and this mbuild reads format %s. Make the plan with the mbuild that applies it", path, format, planFormat)
	}
	if now := sha256.Sum256(body); hex.EncodeToString(now[:]) != sum {
		return nil, fmt.Errorf("%s is damaged: it is not as it was written. Make a new one with mbuild plan -out", path)
	}
	p := new(planFile)
	if err := json.Unmarshal(body, p); err != nil || p.Plan == nil || p.Plan.FormatVersion != contract.FormatVersion {
		return nil, fmt.Errorf("%s is no plan file of this version of mbuild", path)
	}
	return p, nil
}

// adopt sets the flags to those that the plan was made with. What is given beside the file must not contradict it: values of
// sensitive variables are the only thing that a plan leaves open.
func (a *app) adopt(p *planFile, f *planFlags, cmd *cobra.Command) error {
	for _, name := range []string{"target", "exclude", "replace", "no-cache", "var-file", "backend", "lockfile"} {
		if fl := cmd.Flags().Lookup(name); fl != nil && fl.Changed {
			return fmt.Errorf("-%s belongs to plan: a plan file has it already. Make another plan, or apply without a file", name)
		}
	}
	for _, v := range a.vars {
		if name, _, _ := strings.Cut(v, "="); !slices.Contains(p.Secrets, name) {
			return fmt.Errorf("-var %s belongs to plan: a plan file has the values of all variables but sensitive ones", name)
		}
	}
	if fl := cmd.Flags().Lookup("chdir"); fl == nil || !fl.Changed {
		a.dir = p.Dir
	}
	a.vars, a.varFiles, a.backend = append(slices.Clone(p.Vars), a.vars...), p.VarFiles, p.Backend
	a.env = func(name string) (string, bool) {
		if name == envBackend {
			return "", false // the plan was made without
		}
		variable, ok := strings.CutPrefix(name, "MBUILD_VAR_")
		if !ok || slices.Contains(p.Secrets, variable) {
			return os.LookupEnv(name)
		}
		text, ok := p.Env[variable]
		return text, ok
	}
	*f = planFlags{jobs: f.jobs, targets: p.Targets, exclude: p.Exclude, replace: p.Replace, noCache: p.NoCache, lockfile: p.Lockfile}
	return nil
}

// moved says what is not as it was when the plan was written, in words; none when the plan would do the same now.
func (p *planFile) moved(now *contract.Plan, locked string) []string {
	was := p.Plan
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if was.MbuildVersion != now.MbuildVersion {
		add("it was made by mbuild %s, and this is %s", was.MbuildVersion, now.MbuildVersion)
	}
	if p.Lock != locked {
		add("the lock file %s has changed", lock.Name)
	}
	if was.Toolchain != now.Toolchain {
		for _, r := range was.Toolchain.Diff(now.Toolchain) {
			add("the %s", view.ReasonText(r))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(now.Variables)) {
		if x, y := jsonText(plainJSON(was.Variables[name])), jsonText(plainJSON(now.Variables[name])); x != y {
			add("the variable %q was %s and is %s", name, x, y)
		}
	}
	d := compareActions(was.Actions, now.Actions)
	for _, f := range slices.Sorted(maps.Keys(d.sources)) {
		add("the source %q has changed", f)
	}
	if was.SpecDigest != now.SpecDigest {
		add("the spec has changed%s%s", some(": ", d.actions), some("; were the values of these sensitive variables the same: ", p.Secrets))
	} else if len(d.actions) > 0 && len(out) == 0 {
		add("the keys are others%s", some(" of ", d.actions))
	}
	if len(d.built) > 0 {
		add("the store has by now%s", some(" the results of ", d.built))
	}
	if len(d.gone) > 0 {
		add("the store no longer has%s", some(" the results of ", d.gone))
	}
	if !reflect.DeepEqual(driftPaths(was), driftPaths(now)) {
		add("the artifacts in the project have changed%s", some(": ", changedPaths(driftPaths(was), driftPaths(now))))
	}
	return out
}

// plainJSON is a value as JSON documents hold it, so that one that was read equals one that was not.
func plainJSON(v any) any {
	b, err := json.Marshal(v)
	if err != nil {
		return v
	}
	var out any
	if json.Unmarshal(b, &out) != nil {
		return v
	}
	return out
}

// difference is how the actions of two plans differ.
type difference struct {
	sources              map[string]bool // files with other contents
	actions, built, gone []string
}

func compareActions(was, now []contract.Action) difference {
	d := difference{sources: map[string]bool{}}
	before := make(map[string]contract.Action, len(was))
	for _, x := range was {
		before[x.Address] = x
	}
	for _, y := range now {
		x, ok := before[y.Address]
		if !ok {
			d.actions = append(d.actions, y.Address)
			continue
		}
		delete(before, y.Address)
		found := false
		for name, in := range y.Inputs {
			if file, isFile := strings.CutPrefix(in.From, "file:"); isFile && deref(in.Digest) != deref(x.Inputs[name].Digest) {
				d.sources[file], found = true, true
			}
		}
		switch {
		case found:
		case deref(x.Key) != deref(y.Key):
			if x.Key != nil && y.Key != nil || x.Status == y.Status {
				d.actions = append(d.actions, y.Address)
			}
		case x.Status == y.Status:
		case y.Status == "cached":
			d.built = append(d.built, y.Address)
		default:
			d.gone = append(d.gone, y.Address)
		}
	}
	d.actions = append(d.actions, slices.Sorted(maps.Keys(before))...)
	return d
}

func driftPaths(p *contract.Plan) map[string]string {
	m := map[string]string{}
	for _, d := range p.Drift {
		m[d.Path] = d.Change + d.Detail
	}
	return m
}

func changedPaths(a, b map[string]string) []string {
	var out []string
	for p, c := range b {
		if a[p] != c {
			out = append(out, p)
		}
	}
	for p := range a {
		if _, ok := b[p]; !ok {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out
}

// some lists the first names of many, after a lead.
func some(lead string, names []string) string {
	switch n := len(names); {
	case n == 0:
		return ""
	case n > 3:
		return fmt.Sprintf("%s%s and %d more", lead, strings.Join(names[:3], ", "), n-3)
	}
	return lead + strings.Join(names, ", ")
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
