package schema

import (
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"mbuild.dev/mbuild/lang/value"
)

// Problem is one thing that is wrong with a value.
type Problem struct {
	Path       string // into the value: "layer.2.units"; of the struct, when something is missing in it
	OnKey      bool   // the name is wrong, not what stands after it
	Code       string
	Summary    string // constant for the code
	Detail     string // what was found, what is allowed, what to do
	Suggestion string // replacement that a machine may apply; "" if there is none
}

// Check brings a value in normal form to what the type says, with defaults filled in, and lists everything that is wrong.
// The value that comes with problems is only good for looking at.
func Check(t *Type, v any) (any, []Problem) {
	c := &checker{}
	out := c.check(t, v, "")
	return out, c.problems
}

type checker struct{ problems []Problem }

func (c *checker) add(path string, onKey bool, code, summary, detail, suggestion string) {
	c.problems = append(c.problems, Problem{Path: path, OnKey: onKey, Code: code, Summary: summary, Detail: detail, Suggestion: suggestion})
}

func (c *checker) check(t *Type, v any, path string) any {
	if s, ok := v.(value.Secret); ok {
		return c.checkSecret(t, s, path)
	}
	switch t.Op {
	case Any:
		return v
	case Struct:
		return c.checkStruct(t, v, path)
	case Map:
		return c.checkMap(t, v, path)
	case List:
		return c.checkList(t, v, path)
	case Union:
		return c.checkUnion(t, v, path)
	case Ref:
		return c.checkRef(t, v, path)
	}
	return c.checkScalar(t, v, path)
}

// checkSecret takes a sensitive value where the schema says that the kind can keep it. No message shows it.
func (c *checker) checkSecret(t *Type, s value.Secret, path string) any {
	if !t.Sensitive {
		c.add(path, false, "sensitive", "Sensitive value", fmt.Sprintf("%q would be stored in clear, and may not hold a sensitive value. Sensitive values go where a kind keeps them to itself, such as \"env\" of step \"exec\".", last(path)), "")
		return s
	}
	if out, problems := Check(t, s.Value); len(problems) == 0 {
		return value.Secret{Value: out}
	}
	c.add(path, false, "wrong-type", "Wrong type", fmt.Sprintf("%q needs %s, and this sensitive value is none.", last(path), Describe(t)), "")
	return s
}

func (c *checker) checkStruct(t *Type, v any, path string) any {
	m, ok := v.(map[string]any)
	if !ok {
		c.wrongType(t, v, path)
		return v
	}
	out := make(map[string]any, len(t.Fields))
	suggested := map[string]bool{}
	for _, k := range sortedKeys(m) {
		if t.Field(k) != nil {
			continue
		}
		if f := t.renamed(k); f != "" {
			suggested[f] = true
			c.add(join(path, k), true, "renamed", "Renamed attribute", fmt.Sprintf("%q is called %q since a later version of this kind. Rename it.", k, f), f)
			continue
		}
		s := Nearest(k, fieldNames(t, m))
		suggested[s] = s != ""
		detail := fmt.Sprintf("There is no attribute %q here. ", k)
		if s != "" {
			detail += fmt.Sprintf("Did you mean %q?", s)
		} else {
			detail += "Allowed are " + Words(fieldNames(t, nil)) + "."
		}
		c.add(join(path, k), true, "unknown-attribute", "Unknown attribute", detail, s)
	}
	for i := range t.Fields {
		f := &t.Fields[i]
		fv, ok := m[f.Name]
		switch {
		case ok && fv != nil:
			out[f.Name] = c.check(f.Type, fv, join(path, f.Name))
		case f.Default != nil:
			out[f.Name] = f.Default
		case f.Required && !suggested[f.Name]:
			c.add(path, false, "missing-attribute", "Missing attribute", fmt.Sprintf("%q is required: %s.%s", f.Name, Describe(f.Type), docSentence(f.Type.Doc)), "")
		}
	}
	return out
}

// renamed returns today's name of a field that was called k.
func (t *Type) renamed(k string) string {
	for i := range t.Fields {
		if t.Fields[i].Was == k {
			return t.Fields[i].Name
		}
	}
	return ""
}

func (c *checker) checkMap(t *Type, v any, path string) any {
	m, ok := v.(map[string]any)
	if !ok {
		c.wrongType(t, v, path)
		return v
	}
	out := make(map[string]any, len(m))
	for _, k := range sortedKeys(m) {
		if m[k] != nil {
			out[k] = c.check(t.Elem, m[k], join(path, k))
		}
	}
	return out
}

func (c *checker) checkList(t *Type, v any, path string) any {
	l, ok := v.([]any)
	if !ok {
		c.wrongType(t, v, path)
		return v
	}
	if len(l) < t.MinItems {
		detail := fmt.Sprintf("Found %d, at least %d are needed.", len(l), t.MinItems)
		if len(l) == 0 && t.Elem.Op == String {
			detail += " If it is a fileset, no file matches its pattern."
		}
		c.add(path, false, "too-few", "Too few elements", detail, "")
	}
	out := make([]any, len(l))
	for i, e := range l {
		out[i] = c.check(t.Elem, e, join(path, strconv.Itoa(i)))
	}
	return out
}

func (c *checker) checkUnion(t *Type, v any, path string) any {
	if t.Tag == "" {
		for _, alt := range t.Alts {
			if alt.Op == opOf(v) || alt.Op == Number && opOf(v) == Int {
				return c.check(alt, v, path)
			}
		}
		c.wrongType(t, v, path)
		return v
	}
	m, ok := v.(map[string]any)
	if !ok {
		c.wrongType(t, v, path)
		return v
	}
	tag, _ := m[t.Tag].(string)
	arm := t.Arm(tag)
	if arm == nil {
		if tag == "" {
			c.add(path, false, "missing-attribute", "Missing attribute", fmt.Sprintf("%q is required: one of %s.", t.Tag, Words(t.Tags())), "")
			return v
		}
		s := Nearest(tag, t.Tags())
		detail := fmt.Sprintf("There is no %s %q here. ", t.Tag, tag)
		if s != "" {
			detail += fmt.Sprintf("Did you mean %q? ", s)
		}
		c.add(join(path, t.Tag), false, "unknown-type", "Unknown type", detail+"Allowed are "+Words(t.Tags())+".", quoted(s))
		return v
	}
	return c.checkStruct(arm, v, path)
}

func (c *checker) checkRef(t *Type, v any, path string) any {
	r, ok := v.(value.Ref)
	if !ok {
		c.wrongType(t, v, path)
		return v
	}
	if !slices.Contains(t.RefTypes, r.Type) {
		c.add(path, false, "wrong-reference", "Wrong kind of reference",
			fmt.Sprintf("%q needs %s, but %s is %s.", last(path), article(strings.Join(t.RefTypes, " or a ")), r.To, article(r.Type)), "")
	}
	return v
}

func (c *checker) checkScalar(t *Type, v any, path string) any {
	op := opOf(v)
	if op != t.Op && !(t.Op == Number && op == Int) {
		c.wrongType(t, v, path)
		return v
	}
	if t.Enum != nil && !slices.Contains(t.Enum, v) {
		var s string
		if str, ok := v.(string); ok {
			s = Nearest(str, enumStrings(t))
		}
		detail := fmt.Sprintf("%s is not allowed for %q. ", Show(v), last(path))
		if s != "" {
			detail += fmt.Sprintf("Did you mean %q? ", s)
		}
		c.add(path, false, "not-allowed", "Value not allowed", detail+"Allowed are "+Words(enumStrings(t))+".", quoted(s))
		return v
	}
	if t.Min != nil || t.Max != nil {
		if x := toFloat(v); t.Min != nil && (x < t.Min.Value || t.Min.Exclusive && x == t.Min.Value) ||
			t.Max != nil && (x > t.Max.Value || t.Max.Exclusive && x == t.Max.Value) {
			c.add(path, false, "out-of-range", "Value out of range", fmt.Sprintf("%q is %s; it must be %s.", last(path), Show(v), Describe(t)), "")
		}
	}
	if t.Pattern != "" {
		if s, _ := v.(string); !compiled(t.Pattern).MatchString(s) {
			c.add(path, false, "bad-pattern", "Value has the wrong form", fmt.Sprintf("%q is %s; it must match %s.", last(path), Show(v), t.Pattern), "")
		}
	}
	return v
}

func (c *checker) wrongType(t *Type, v any, path string) {
	detail := fmt.Sprintf("%q needs %s, but this is %s.", last(path), Describe(t), DescribeValue(v))
	c.add(path, false, "wrong-type", "Wrong type", detail, "")
}

var patterns sync.Map

func compiled(p string) *regexp.Regexp {
	if re, ok := patterns.Load(p); ok {
		return re.(*regexp.Regexp)
	}
	re := regexp.MustCompile(p)
	patterns.Store(p, re)
	return re
}

func opOf(v any) Op {
	switch v.(type) {
	case bool:
		return Bool
	case int64, uint64:
		return Int
	case float64:
		return Number
	case string:
		return String
	case []any:
		return List
	case map[string]any:
		return Struct
	case value.Ref:
		return Ref
	}
	return Any
}

func toFloat(v any) float64 {
	switch t := v.(type) {
	case int64:
		return float64(t)
	case uint64:
		return float64(t)
	case float64:
		return t
	}
	return 0
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// fieldNames lists the fields of a struct that used does not have yet.
func fieldNames(t *Type, used map[string]any) []string {
	var names []string
	for _, f := range t.Fields {
		if _, ok := used[f.Name]; !ok {
			names = append(names, f.Name)
		}
	}
	return names
}

func enumStrings(t *Type) []string {
	out := make([]string, len(t.Enum))
	for i, v := range t.Enum {
		if s, ok := v.(string); ok {
			out[i] = s
		} else {
			out[i] = Show(v)
		}
	}
	return out
}

func quoted(s string) string {
	if s == "" {
		return ""
	}
	return strconv.Quote(s)
}

func join(path, k string) string {
	if path == "" {
		return k
	}
	return path + "." + k
}

// last is the name a path ends in; an index is given with its list.
func last(path string) string {
	i := strings.LastIndexByte(path, '.')
	if i < 0 {
		return path
	}
	if _, err := strconv.Atoi(path[i+1:]); err == nil {
		return last(path[:i])
	}
	return path[i+1:]
}

func docSentence(doc string) string {
	doc = strings.TrimSpace(doc)
	if doc == "" {
		return ""
	}
	if i := strings.Index(doc, "\n\n"); i >= 0 {
		doc = doc[:i]
	}
	doc = strings.Join(strings.Fields(doc), " ")
	if !strings.HasSuffix(doc, ".") {
		doc += "."
	}
	return " " + doc
}

// Nearest is the candidate closest to a name, or "" when none is close enough to be what was meant.
func Nearest(name string, candidates []string) string {
	best, bestDist := "", max(1, (utf8.RuneCountInString(name)+1)/3)+1
	for _, c := range candidates {
		if d := distance(name, c); d < bestDist {
			best, bestDist = c, d
		}
	}
	return best
}
