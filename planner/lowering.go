package planner

import (
	"fmt"
	"path"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/lang"
	"mbuild.dev/mbuild/lang/value"
)

// Lowering is what a kind's Lower sees of one block and where it emits actions.
type Lowering struct {
	Block *lang.Block
	Kind  *Kind

	graph   *Graph
	actions []*Action
	bound   map[string]Source
	static  map[string]any
	diags   hcl.Diagnostics
}

// Attr returns the attribute at a dotted path of the normalised block ("split.seed"), or nil when it is absent.
func (l *Lowering) Attr(p string) any { return attrAt(l.Block.Attrs(), p) }

// Params returns a copy of the block's attributes without the named ones, fit to be an action's parameters: references
// must be among those left out, for their content enters a key as inputs.
func (l *Lowering) Params(without ...string) map[string]any {
	params := make(map[string]any, len(l.Block.Attrs()))
	for k, v := range l.Block.Attrs() {
		params[k] = v
	}
	for _, k := range without {
		delete(params, k)
	}
	return params
}

// Ref resolves the reference at an attribute path to the output of the action that another block bound to it. It returns
// false when the attribute is absent or the block it names could not be lowered (which has been reported there).
func (l *Lowering) Ref(p string) (Source, bool) {
	ref, ok := l.Attr(p).(value.Ref)
	if !ok {
		return Source{}, false
	}
	bound := l.graph.bound[ref.To]
	return bound.source, bound.ok
}

// Input resolves the reference at an attribute path to an input called name.
func (l *Lowering) Input(name, p string) (Input, bool) {
	src, ok := l.Ref(p)
	return Input{Name: name, Source: src}, ok
}

// Source resolves a value that is a reference, or the path of a file of the project, to an input called name. at is the
// attribute to blame when the file cannot be read.
func (l *Lowering) Source(name string, v any, at string) (Input, bool) {
	switch t := v.(type) {
	case value.Ref:
		b := l.graph.bound[t.To]
		return Input{Name: name, Source: b.source}, b.ok
	case string:
		return l.File(name, t, at), true
	}
	return Input{}, false
}

// Static returns the value that the referenced block provided for planning (a graph, a dataset's label kind), or nil.
func (l *Lowering) Static(p string) any {
	ref, ok := l.Attr(p).(value.Ref)
	if !ok {
		return nil
	}
	return l.graph.bound[ref.To].static
}

// Producer returns the block that a block's reference at an attribute path leads to, or nil.
func (l *Lowering) Producer(b *lang.Block, p string) *lang.Block {
	ref, ok := attrAt(b.Attrs(), p).(value.Ref)
	if !ok {
		return nil
	}
	addr, err := lang.ParseAddr(blockOf(ref.To))
	if err != nil {
		return nil
	}
	return l.graph.Spec.Block(addr)
}

// Gates resolves the list of report references at an attribute path to the gates of those eval blocks.
func (l *Lowering) Gates(p string) []*Action {
	list, _ := l.Attr(p).([]any)
	var gates []*Action
	for _, v := range list {
		if ref, ok := v.(value.Ref); ok {
			l.graph.heeded[blockOf(ref.To)] = true
			gates = append(gates, l.graph.gates[blockOf(ref.To)]...)
		}
	}
	return gates
}

// File declares an input that is a file of the source tree, relative to the spec's directory. at is the attribute to
// blame when the file cannot be read.
func (l *Lowering) File(name, file, at string) Input {
	file = path.Clean(strings.ReplaceAll(file, `\`, "/"))
	l.graph.addFile(SourceFile{Path: file, Block: l.Block, At: at, External: l.Kind.External})
	return Input{Name: name, Source: Source{File: file}}
}

// Emit adds an action. suffix tells the actions of one block apart ("segment[3]") and is empty when there is one only.
// The rest of a, but for Index, Addr, Block, Kind and After, is the caller's.
func (l *Lowering) Emit(suffix string, a Action) *Action {
	act := &a
	act.Addr = l.Block.Addr.String()
	if suffix != "" {
		act.Addr += "/" + suffix
	}
	act.Block, act.Kind = l.Block, l.Kind
	if act.Params == nil {
		act.Params = map[string]any{}
	}
	l.actions = append(l.actions, act)
	return act
}

// Bind says that the block's output is the named output of an action of this block.
func (l *Lowering) Bind(output string, a *Action, name string) {
	if l.Kind.output(output) == nil {
		panic(fmt.Sprintf("planner: kind %s binds %q, which it does not declare", l.Kind.Name(), output))
	}
	a.Visible = true
	if l.bound == nil {
		l.bound = map[string]Source{}
	}
	l.bound[output] = Source{Action: a, Output: name}
}

// Provide publishes a value for the planning of blocks that refer to the output (see Static).
func (l *Lowering) Provide(output string, static any) {
	if l.static == nil {
		l.static = map[string]any{}
	}
	l.static[output] = static
}

// Artifact asks for an output to be written to a path of the project once the action is done and its gates have passed.
func (l *Lowering) Artifact(a *Action, output, file string) {
	a.Visible = true
	l.graph.Artifacts = append(l.graph.Artifacts, Artifact{Block: l.Block, Source: Source{Action: a, Output: output}, Path: path.Clean(file)})
}

// Errorf reports an error at an attribute path of the block.
func (l *Lowering) Errorf(at, code, summary, format string, args ...any) {
	l.diags = append(l.diags, l.problem(at, code, summary, format, args...))
}

// Warnf reports a warning at an attribute path of the block.
func (l *Lowering) Warnf(at, code, summary, format string, args ...any) {
	d := l.problem(at, code, summary, format, args...)
	d.Severity = hcl.DiagWarning
	l.diags = append(l.diags, d)
}

func (l *Lowering) problem(at, code, summary, format string, args ...any) *hcl.Diagnostic {
	d := lang.Errorf(code, l.Block.Addr, l.Block.RangeOf(at, false), summary, format, args...)
	d.Detail += l.Block.Within(at, false)
	return d
}

// Diagnostics returns what Errorf and Warnf collected: the usual last line of a Lower.
func (l *Lowering) Diagnostics() hcl.Diagnostics { return l.diags }

// blockOf strips the output's name off the target of a reference.
func blockOf(to string) string {
	if i := strings.LastIndexByte(to, '.'); i >= 0 {
		return to[:i]
	}
	return to
}

// attrAt walks a dotted path through maps; list elements are numbers ("layer.2.units").
func attrAt(attrs map[string]any, p string) any {
	if !strings.Contains(p, ".") {
		return attrs[p]
	}
	var v any = attrs
	for _, part := range strings.Split(p, ".") {
		switch t := v.(type) {
		case map[string]any:
			v = t[part]
		case []any:
			i := 0
			if _, err := fmt.Sscanf(part, "%d", &i); err != nil || i < 0 || i >= len(t) {
				return nil
			}
			v = t[i]
		default:
			return nil
		}
	}
	return v
}
