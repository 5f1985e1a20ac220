// Command layered writes the same work for mbuild, ninja and make: N actions in 10 layers, each depending on two of the layer
// before, those of layer 0 on a source file each.
//
//	go run ./testdata/bench/layered -n 100000 -for mbuild DIR
//
// By default mbuild's actions are `step "template"`; -exec makes them `step "exec"` commands. ninja and make run echo.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

const layers = 10

func main() {
	n := flag.Int("n", 1000, "number of actions")
	tool := flag.String("for", "mbuild", "mbuild, ninja or make")
	exec := flag.Bool("exec", false, "mbuild: commands instead of templates")
	flag.Parse()
	if flag.NArg() != 1 || *n < layers {
		flag.Usage()
		os.Exit(2)
	}
	if err := write(flag.Arg(0), *tool, *n/layers, *exec); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// write makes the sources and the build file; width is the number of actions of a layer.
func write(dir, tool string, width int, exec bool) error {
	if err := os.MkdirAll(filepath.Join(dir, "src"), 0o755); err != nil {
		return err
	}
	for i := range width {
		if err := os.WriteFile(filepath.Join(dir, "src", fmt.Sprintf("s%d", i)), fmt.Appendf(nil, "source %d\n", i), 0o644); err != nil {
			return err
		}
	}
	files := map[string]string{"mbuild": "layered.mbuild.hcl", "ninja": "build.ninja", "make": "Makefile"}
	name := files[tool]
	if name == "" {
		return fmt.Errorf("-for %q: write mbuild, ninja or make", tool)
	}
	f, err := os.Create(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	switch tool {
	case "mbuild":
		writeMbuild(w, width, exec)
	case "ninja":
		writeNinja(w, width)
	case "make":
		writeMake(w, width)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}

// needs are the two actions of the layer before that action i needs.
func needs(i, width int) (int, int) { return i, (i*7 + 1) % width }

func writeMbuild(w *bufio.Writer, width int, exec bool) {
	fmt.Fprintf(w, "locals {\n  all = { for i in sequence(%d) : \"a${i}\" => { source = \"src/s${i}\", one = \"a${i}\", two = \"a${(i * 7 + 1) %% %d}\" } }\n}\n", width, width)
	kind, output := "template", "file"
	if exec {
		kind, output = "exec", "files"
	}
	for l := range layers {
		inputs := "{ one = each.value.source }"
		if l > 0 {
			inputs = fmt.Sprintf("{ one = step.%s.l%d[each.value.one].%s, two = step.%s.l%d[each.value.two].%s }", kind, l-1, output, kind, l-1, output)
		}
		fmt.Fprintf(w, "step %q \"l%d\" {\n  for_each = local.all\n  inputs   = %s\n", kind, l, inputs)
		if exec {
			fmt.Fprintf(w, "  command = [\"sh\", \"-c\", \"echo %d $NAME > out\"]\n  outputs = [\"out\"]\n  env     = { NAME = each.key }\n}\n", l)
			continue
		}
		// The digests of the inputs go into the text: a change of a source changes all that follows; ten bytes of a source's
		// text do not, so that contents may stay equal.
		text := "{{ slice .inputs.one 0 6 }}"
		if l > 0 {
			text = "{{ .digests.one }} {{ .digests.two }}"
		}
		fmt.Fprintf(w, "  template = %q\n  values   = { name = each.key, layer = %d }\n}\n", "{{ .values.layer }} {{ .values.name }} "+text+"\n", l)
	}
}

func writeNinja(w *bufio.Writer, width int) {
	fmt.Fprintf(w, "rule echo\n  command = echo $out > $out\n")
	for l := range layers {
		for i := range width {
			in := fmt.Sprintf("src/s%d", i)
			if l > 0 {
				a, b := needs(i, width)
				in = fmt.Sprintf("out/l%d/a%d out/l%d/a%d", l-1, a, l-1, b)
			}
			fmt.Fprintf(w, "build out/l%d/a%d: echo %s\n", l, i, in)
		}
	}
}

func writeMake(w *bufio.Writer, width int) {
	fmt.Fprintf(w, "all:")
	for i := range width {
		fmt.Fprintf(w, " out/l%d/a%d", layers-1, i)
	}
	fmt.Fprintln(w)
	for l := range layers {
		for i := range width {
			in := fmt.Sprintf("src/s%d", i)
			if l > 0 {
				a, b := needs(i, width)
				in = fmt.Sprintf("out/l%d/a%d out/l%d/a%d", l-1, a, l-1, b)
			}
			fmt.Fprintf(w, "out/l%d/a%d: %s\n\t@mkdir -p out/l%d; echo $@ > $@\n", l, i, in, l)
		}
	}
}
