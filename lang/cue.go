package lang

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"mbuild.dev/mbuild/lang/cuefile"
	"mbuild.dev/mbuild/lang/schema"
	"mbuild.dev/mbuild/lang/value"
)

// cueModule is a module written in CUE, in its place. CUE evaluates the whole package; what is on demand is only the package.
type cueModule struct {
	*loader
	src    *source
	prefix string
	inputs map[string]given // nil for the root
	chain  []string

	state   state
	broken  bool
	inst    *cuefile.Instance
	vars    []cuefile.Variable
	secret  map[string]bool
	results []cuefile.Result
	parts   []cuePart

	elsewhere []cuefile.Problem // of outputs, for what blocks will report
}

// cuePart is a module that the package calls.
type cuePart struct {
	call cuefile.Call
	part part
}

func cueDiagnostics(problems []cuefile.Problem) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, p := range problems {
		diags = append(diags, cueDiagnostic(p))
	}
	return diags
}

func cueDiagnostic(p cuefile.Problem) *hcl.Diagnostic {
	d := suggest(problem(p.Code, p.Range, p.Summary, "%s", p.Detail), p.Suggestion)
	d.Extra.(*Extra).Address = p.Address
	return d
}

func (l *loader) placeCUE(src *source, prefix string, inputs map[string]given, chain []string) part {
	return &cueModule{loader: l, src: src, prefix: prefix, inputs: inputs, chain: chain}
}

func (m *cueModule) reportAll(problems []cuefile.Problem) {
	for _, p := range problems {
		if p.Address != "" {
			p.Address = m.prefix + p.Address
		}
		m.report(cueDiagnostic(p))
	}
}

// evaluate evaluates the package and the modules it calls, once.
func (m *cueModule) evaluate(from hcl.Range) bool {
	if m.state == done {
		return !m.broken
	}
	if !m.enter(&m.state, m.what(), from) {
		m.broken = true
		return false
	}
	before := m.errors
	m.build()
	m.broken = m.errors > before || len(m.elsewhere) > 0
	m.leave(&m.state)
	return !m.broken
}

func (m *cueModule) what() string {
	if m.prefix == "" {
		return "the spec"
	}
	return strings.TrimSuffix(m.prefix, ".")
}

func (m *cueModule) build() {
	m.secret = m.src.cue.SensitiveVariables()
	givens, ok := m.values()
	if !ok {
		return
	}
	m.at(m.src.cue.VariableRange(""))
	req := m.request(givens.values)
	if len(m.secret) > 0 && !m.checkSecrets(req, givens) {
		return
	}
	req.Sensitive = m.secret
	inst, problems := m.src.cue.Build(req)
	if problems != nil {
		m.reportAll(problems)
		return
	}
	m.inst = inst
	vars, problems := inst.Variables()
	m.reportVariables(problems, givens)
	if len(problems) > 0 {
		return
	}
	m.vars = vars
	m.callModules()
	if hcl.Diagnostics(m.diags).HasErrors() && m.inst == nil {
		return
	}
	results, problems := m.inst.Outputs()
	for _, p := range problems {
		if p.Elsewhere {
			m.elsewhere = append(m.elsewhere, p)
		} else {
			m.reportAll([]cuefile.Problem{p})
		}
	}
	m.results = results
}

func (m *cueModule) request(vars map[string]any) *cuefile.Request {
	r := &cuefile.Request{Families: Families, Vars: vars}
	for _, f := range Families {
		for _, t := range m.req.Kinds.Types(f) {
			k := cuefile.Kind{Family: f, Type: t, Struct: m.req.Kinds.Kind(f, t).Struct}
			for _, o := range m.req.Kinds.Outputs(f, t) {
				k.Outputs = append(k.Outputs, cuefile.Output{Name: o.Name, Type: o.Type})
			}
			r.Kinds = append(r.Kinds, k)
		}
	}
	kinds := m.req.Kinds
	r.Schema = func() ([]byte, error) { return SchemaCUE(kinds), nil }
	return r
}

// givenValues are the values that variables are given from outside.
type givenValues struct {
	values map[string]any
	ranges map[string]hcl.Range
}

// values collects what variables are given: inputs of the call, or for the root files, the environment and flags.
func (m *cueModule) values() (givenValues, bool) {
	g := givenValues{values: map[string]any{}, ranges: map[string]hcl.Range{}}
	if m.inputs == nil {
		return g, m.rootValues(&g)
	}
	ok := true
	for _, name := range keys(m.inputs) {
		in := m.inputs[name]
		v, good := in.value()
		if !good {
			ok = false
			continue
		}
		if isSensitive(v) && !m.secret[name] {
			m.report(problem("sensitive", in.rng, "Sensitive value", "Variable %q of %s is not sensitive, and this value is: it would be seen. Declare it with @sensitive().", name, m.src.dir))
			ok = false
			continue
		}
		n, err := fromCty(v)
		if err != nil {
			m.report(problem("bad-value", in.rng, "Invalid value", "%q: %v.", name, err))
			ok = false
			continue
		}
		if n != nil {
			g.values[name], g.ranges[name] = value.Reveal(n), in.rng
		}
	}
	return g, ok
}

// rootValues reads variables of the root in the order of precedence.
func (m *cueModule) rootValues(g *givenValues) bool {
	before := m.errors
	names, sure := m.src.cue.Variables()
	known := func(name string, rng hcl.Range) bool {
		if !sure || slices.Contains(names, name) {
			return true
		}
		m.reportUnknownVariable(name, rng, names)
		return false
	}
	for _, f := range m.autoFiles() {
		m.cueVarFile(f, true, known, g)
	}
	texts := map[string]VarArg{}
	set := func(name, text, file string) {
		texts[name] = VarArg{Name: file, Value: text}
		delete(g.values, name)
	}
	for _, name := range names {
		if text, ok := m.getenv("MBUILD_VAR_" + name); ok {
			set(name, text, "<MBUILD_VAR_"+name+">")
		}
	}
	for _, f := range m.req.VarFiles {
		given := givenValues{values: map[string]any{}, ranges: map[string]hcl.Range{}}
		m.cueVarFile(f, false, known, &given)
		for name, v := range given.values {
			delete(texts, name)
			g.values[name], g.ranges[name] = v, given.ranges[name]
		}
	}
	for _, a := range m.req.Vars {
		file := "<-var " + a.Name + ">"
		if known(a.Name, hcl.Range{Filename: file, Start: hcl.InitialPos, End: hcl.InitialPos}) {
			set(a.Name, a.Value, file)
		}
	}
	if len(texts) > 0 {
		m.readTexts(texts, g)
	}
	return m.errors == before
}

// readTexts brings texts of the command line and the environment to values: strings for variables that take nothing else.
func (m *cueModule) readTexts(texts map[string]VarArg, g *givenValues) {
	bare, problems := m.src.cue.Build(m.request(nil))
	if problems != nil {
		m.reportAll(problems)
		return
	}
	for _, name := range keys(texts) {
		text, file := texts[name].Value, texts[name].Name
		at := hcl.Range{Filename: file, Start: hcl.InitialPos, End: hcl.Pos{Line: 1, Column: 1 + len(text), Byte: len(text)}}
		if !m.secret[name] {
			m.spec.Files[file] = &hcl.File{Bytes: []byte(text)}
		}
		g.ranges[name] = at
		if d := refuse([]byte(text), file, syntaxHCL); d != nil {
			m.report(d)
			continue
		}
		g.values[name] = text
		if bare.TakesText(name) {
			continue
		}
		if expr, diags := hclsyntax.ParseExpression([]byte(text), file, hcl.InitialPos); !diags.HasErrors() {
			if v, diags := expr.Value(nil); !diags.HasErrors() {
				if n, err := fromCty(v); err == nil {
					g.values[name] = n
				}
			}
		}
	}
}

// cueVarFile reads a variables file for a CUE module.
func (m *cueModule) cueVarFile(file string, auto bool, known func(string, hcl.Range) bool, g *givenValues) {
	attrs := m.readVarFile(file, auto)
	for _, n := range attributeNames(attrs) {
		a := attrs[n]
		if !known(n, a.NameRange) {
			continue
		}
		v, diags := a.Expr.Value(nil)
		if diags.HasErrors() {
			m.report(problem("not-literal", a.Expr.Range(), "Value is no literal", "A variables file may not refer to anything."))
			continue
		}
		x, err := fromCty(v)
		if err != nil {
			m.report(problem("bad-value", a.Expr.Range(), "Invalid value", "%q: %v.", n, err))
			continue
		}
		if x == nil {
			delete(g.values, n)
			continue
		}
		g.values[n], g.ranges[n] = x, a.Expr.Range()
	}
}

// readVarFile parses a variables file: HCL attributes, or JSON when it begins with a brace.
func (l *loader) readVarFile(file string, auto bool) hcl.Attributes {
	name := file
	if auto {
		name = file[strings.LastIndexAny(file, `/\`)+1:]
	}
	key := file
	if auto {
		key = name
	} else {
		l.read.Given[key] = true
	}
	src, err := readPath(file)
	if err != nil {
		l.read.missing(key)
		l.report(problem("missing-file", hcl.Range{Filename: name, Start: hcl.InitialPos, End: hcl.InitialPos}, "Variables file not readable", "%s: %v.", name, plain(err)))
		return nil
	}
	l.read.file(key, src)
	isJSON := strings.HasPrefix(strings.TrimLeft(string(src[:min(len(src), 256)]), " \t\r\n"), "{")
	l.spec.Files[name] = &hcl.File{Bytes: src}
	if d := refuse(src, name, textSyntax(isJSON)); d != nil {
		l.report(d)
		return nil
	}
	p := hclparse.NewParser()
	parse := p.ParseHCL
	if isJSON {
		parse = p.ParseJSON
	}
	f, diags := parse(src, name)
	l.reportSyntax(diags)
	if diags.HasErrors() {
		return nil
	}
	attrs, diags := f.Body.JustAttributes()
	l.reportSyntax(diags)
	return attrs
}

// checkSecrets holds the values of sensitive variables against their declarations, which the evaluation proper does not see.
func (m *cueModule) checkSecrets(req *cuefile.Request, g givenValues) bool {
	inst, problems := m.src.cue.Build(req)
	if problems != nil {
		m.reportAll(problems)
		return false
	}
	vars, problems := inst.Variables()
	for _, v := range vars {
		if m.secret[v.Name] {
			g.values[v.Name] = v.Value
		}
	}
	bad := false
	for _, p := range problems {
		if m.secret[p.Variable] {
			if p.Code == "validation" {
				p.Detail = fmt.Sprintf("The value of variable %q is not what its declaration allows; it is not shown, for the variable is sensitive.", p.Variable)
			}
			m.reportVariables([]cuefile.Problem{p}, givenValues{})
			bad = true
		}
	}
	return !bad
}

func (m *cueModule) reportVariables(problems []cuefile.Problem, g givenValues) {
	for _, p := range problems {
		switch rng, ok := g.ranges[p.Variable]; {
		case p.Code == "no-value" && m.inputs != nil:
			p.Summary = "Input without a value"
			p.Detail = fmt.Sprintf("Variable %q of module %s has no default, and %s gives it no value. Add %s = … there.", p.Variable, m.src.dir, m.what(), p.Variable)
		case p.Code == "no-value":
			p.Detail = fmt.Sprintf("Variable %q has no default and was given no value. Use -var %s=…, -var-file, MBUILD_VAR_%s, or a default.", p.Variable, p.Variable, p.Variable)
		case ok:
			p.Detail += fmt.Sprintf(" It is declared at %s:%d.", p.Range.Filename, p.Range.Start.Line)
			p.Range = rng
		}
		m.report(cueDiagnostic(p))
	}
}

// callModules places the modules that the package calls, each as soon as its inputs are there, and gives their outputs back.
func (m *cueModule) callModules() {
	calls, problems := m.inst.Calls()
	m.reportAll(problems)
	for len(calls) > 0 {
		var waiting []cuefile.Call
		for _, c := range calls {
			if c.Disabled {
				continue
			}
			if !m.inst.InputsReady(c) {
				waiting = append(waiting, c)
				continue
			}
			m.callModule(c)
		}
		if len(waiting) == len(calls) {
			m.stuck(waiting)
			return
		}
		calls = waiting
	}
}

// stuck reports calls whose inputs never come: what is wrong with the inputs, or that they wait for each other.
func (m *cueModule) stuck(calls []cuefile.Call) {
	before := m.errors
	for _, c := range calls {
		_, problems := m.inst.Inputs(c)
		for _, p := range problems {
			if p.Code != "unknown-output" && !strings.Contains(p.Detail, "outputs is incomplete") {
				m.reportAll([]cuefile.Problem{p})
			}
		}
	}
	if m.errors == before {
		c := calls[0]
		m.report(problem("cycle", c.Decl, "Cycle", "The inputs of module %q wait for a value that never comes: for an output that does not exist, or for one of a module that waits for this one.", c.Name))
	}
}

func (m *cueModule) callModule(c cuefile.Call) {
	ref := moduleRef{source: c.Source, rng: c.Range, version: c.Version, versionRange: c.Range, integrity: c.Integrity, integrityRange: c.Range}
	src := m.openModule(ref, m.src, m.chain)
	if src == nil {
		return
	}
	values, problems := m.inst.Inputs(c)
	m.reportAll(problems)
	if len(problems) > 0 {
		return
	}
	names, sure := src.variables()
	inputs := map[string]given{}
	for _, name := range keys(values) {
		in := values[name]
		if sure && !slices.Contains(names, name) {
			m.unknownInput(in.Key, c.Name, name, names)
			return
		}
		v := toCty(m.absolute(in.Value))
		inputs[name] = given{rng: in.Range, value: func() (cty.Value, bool) { return v, true }}
	}
	prefix := m.prefix + "module." + c.Name
	if c.HasKey {
		prefix += StringKey(c.Key)
	}
	p := m.place(src, prefix+".", inputs, m.chain, c.Decl)
	outputs := map[string]any{}
	for _, name := range p.outputNames() {
		v, ok := p.output(name, c.Decl)
		if !ok {
			return
		}
		if isSensitive(v) {
			m.report(problem("sensitive", c.Decl, "Sensitive value", "Output %q of module %q is sensitive. A spec in CUE cannot keep it from being seen; call the module from HCL.", name, c.Name))
			return
		}
		if n, err := fromCty(v); err == nil && n != nil {
			outputs[name] = n
		}
	}
	m.inst.SetOutputs(c, outputs)
	m.parts = append(m.parts, cuePart{c, p})
}

// absolute gives references to blocks of this module their whole address.
func (m *cueModule) absolute(v any) any {
	switch t := v.(type) {
	case value.Ref:
		if rest, ok := strings.CutPrefix(t.To, cuefile.Relative); ok {
			t.To = m.prefix + rest
		}
		return t
	case []any:
		for i := range t {
			t[i] = m.absolute(t[i])
		}
	case map[string]any:
		for k := range t {
			t[k] = m.absolute(t[k])
		}
	}
	return v
}

func (m *cueModule) outputNames() []string {
	if !m.evaluate(m.src.cue.VariableRange("")) {
		return nil
	}
	return m.inst.OutputNames()
}

func (m *cueModule) output(name string, from hcl.Range) (cty.Value, bool) {
	if !m.evaluate(from) {
		return cty.NilVal, false
	}
	for _, r := range m.results {
		if r.Name == name {
			return toCty(m.absolute(r.Value)), true
		}
	}
	return cty.NilVal, false
}

func (m *cueModule) finish(ctx context.Context) {
	if !m.evaluate(m.src.cue.VariableRange("")) && len(m.elsewhere) == 0 {
		return
	}
	before := m.errors
	raw, problems := m.inst.Blocks(m.at)
	m.reportAll(problems)
	if m.errors == before {
		m.reportAll(m.elsewhere)
	}
	for i := range raw {
		if ctx.Err() != nil {
			return
		}
		m.addBlock(&raw[i])
	}
	for _, p := range m.parts {
		p.part.finish(ctx)
	}
}

// addBlock checks a block and adds it to the spec.
func (m *cueModule) addBlock(raw *cuefile.Block) {
	addr := Addr{Module: strings.TrimSuffix(m.prefix, "."), Family: raw.Family, Type: raw.Type, Name: raw.Name}
	if raw.HasKey {
		addr.Key = StringKey(raw.Key)
	}
	if raw.Disabled {
		m.disabled(addr)
		return
	}
	b := &Block{Addr: addr, decl: raw.Decl, Tags: raw.Tags, ranges: raw.RangeOf}
	m.absolute(raw.Raw)
	if !m.check(b, m.req.Kinds.Kind(addr.Family, addr.Type), raw.Raw) {
		return
	}
	if text := b.setTimeout(raw.Limits["timeout"]); text != "" {
		m.report(Errorf("wrong-type", addr, raw.RangeOf("timeout", false), "Wrong type", "%s", text))
		return
	}
	if text := b.setBackend(raw.Limits["backend"]); text != "" {
		m.report(Errorf("wrong-type", addr, raw.RangeOf("backend", false), "Wrong type", "%s", text))
		return
	}
	if text := b.setRetries(raw.Limits["retries"]); text != "" {
		m.report(Errorf("wrong-type", addr, raw.RangeOf("retries", false), "Wrong type", "%s", text))
		return
	}
	for _, text := range raw.DependsOn {
		to, err := ParseAddr(text)
		if err != nil {
			m.report(Errorf("wrong-type", addr, raw.RangeOf("depends_on", false), "Wrong type", "depends_on names blocks, \"family.type.name\": %v.", err))
			return
		}
		to.Module = addr.Module
		b.DependsOn = append(b.DependsOn, to)
	}
	m.spec.Blocks = append(m.spec.Blocks, b)
}

func (m *cueModule) publish() {
	if m.broken || m.inst == nil {
		return
	}
	for _, v := range m.vars {
		m.spec.Variables[v.Name] = v.Value
		if m.secret[v.Name] {
			m.spec.Variables[v.Name] = Hidden
		}
	}
	for _, r := range m.results {
		m.spec.Outputs = append(m.spec.Outputs, Output{Name: r.Name, Value: m.absolute(r.Value), Description: r.Description, Sensitive: len(value.Secrets(r.Value)) > 0, Range: r.Range})
	}
	settings, problems := m.inst.Settings()
	m.reportAll(problems)
	for _, name := range keys(settings) {
		s := settings[name]
		text, ok := s.Value.(string)
		switch {
		case name != "required_version" && name != "backend":
			m.report(problem("unknown-attribute", s.Key, "Unknown attribute", "There is no setting %q. Allowed are %s.", name, schema.Words([]string{"required_version", "backend"})))
		case !ok:
			m.report(problem("wrong-type", s.Range, "Wrong type", "%q needs a literal string.", name))
		case name == "backend":
			m.spec.Settings.Backend, m.spec.Settings.BackendRange = text, s.Range
		default:
			m.spec.Settings.RequiredVersion, m.spec.Settings.VersionRange = text, s.Range
		}
	}
}
