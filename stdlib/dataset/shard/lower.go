package shard

import (
	"context"
	"fmt"
	"strconv"

	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
)

// Source is what one read action reads: its inputs, and in which split its rows go.
type Source struct {
	Inputs []planner.Input
	Split  int            // 0 to be dealt out, 1 valid, 2 test
	Params map[string]any // beside those of all
}

// Spec is what a kind asks for.
type Spec struct {
	Sources []Source       // those of split 0 first, then 1, then 2
	Read    map[string]any // parameters of every read action
	Join    map[string]any // parameters of the join beside parts
	Tables  []planner.Input
}

// joinNames are the attributes of blocks that only the join needs.
var joinNames = []string{"split", "leaks", "max_rows", "classes"}

// Params are the attributes of the block as parameters of the two actions, without the named ones.
func Params(l *planner.Lowering, without ...string) (read, join map[string]any) {
	read, join = l.Params(append(without, joinNames...)...), map[string]any{}
	for _, n := range joinNames {
		if v := l.Attr(n); v != nil {
			join[n] = v
		}
	}
	return read, join
}

// Files are the files of an attribute as sources of a split, an action a file.
func Files(l *planner.Lowering, attr string, split int) []Source {
	files, _ := l.Attr(attr).([]any)
	var out []Source
	for i, f := range files {
		out = append(out, Source{Inputs: []planner.Input{l.File("file", f.(string), attr+"."+strconv.Itoa(i))}, Split: split})
	}
	return out
}

// FileSources are the files of a block's files, valid_files and test_files.
func FileSources(l *planner.Lowering) []Source {
	return append(append(Files(l, "files", 0), Files(l, "valid_files", 1)...), Files(l, "test_files", 2)...)
}

// Lower emits the actions.
func Lower(l *planner.Lowering, s Spec) {
	out := []planner.OutputDecl{{Name: "data", MediaType: dataset.MediaType, Directory: true}}
	join := planner.Action{Verb: "join", Params: s.Join, Outputs: out}
	parts := []any{int64(0), int64(0), int64(0)}
	for i, src := range s.Sources {
		params := map[string]any{}
		for _, m := range []map[string]any{s.Read, src.Params} {
			for k, v := range m {
				params[k] = v
			}
		}
		a := l.Emit(fmt.Sprintf("read[%d]", i), planner.Action{Verb: "read", Params: params, Inputs: src.Inputs, Series: "read", Outputs: out})
		join.Inputs = append(join.Inputs, planner.Input{Name: "shard" + strconv.Itoa(i), Source: planner.Source{Action: a, Output: "data"}})
		parts[src.Split] = parts[src.Split].(int64) + 1
	}
	join.Inputs = append(join.Inputs, s.Tables...)
	join.Params["parts"] = parts
	l.Bind("data", l.Emit("join", join), "data")
}

// CheckSplit reports fractions that do not sum to 1, or that ask for rows which have files of their own.
func CheckSplit(l *planner.Lowering, given map[string]string) {
	split, _ := l.Attr("split").(map[string]any)
	if split == nil {
		return
	}
	var f dataset.Fractions
	if err := executor.BindParams(split, &f); err != nil {
		return
	}
	if sum := f.Sum(); sum < 1-1e-9 || sum > 1+1e-9 {
		l.Errorf("split", "bad-split", "Split does not sum to 1", "train, valid and test are %v, %v and %v: together %.10g. They must sum to 1.", f.Train, f.Valid, f.Test, sum)
	}
	for part, share := range map[string]float64{"valid": f.Valid, "test": f.Test} {
		if attr := given[part]; attr != "" && l.Attr(attr) != nil && share > 0 {
			l.Errorf("split."+part, "conflict", "Split given twice", "The %s split is what %s gives, so none of the other rows can go there. Remove split.%s, or %s.", part, attr, part, attr)
		}
	}
	if f.Group != "" && f.By == "content" {
		l.Errorf("split.group", "conflict", "Group and content", "Rows are dealt out by group or by content, not both. Remove by, or group.")
	}
}

// Kind makes a kind of the family: read makes a shard of one source.
func Kind(k planner.Kind, read func(context.Context, *executor.Job) error, lower func(*planner.Lowering) hcl.Diagnostics) *executor.Kind {
	k.Family, k.Determinism, k.Lower = "dataset", planner.Bitwise, lower
	k.Outputs = []planner.Output{{Name: "data", Type: "data", MediaType: dataset.MediaType, Directory: true}}
	return &executor.Kind{Kind: k, Runs: map[string]executor.Run{"read": {Func: read}, "join": {Func: RunJoin}}}
}

// RunJoin is the run of a join.
func RunJoin(_ context.Context, job *executor.Job) error {
	var o Options
	if err := job.Bind(&o); err != nil {
		return err
	}
	return o.Run(job)
}

// Run joins the shards of a job.
func (o Options) Run(job *executor.Job) error {
	var dirs, names []string
	for i := range o.Parts[0] + o.Parts[1] + o.Parts[2] {
		in := job.Inputs["shard"+strconv.Itoa(i)]
		dirs, names = append(dirs, in.Path), append(names, in.Display)
	}
	return Join(dirs, names, o, job.Out("data"), job.Log, job.Metrics)
}
