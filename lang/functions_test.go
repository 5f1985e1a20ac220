package lang

import (
	"context"
	"strings"
	"testing"

	"mbuild.dev/mbuild/lang/value"
)

// TestFunctions evaluates the functions that are ours, and one of each sort that is cty's.
func TestFunctions(t *testing.T) {
	dir := files(t, map[string]string{
		"a.mbuild.hcl": "dataset \"csv\" \"d\" { files = [\"f\"] }\n",
		"t.tmpl":       "%{ for x in list ~}\n${upper(x)} %{ endfor ~}${n}",
		"h.csv":        "a, \"b c\",d\n1,2,3\n",
		"x.txt":        "hello\n",
		"self.tmpl":    "${templatefile(\"self.tmpl\", {})}",
		"bad.tmpl":     "${",
		"d/1.csv":      "",
		"d/2.csv":      "",
		"e/a/3.csv":    "",
		"e/a/b/4.csv":  "",
		"e/.b/5.csv":   "",
	})
	con, diags := NewConsole(context.Background(), Request{Dir: dir, Kinds: catalog{}})
	if diags.HasErrors() {
		t.Fatal(render(diags))
	}
	for expr, want := range map[string]string{
		`templatefile("t.tmpl", { list = ["a", "b"], n = 3 })`: `"A B 3"`,
		`csvhead("h.csv")`:                            `["a","b c","d"]`,
		`file("x.txt")`:                               `"hello\n"`,
		`filesha256("x.txt")`:                         `"5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"`,
		`fileset("d/*.csv")`:                          `["d/1.csv","d/2.csv"]`,
		`fileset("e/*")`:                              `[]`,
		`fileset("e/*/*")`:                            `["e/.b/5.csv","e/a/3.csv"]`,
		`fileset("e/**")`:                             `["e/a/3.csv","e/a/b/4.csv"]`,
		`fileset("e/**/*.csv")`:                       `["e/a/3.csv","e/a/b/4.csv"]`,
		`fileset("e/a/**/[45].csv")`:                  `["e/a/b/4.csv"]`,
		`fileset("**/4.csv")`:                         `["e/a/b/4.csv"]`,
		`fileset("d/1.csv")`:                          `["d/1.csv"]`,
		`fileset("d/1.csv/*")`:                        `[]`,
		`fileset("none/*")`:                           `[]`,
		`sequence(0)`:                                 `[]`,
		`sum([1, 2.5])`:                               `3.5`,
		`sum([])`:                                     `0`,
		`alltrue([true, false])`:                      `false`,
		`alltrue([])`:                                 `true`,
		`anytrue([false, true])`:                      `true`,
		`anytrue([])`:                                 `false`,
		`startswith("abc", "ab")`:                     `true`,
		`endswith("abc", "ab")`:                       `false`,
		`length({ a = 1, b = 2 })`:                    `2`,
		`length("äö")`:                                `2`,
		`length(toset(["a", "a"]))`:                   `1`,
		`jsondecode("{\"a\": [1, null]}")`:            `{"a":[1,null]}`,
		`csvdecode("a,b\n1,2")[0].b`:                  `"2"`,
		`try(tonumber("x"), "no")`:                    `"no"`,
		`can(tonumber("x"))`:                          `false`,
		`merge({ a = 1 }, { a = 2, b = 3 })`:          `{"a":2,"b":3}`,
		`lookup({ a = 1 }, "z", 5)`:                   `5`,
		`flatten([[1], [2, [3]]])`:                    `[1,2,3]`,
		`regex("[0-9]+", "ab12")`:                     `"12"`,
		`format("%03d-%s", 7, "x")`:                   `"007-x"`,
		`[for k, v in { b = 1, a = 2 } : "${k}${v}"]`: `["a2","b1"]`,
		`{ for s in ["x", "y"] : s => length(s)... }`: `{"x":[1],"y":[1]}`,
		`[{ n = 1 }, { n = 2 }][*].n`:                 `[1,2]`,
	} {
		v, diags := con.Eval(context.Background(), expr)
		enc, _ := value.Canonical(Shown(v))
		if diags.HasErrors() || string(enc) != want {
			t.Errorf("%s is %s, want %s\n%s", expr, enc, want, render(diags))
		}
	}
	for expr, want := range map[string]string{
		`templatefile("self.tmpl", {})`: `no function named "templatefile"`,
		`templatefile("bad.tmpl", {})`:  `bad.tmpl`,
		`templatefile("t.tmpl", [1])`:   `needs a map of variables`,
		`templatefile("none.tmpl", {})`: `cannot be read`,
		`file("../x")`:                  `outside the directory of the spec`,
		`file("/etc/passwd")`:           `outside the directory of the spec`,
		`fileset("../*")`:               `outside the directory of the spec`,
		`fileset("[")`:                  `syntax error in pattern`,
		`csvhead("none.csv")`:           `cannot be read`,
		`sequence(-1)`:                  `a whole number from 0`,
		`sequence(1.5)`:                 `a whole number from 0`,
		`sum([1, null])`:                `null`,
		`length(3)`:                     `needs a list, set, map, object or string`,
		`range(2000)`:                   `range`,
	} {
		_, diags := con.Eval(context.Background(), expr)
		if text := render(diags); !strings.Contains(text, want) {
			t.Errorf("%s: %s, want %q", expr, text, want)
		}
	}
}

// TestCalls: what module blocks may and may not be, in both syntaxes.
func TestCalls(t *testing.T) {
	const inner = "variable \"n\" { default = 1 }\ndataset \"csv\" \"d\" {\n  files = [\"f\"]\n  seed = var.n\n}\noutput \"data\" { value = dataset.csv.d.data }\noutput \"n\" { value = var.n }\noutput \"where\" { value = path.module }\n"
	for name, c := range map[string]struct {
		files map[string]string
		want  string // the addresses, or the error
	}{
		"count":        {map[string]string{"a.mbuild.hcl": "module \"m\" {\n  source = \"./m\"\n  count = 2\n  n = count.index\n}\noutput \"n\" { value = module.m[1].n }\n"}, "module.m[0].dataset.csv.d module.m[1].dataset.csv.d"},
		"off":          {map[string]string{"a.mbuild.hcl": "module \"m\" {\n  source = \"./m\"\n  enabled = false\n}\noutput \"n\" { value = module.m.n == null }\n"}, ""},
		"list":         {map[string]string{"a.mbuild.hcl": "module \"m\" {\n  source = \"./m\"\n  for_each = [\"x\"]\n}\n"}, `module.m["x"].dataset.csv.d`},
		"enabled text": {map[string]string{"a.mbuild.hcl": "module \"m\" {\n  source = \"./m\"\n  enabled = 3\n}\n"}, "enabled needs true or false"},
		"both":         {map[string]string{"a.mbuild.hcl": "module \"m\" {\n  source = \"./m\"\n  count = 1\n  for_each = {}\n}\n"}, "for_each or count, not both"},
		"each text":    {map[string]string{"a.mbuild.hcl": "module \"m\" {\n  source = \"./m\"\n  for_each = \"x\"\n}\n"}, "for_each needs a map"},
		"count text":   {map[string]string{"a.mbuild.hcl": "module \"m\" {\n  source = \"./m\"\n  count = \"x\"\n}\n"}, "count needs a whole number"},
		"twice":        {map[string]string{"a.mbuild.hcl": "module \"m\" { source = \"./m\" }\nmodule \"m\" { source = \"./m\" }\n"}, "There is a module \"m\" already"},
		"name":         {map[string]string{"a.mbuild.hcl": "module \"1m\" { source = \"./m\" }\n"}, "\"1m\" is no name"},
		"block":        {map[string]string{"a.mbuild.hcl": "module \"m\" {\n  source = \"./m\"\n  inputs { n = 1 }\n}\n"}, "There are no blocks in a module block"},
		"source var":   {map[string]string{"a.mbuild.hcl": "variable \"s\" { default = \"./m\" }\nmodule \"m\" { source = var.s }\n"}, "is a literal string"},
		"no output":    {map[string]string{"a.mbuild.hcl": "module \"m\" { source = \"./m\" }\noutput \"o\" { value = module.m }\n"}, "module.m is a module. Add one of its outputs"},
		"no name":      {map[string]string{"a.mbuild.hcl": "output \"o\" { value = module }\n"}, "Name a module and one of its outputs"},
		"path":         {map[string]string{"a.mbuild.hcl": "output \"o\" { value = path.root }\n"}, "There is path.module only"},
		"cycle": {map[string]string{"a.mbuild.hcl": "module \"a\" {\n  source = \"./m\"\n  n = module.b.n\n}\nmodule \"b\" {\n  source = \"./m\"\n  n = module.a.n\n}\n"},
			"needs its own value"},
		"cue cycle": {map[string]string{"a.mbuild.cue": "module: a: {source: \"./m\", inputs: n: module.b.outputs.n}\nmodule: b: {source: \"./m\", inputs: n: module.a.outputs.n}\n"},
			"wait for a value that never comes"},
		"cue off":     {map[string]string{"a.mbuild.cue": "module: m: {source: \"./m\", enabled: false}\ndataset: csv: d: files: [\"f\"]\n"}, "dataset.csv.d"},
		"cue source":  {map[string]string{"a.mbuild.cue": "module: m: source: string\n"}, "is a string that is known before"},
		"cue unknown": {map[string]string{"a.mbuild.cue": "module: m: {source: \"./m\", n: 3}\n"}, "inputs of the module go into inputs: {…}"},
		"cue name":    {map[string]string{"a.mbuild.cue": "module: \"1m\": source: \"./m\"\n"}, "\"1m\" is no name"},
		"cue input":   {map[string]string{"a.mbuild.cue": "module: m: {source: \"./m\", inputs: n: 1 + \"x\"}\n"}, "Invalid operands"},
		"secret in":   {map[string]string{"a.mbuild.hcl": "variable \"s\" {\n  default = \"x\"\n  sensitive = true\n}\nmodule \"m\" {\n  source = \"./c\"\n  n = var.s\n}\n", "c/c.mbuild.cue": "var: n: string\noutput: n: value: var.n\n"}, "Declare it with @sensitive()"},
		"secret out":  {map[string]string{"a.mbuild.cue": "var: s: string | *\"x\" @sensitive()\nmodule: m: {source: \"./c\", inputs: n: var.s}\n", "c/c.mbuild.hcl": "variable \"n\" {}\noutput \"n\" { value = \"${var.n}!\" }\n"}, "call the module from HCL"},
		"bad inside":  {map[string]string{"a.mbuild.hcl": "module \"m\" { source = \"./b\" }\n", "b/b.mbuild.hcl": "locals {"}, "Unclosed configuration block"},
		"std calls":   {map[string]string{"a.mbuild.hcl": "module \"m\" { source = \"std/elephant\" }\n"}, `There are "std/tiny"`},
		"integrity": {map[string]string{"a.mbuild.hcl": "module \"m\" {\n  source = \"./m\"\n  integrity = \"" + digestOf([]byte(digestOf([]byte(inner))+" m.mbuild.hcl\n")) + "\"\n}\n"},
			"module.m.dataset.csv.d"},
	} {
		t.Run(name, func(t *testing.T) {
			c.files["m/m.mbuild.hcl"] = inner
			s, diags := Load(context.Background(), Request{Dir: files(t, c.files), Kinds: catalog{}, Std: shelf{}})
			var addrs []string
			for _, b := range s.Blocks {
				addrs = append(addrs, b.Addr.String())
			}
			if got := strings.Join(addrs, " "); diags.HasErrors() && (c.want == "" || !strings.Contains(render(diags), c.want)) || !diags.HasErrors() && got != c.want {
				t.Errorf("%s\n%s\nwant %s", got, render(diags), c.want)
			}
		})
	}
}

// TestVariableFiles: values from files in both syntaxes, and what is wrong with them.
func TestVariableFiles(t *testing.T) {
	specs := map[string]string{
		"a.mbuild.hcl": "variable \"n\" { type = number }\noutput \"n\" { value = var.n }\n",
		"a.mbuild.cue": "var: n: number\noutput: n: value: var.n\n",
	}
	for spec, src := range specs {
		for text, want := range map[string]string{
			"n = 3":          "3",
			"{\"n\": 4}":     "4",
			"m = 3":          `no variable "m"`,
			"n = x":          "may not refer to anything",
			"n = [":          "syntax",
			"n = null":       "",
			"n {}":           "syntax",
			"\xff":           "not UTF-8",
			"n = \"many\"":   `Variable "n"`,
			"n = 1\nn = 2\n": "syntax",
			"n = 1e400":      "beyond",
		} {
			dir := files(t, map[string]string{spec: src, "x/v.mbvars": text})
			s, diags := Load(context.Background(), Request{Dir: dir, Kinds: catalog{}, VarFiles: []string{dir + "/x/v.mbvars"}})
			if diags.HasErrors() {
				if !strings.Contains(render(diags), want) || want == "3" || want == "4" {
					t.Errorf("%s, %q: %s, want %q", spec, text, render(diags), want)
				}
				continue
			}
			if enc, _ := value.Canonical(s.Outputs[0].Value); string(enc) != want && want != "" {
				t.Errorf("%s, %q: %s, want %s", spec, text, enc, want)
			}
		}
		dir := files(t, map[string]string{spec: src})
		_, diags := Load(context.Background(), Request{Dir: dir, Kinds: catalog{}, VarFiles: []string{dir + "/none"}})
		if !strings.Contains(render(diags), "Variables file not readable") {
			t.Error(render(diags))
		}
	}
}
