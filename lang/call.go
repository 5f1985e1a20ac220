package lang

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"mbuild.dev/mbuild/lang/schema"
)

// callAttrs are the attributes of a module block that are no inputs.
var callAttrs = []string{"source", "version", "integrity", "for_each", "count", "enabled"}

// maxNesting bounds how deeply modules call modules.
const maxNesting = 32

// call is a `module` block of HCL and, once evaluated, its instances.
type call struct {
	name   string
	block  *hclsyntax.Block
	state  state
	parts  []part
	keys   []string // of the instances: `["a"]`, `[0]`, or "" alone
	multi  bool     // has for_each or count
	broken bool
	off    bool // enabled = false
}

func (m *module) declareCall(b *hclsyntax.Block) {
	if !m.wantLabels(b, "module", "name") {
		return
	}
	name := b.Labels[0]
	if !hclsyntax.ValidIdentifier(name) {
		m.report(problem("bad-name", b.LabelRanges[0], "Invalid name", "%q is no name: use letters, digits, - and _, starting with a letter.", name))
		return
	}
	if old := m.calls[name]; old != nil {
		m.report(problem("duplicate", b.DefRange(), "Duplicate module", "There is a module %q already, at %s:%d.", name, old.block.DefRange().Filename, old.block.DefRange().Start.Line))
		return
	}
	for _, nested := range b.Body.Blocks {
		m.report(problem("unknown-block", nested.TypeRange, "Unknown block", "There are no blocks in a module block. Give inputs as attributes: %s = { … }.", nested.Type))
	}
	m.calls[name] = &call{name: name, block: b}
}

// evalCall makes the instances of a call, once, without evaluating what is in them.
func (m *module) evalCall(c *call, from hcl.Range) bool {
	if c.state == done {
		return !c.broken
	}
	if !m.enter(&c.state, m.prefix+"module."+c.name, from) {
		c.broken = true
		return false
	}
	before := m.errors
	m.expandCall(c)
	c.broken = c.broken || m.errors > before
	m.leave(&c.state)
	return !c.broken
}

func (m *module) expandCall(c *call) {
	attrs := c.block.Body.Attributes
	src := m.openCall(c)
	if src == nil {
		c.broken = true
		return
	}
	if a := attrs["enabled"]; a != nil {
		v, ok := m.eval(a.Expr, scope{})
		if !ok {
			c.broken = true
			return
		}
		if v.IsNull() || v.Type() != cty.Bool {
			m.report(problem("wrong-type", a.Expr.Range(), "Wrong type", "enabled needs true or false."))
			return
		}
		c.off = v.False()
	}
	each, count := attrs["for_each"], attrs["count"]
	switch {
	case c.off:
	case each != nil && count != nil:
		m.report(problem("conflict", count.NameRange, "for_each and count", "A block may have for_each or count, not both."))
	case each != nil:
		c.multi = true
		v, ok := m.eval(each.Expr, scope{})
		if !ok {
			c.broken = true
			return
		}
		m.eachOf(v, each.Expr.Range(), func(key string, inst cty.Value) bool {
			m.instantiate(c, src, StringKey(key), scope{}.with("each", inst))
			return true
		})
	case count != nil:
		c.multi = true
		n, ok := m.countOf(count, scope{})
		if !ok {
			c.broken = true
			return
		}
		for i := range n {
			m.instantiate(c, src, IndexKey(i), scope{}.with("count", cty.ObjectVal(map[string]cty.Value{"index": cty.NumberIntVal(int64(i))})))
		}
	default:
		m.instantiate(c, src, "", scope{})
	}
}

// instantiate places one instance of a called module.
func (m *module) instantiate(c *call, src *source, key string, s scope) {
	inputs := map[string]given{}
	for _, name := range sortedAttrs(c.block.Body) {
		if slices.Contains(callAttrs, name) {
			continue
		}
		a := c.block.Body.Attributes[name]
		inputs[name] = given{rng: a.Expr.Range(), value: func() (cty.Value, bool) { return m.evalMarked(a.Expr, s) }}
	}
	names, sure := src.variables()
	for _, name := range sortedAttrs(c.block.Body) {
		if _, isInput := inputs[name]; sure && isInput && !slices.Contains(names, name) {
			m.unknownInput(c.block.Body.Attributes[name].NameRange, c.name, name, names)
			return
		}
	}
	c.parts = append(c.parts, m.place(src, m.prefix+"module."+c.name+key+".", inputs, m.chain, m.caller(c.block.DefRange())))
	c.keys = append(c.keys, key)
}

func (l *loader) unknownInput(rng hcl.Range, call, name string, names []string) {
	s := schema.Nearest(name, append(slices.Clone(names), callAttrs...))
	detail := fmt.Sprintf("Module %q has no variable %q. ", call, name)
	switch {
	case s != "":
		detail += fmt.Sprintf("Did you mean %q?", s)
	case len(names) > 0:
		detail += "It has " + schema.Words(names) + "."
	default:
		detail += "It has none."
	}
	l.report(suggest(problem("unknown-input", rng, "Unknown input", "%s", detail), s))
}

// variables lists the names of a module's variables; not sure when they could not be read.
func (s *source) variables() (names []string, sure bool) {
	if s.cue != nil {
		return s.cue.Variables()
	}
	for _, body := range s.bodies {
		for _, b := range body.Blocks {
			if b.Type == "variable" && len(b.Labels) == 1 {
				names = append(names, b.Labels[0])
			}
		}
	}
	slices.Sort(names)
	return names, true
}

// openCall finds and parses the module that a call names; nil when that is not possible, which has been reported.
func (m *module) openCall(c *call) *source {
	attrs := c.block.Body.Attributes
	a := attrs["source"]
	if a == nil {
		m.report(problem("missing-attribute", c.block.DefRange(), "Missing attribute", "\"source\" is required: a directory (\"./encoder\") or a module of mbuild (\"std/mlp\")."))
		return nil
	}
	text, ok := m.literal(a)
	if !ok {
		return nil
	}
	ref := moduleRef{source: text, rng: a.Expr.Range(), version: attrs["version"] != nil}
	if ref.version {
		ref.versionRange = attrs["version"].NameRange
	}
	if i := attrs["integrity"]; i != nil {
		if ref.integrity, ok = m.literal(i); !ok {
			return nil
		}
		ref.integrityRange = i.Expr.Range()
	}
	return m.openModule(ref, m.src, m.chain)
}

func (m *module) literal(a *hclsyntax.Attribute) (string, bool) {
	v, diags := a.Expr.Value(nil)
	if diags.HasErrors() || v.IsNull() || v.Type() != cty.String {
		m.report(problem("not-literal", a.Expr.Range(), "Not a literal", "%q of a module is a literal string: which files a spec has must be known before anything is evaluated.", a.Name))
		return "", false
	}
	return v.AsString(), true
}

// moduleRef is what a call of either syntax says of the module it wants.
type moduleRef struct {
	source         string
	rng            hcl.Range
	version        bool
	versionRange   hcl.Range
	integrity      string
	integrityRange hcl.Range
}

// openModule resolves a source from inside a module and parses it.
func (l *loader) openModule(ref moduleRef, from *source, chain []string) *source {
	if len(chain) > maxNesting {
		l.report(problem("module-cycle", ref.rng, "Modules nested too deeply", "Modules call modules more than %d levels deep here.", maxNesting))
		return nil
	}
	if name, ok := strings.CutPrefix(ref.source, "std/"); ok {
		return l.openStd(name, ref, chain)
	}
	switch {
	case strings.Contains(ref.source, "://"):
		l.report(problem("unsupported", ref.rng, "Source not supported yet", "%q is outside of the repository. This version of mbuild takes modules from directories (\"./encoder\") and its own (\"std/mlp\") only. Copy the module into the repository.", ref.source))
		return nil
	case !strings.HasPrefix(ref.source, "./") && !strings.HasPrefix(ref.source, "../"):
		near := schema.Nearest(ref.source, l.stdNames())
		detail := "Write \"./" + ref.source + "\" for a directory beside this file."
		if near != "" {
			detail = fmt.Sprintf("Did you mean %q?", near)
		}
		l.report(suggest(problem("bad-source", ref.rng, "Invalid source", "%q is neither a directory (\"./…\" or \"../…\") nor a module of mbuild (\"std/…\"). %s", ref.source, detail), quotedOrNone(near)))
		return nil
	case from.std:
		l.report(problem("bad-source", ref.rng, "Invalid source", "A module of mbuild calls modules of mbuild only."))
		return nil
	case ref.version:
		l.report(problem("conflict", ref.versionRange, "Version of a local module", "A module in a directory has the version of its repository. Remove \"version\"."))
		return nil
	}
	dir := path.Join(from.dir, ref.source)
	if l.inChain(dir, ref, chain) {
		return nil
	}
	key := dir
	if s, ok := l.sources[key]; ok {
		return l.verifyIntegrity(s, ref)
	}
	fsys := os.DirFS(filepath.Join(l.req.Dir, filepath.FromSlash(dir)))
	names, err := specFiles(fsys)
	if err == nil {
		l.read.list(dir, names)
	}
	if err != nil || len(names) == 0 {
		detail := fmt.Sprintf("There is no file *.mbuild.hcl or *.mbuild.cue in %s.", dir)
		if err != nil {
			detail = fmt.Sprintf("%s cannot be read: %v.", dir, plain(err))
		}
		l.report(problem("no-module", ref.rng, "No module there", "%s", detail))
		return nil
	}
	before := l.errors
	s := l.parse(&source{dir: dir}, fsys, names)
	if l.errors > before {
		s = nil
	}
	l.sources[key] = s
	return l.verifyIntegrity(s, ref)
}

func quotedOrNone(s string) string {
	if s == "" {
		return ""
	}
	return fmt.Sprintf("%q", s)
}

// inChain reports a module that would contain itself.
func (l *loader) inChain(dir string, ref moduleRef, chain []string) bool {
	at := slices.Index(chain, dir)
	if at < 0 {
		return false
	}
	names := make([]string, 0, len(chain)+1)
	for _, c := range append(slices.Clone(chain[at:]), dir) {
		if c == "" {
			c = "."
		}
		names = append(names, c)
	}
	l.report(problem("module-cycle", ref.rng, "Module contains itself", "Modules call each other in a circle: %s. Break it at one of these places.", strings.Join(names, " -> ")))
	return true
}

func (l *loader) stdNames() []string {
	var names []string
	if l.req.Std != nil {
		for _, n := range l.req.Std.Modules() {
			names = append(names, "std/"+n)
		}
	}
	return names
}

func (l *loader) openStd(name string, ref moduleRef, chain []string) *source {
	if ref.version {
		l.report(problem("conflict", ref.versionRange, "Version of a module of mbuild", "%q has the version of mbuild itself: pin that with mbuild { required_version = … }.", ref.source))
		return nil
	}
	names := l.stdNames()
	if !slices.Contains(names, ref.source) {
		near := schema.Nearest(ref.source, names)
		detail := "There are " + schema.Words(names) + "."
		if near != "" {
			detail = fmt.Sprintf("Did you mean %q?", near)
		}
		l.report(suggest(problem("no-module", ref.rng, "No such module", "mbuild has no module %q. %s", ref.source, detail), quotedOrNone(near)))
		return nil
	}
	if l.inChain(ref.source, ref, chain) {
		return nil
	}
	if s, ok := l.sources[ref.source]; ok {
		return l.verifyIntegrity(s, ref)
	}
	fsys, err := l.req.Std.Open(name)
	if err != nil {
		l.report(problem("no-module", ref.rng, "No such module", "%v", err))
		return nil
	}
	files, _ := specFiles(fsys)
	before := l.errors
	s := l.parse(&source{dir: ref.source, std: true}, fsys, files)
	if l.errors > before {
		s = nil
	}
	l.sources[ref.source] = s
	return l.verifyIntegrity(s, ref)
}

// verifyIntegrity holds a module's files against the digest that the call pins.
func (l *loader) verifyIntegrity(s *source, ref moduleRef) *source {
	if s == nil || ref.integrity == "" {
		return s
	}
	var list strings.Builder
	for _, name := range keys(l.spec.Files) {
		if path.Dir(name) == s.dir && IsSpecFile(name) {
			fmt.Fprintf(&list, "%s %s\n", digestOf(l.spec.Files[name].Bytes), path.Base(name))
		}
	}
	if got := digestOf([]byte(list.String())); got != ref.integrity {
		l.report(suggest(problem("integrity", ref.integrityRange, "Module has changed", "The files of %s have the digest %s, but %s is pinned here. Look at what changed; if it is well, pin the new digest.", s.dir, got, ref.integrity), fmt.Sprintf("%q", got)))
		return nil
	}
	return s
}

func (m *module) finishCall(ctx context.Context, c *call) {
	if !m.evalCall(c, c.block.DefRange()) {
		return
	}
	for _, p := range c.parts {
		p.finish(ctx)
	}
}

// resolveModule resolves module.NAME.OUTPUT, and module.NAME[KEY].OUTPUT.
func (m *module) resolveModule(t hcl.Traversal, into *tree) bool {
	name, ok := step(t, 1)
	if !ok {
		m.report(problem("incomplete", t.SourceRange(), "Incomplete reference", "Name a module and one of its outputs: module.NAME.OUTPUT."))
		return false
	}
	c := m.calls[name]
	if c == nil {
		m.unknown(t[1].SourceRange(), "unknown-module", "Unknown module", "module", name, keys(m.calls))
		return false
	}
	if !m.evalCall(c, t.SourceRange()) {
		return false
	}
	at := into.at("module", name)
	if c.multi {
		return m.resolveInstances(c, t, at)
	}
	out, ok := step(t, 2)
	if !ok {
		m.report(problem("incomplete", t.SourceRange(), "Incomplete reference", "module.%s is a module. Add one of its outputs.", name))
		return false
	}
	if c.off {
		at.at(out).val = cty.NullVal(cty.DynamicPseudoType) // absent, as everything of the module
		return true
	}
	names := c.parts[0].outputNames()
	if !slices.Contains(names, out) {
		m.unknown(t[2].SourceRange(), "unknown-output", "Unknown output", "module."+name+" has no output", out, names)
		return false
	}
	v, ok := c.parts[0].output(out, t.SourceRange())
	if ok {
		at.at(out).val = v
	}
	return ok
}

func (m *module) resolveInstances(c *call, t hcl.Traversal, at *tree) bool {
	instances := make([]cty.Value, len(c.parts))
	byKey := map[string]cty.Value{}
	for i, p := range c.parts {
		outs := map[string]cty.Value{}
		for _, name := range p.outputNames() {
			v, ok := p.output(name, t.SourceRange())
			if !ok {
				return false
			}
			outs[name] = v
		}
		instances[i] = cty.ObjectVal(outs)
		byKey[unquoteKey(c.keys[i])] = instances[i]
	}
	if c.block.Body.Attributes["count"] != nil {
		at.val = cty.TupleVal(instances)
	} else {
		at.val = cty.ObjectVal(byKey)
	}
	return true
}

// resolvePath resolves path.module, the directory of the module relative to that of the spec.
func (m *module) resolvePath(t hcl.Traversal, into *tree) bool {
	if name, _ := step(t, 1); name != "module" {
		m.report(problem("incomplete", t.SourceRange(), "Incomplete reference", "There is path.module only: the directory of this module, relative to that of the spec."))
		return false
	}
	dir := m.src.dir
	if dir == "" {
		dir = "."
	}
	into.at("path", "module").val = cty.StringVal(dir)
	return true
}
