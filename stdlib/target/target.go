// Package target is what the kinds of the family target share: an action that turns a model into a file, which apply puts at
// its path once every gate it names has passed.
package target

import (
	"context"
	"os"
	"path"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/lang"
	"mbuild.dev/mbuild/lang/schema"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
)

// Kind makes a kind of the family from its schema, the media type of its file, and what writes it. unsupported says, by scheme
// of quantization, what users of such a file must know.
func Kind(typ string, table *schema.Kind, mediaType string, encode func(*bundle.Model) ([]byte, error), unsupported map[string]string) *executor.Kind {
	return &executor.Kind{
		Kind: planner.Kind{
			Family: "target", Type: typ, Version: table.Version, Schema: table, Determinism: planner.Bitwise,
			Outputs: []planner.Output{{Name: "artifact", Type: "artifact", MediaType: mediaType}},
			Lower:   func(l *planner.Lowering) hcl.Diagnostics { return lowerBlock(l, mediaType, unsupported) },
		},
		Runs: map[string]executor.Run{"": {InProcess: true, Func: func(_ context.Context, job *executor.Job) error {
			m, err := bundle.Read(job.In("model"))
			if err != nil {
				return err
			}
			b, err := encode(m)
			if err != nil {
				return &executor.Failure{Code: "misfit", Summary: "Model cannot be exported", Attr: "from", Detail: err.Error() + "."}
			}
			job.Metrics["bytes"] = float64(len(b))
			return os.WriteFile(job.Out("artifact"), b, 0o644)
		}}},
	}
}

func lowerBlock(l *planner.Lowering, mediaType string, unsupported map[string]string) hcl.Diagnostics {
	p := Path(l, false)
	if text := unsupported[scheme(l)]; text != "" {
		l.Warnf("from", "runtime-support", "Quantized model", "%s", text)
	}
	in, ok := l.Input("model", "from")
	if !ok || l.Diagnostics().HasErrors() {
		return l.Diagnostics()
	}
	a := l.Emit("", planner.Action{Inputs: []planner.Input{in}, Gates: l.Gates("gates"),
		Outputs: []planner.OutputDecl{{Name: "artifact", MediaType: mediaType}}})
	l.Bind("artifact", a, "artifact")
	l.Artifact(a, "artifact", p)
	return l.Diagnostics()
}

// Path is the attribute path of a block, where an artifact is to be: a file, or a directory. What it cannot be is reported.
func Path(l *planner.Lowering, directory bool) string {
	what, example := "file", "dist/model"
	if directory {
		what, example = "directory", "dist/tokenizer"
	}
	p, _ := l.Attr("path").(string)
	switch clean := path.Clean(p); {
	case p == "" || clean == ".":
		l.Errorf("path", "bad-path", "Invalid path", "path is empty; it must name a %s inside the project, for example %q.", what, example)
	case path.IsAbs(p) || clean == ".." || strings.HasPrefix(clean, "../") || strings.Contains(p, `\`):
		l.Errorf("path", "outside-project", "Path outside the project", "path is %q; it must be relative and stay inside the directory of the spec.", p)
	case strings.HasSuffix(p, "/") && !directory:
		l.Errorf("path", "bad-path", "Invalid path", "path is %q, a directory; it must name a file.", p)
	case clean == ".mbuild" || strings.HasPrefix(clean, ".mbuild/"):
		l.Errorf("path", "bad-path", "Invalid path", "path is %q; .mbuild is mbuild's own directory.", p)
	case lang.IsSpecFile(clean):
		l.Errorf("path", "bad-path", "Invalid path", "path is %q, the name of a spec file.", p)
	}
	return p
}

// scheme is the scheme by which the model was quantized on its way here, or "".
func scheme(l *planner.Lowering) string {
	for b := l.Producer(l.Block, "from"); b != nil; b = l.Producer(b, "from") {
		if b.Family == "pass" && b.Type == "quantize" {
			s, _ := b.Attrs()["scheme"].(string)
			return s
		}
	}
	return ""
}
