package cli

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mbuild.dev/mbuild/examples"
	"mbuild.dev/mbuild/lang"
	"mbuild.dev/mbuild/lang/schema"
)

// starter is the spec that init writes when no example is named.
var starter = map[bool][2]string{
	false: {"model.mbuild.hcl", `# A small classifier on made-up data. Change the dataset to your own: dataset "csv" "NAME" { files = ["…"], label = "…" }.

variable "epochs" {
  type    = number
  default = 10
}

dataset "synthetic" "blobs" {
  shape   = "blobs"
  rows    = 600
  classes = 3
  split {
    train = 0.8
    test  = 0.2
  }
}

module "net" {
  source   = "std/mlp"
  features = 2
  outputs  = 3
  hidden   = [16]
}

module "classifier" {
  source       = "std/classifier"
  graph        = module.net.graph
  data         = dataset.synthetic.blobs.data
  epochs       = var.epochs
  min_accuracy = 0.8
  path         = "dist/model"
}
`},
	true: {"model.mbuild.cue", `// A small classifier on made-up data. Change the dataset to your own: dataset: csv: NAME: {files: ["…"], label: "…"}.

var: epochs: int & >0 | *10

dataset: synthetic: blobs: {
	shape:   "blobs"
	rows:    600
	classes: 3
	split: {train: 0.8, test: 0.2}
}

module: net: {
	source: "std/mlp"
	inputs: {features: 2, outputs: 3, hidden: [16]}
}

module: classifier: {
	source: "std/classifier"
	inputs: {
		graph:        module.net.outputs.graph
		data:         dataset.synthetic.blobs.data
		epochs:       var.epochs
		min_accuracy: 0.8
		path:         "dist/model"
	}
}
`},
}

func (a *app) initCmd() *cobra.Command {
	var cue bool
	cmd := &cobra.Command{
		Use:   "init [EXAMPLE]",
		Short: "Write a small project that is ready to apply",
		Long: "init writes a spec into the directory (-C DIR makes another): a small one of its own, or an example with its data.\n" +
			"Examples: " + strings.Join(examples.Names(), ", ") + ". Nothing that is there is overwritten.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			files, err := initFiles(args, cue)
			if err != nil {
				return err
			}
			if err := a.writeNew(files); err != nil {
				return err
			}
			in := a.inDir()
			fmt.Fprintf(a.stdout, "Next: mbuild%s plan, then mbuild%s apply.\n", in, in)
			return nil
		},
	}
	cmd.Flags().BoolVar(&cue, "cue", false, "write CUE instead of HCL")
	return cmd
}

// initFiles are the files to write, by path.
func initFiles(args []string, cue bool) (map[string][]byte, error) {
	out := map[string][]byte{".gitignore": []byte("/.mbuild/\n/dist/\n")}
	if len(args) == 0 {
		s := starter[cue]
		out[s[0]] = []byte(s[1])
		return out, nil
	}
	if !slices.Contains(examples.Names(), args[0]) {
		return nil, fmt.Errorf("there is no example %q; there are %s", args[0], schema.Words(examples.Names()))
	}
	files, err := examples.Files(args[0], cue)
	maps.Copy(out, files)
	return out, err
}

// inDir is what a command that mbuild advises needs to be about the same spec: " -C DIR", "" for that of the present directory.
func (a *app) inDir() string {
	switch {
	case filepath.Clean(a.dir) == ".":
		return ""
	case strings.ContainsAny(a.dir, " \t\n\"'\\$`&|;<>()*?[]#~"):
		return " -C '" + strings.ReplaceAll(a.dir, "'", `'\''`) + "'"
	}
	return " -C " + a.dir
}

// writeNew writes files that are not there yet; when one is, or when there is a spec already, it writes nothing.
func (a *app) writeNew(files map[string][]byte) error {
	if err := os.MkdirAll(a.dir, 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(a.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if lang.IsSpecFile(e.Name()) {
			return fmt.Errorf("%s has a spec already, %s: nothing is written", a.dir, e.Name())
		}
		if e.Name() == ".gitignore" {
			delete(files, e.Name())
		}
	}
	names := slices.Sorted(maps.Keys(files))
	for _, name := range names {
		if _, err := os.Lstat(filepath.Join(a.dir, name)); err == nil {
			return fmt.Errorf("%s is there already: nothing is written", filepath.Join(a.dir, name))
		}
	}
	for _, name := range names {
		p := filepath.Join(a.dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(p, files[name], 0o644); err != nil {
			return err
		}
		fmt.Fprintln(a.stdout, p)
	}
	return nil
}
