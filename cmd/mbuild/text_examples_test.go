package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mbuild.dev/mbuild/examples"
)

// initialized writes an example of the repository into a directory.
func initialized(t *testing.T, name string, cue bool) string {
	t.Helper()
	dir := t.TempDir()
	files, err := examples.Files(name, cue)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range files {
		p := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestTextExamples builds the examples on text: in HCL, and again from the store in CUE, which builds nothing; and the alarm of
// financial-sentiment goes off for Tuesday. The default form trains for a few epochs and heeds no gate; in the long form all gates must open.
func TestTextExamples(t *testing.T) {
	t.Parallel()
	long := os.Getenv("MBUILD_LONG") != ""
	short := map[string][]string{
		"ner":                 {"-var", "epochs={lstm=4,transformer=4}", "-var", "max_sentences=400"},
		"support-intents":     {"-var", "epochs={intents=4,answers=4}"},
		"financial-sentiment": {"-var", "epochs=3"},
	}
	for name, vars := range short {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := t.TempDir()
			args := []string{"apply", "-auto-approve", "-json"}
			if !long {
				args = append(args, vars...)
			}
			out, err := mbuild(t, initialized(t, name, false), store, args...).Output()
			all := lines(t, string(out))
			end := all[len(all)-1]
			failed := end["gates"].(map[string]any)["fail"].(float64)
			if end["failed"] != 0.0 || long && failed > 0 || err != nil && failed == 0 {
				t.Fatalf("%v\n%s", err, out)
			}
			again, _ := mbuild(t, initialized(t, name, true), store, args...).Output()
			all = lines(t, string(again))
			if end := all[len(all)-1]; end["built"] != 0.0 || end["cached"] == 0.0 {
				t.Errorf("the spec in CUE builds anew:\n%s", again)
			}
			if name != "financial-sentiment" || !long {
				return
			}
			out, err = mbuild(t, initialized(t, name, false), store, append(args[:2:2], "-quiet", "-var", "batch=data/tuesday.jsonl")...).Output()
			if err == nil || !strings.Contains(string(out), "gate FAIL  eval.classification.monitor  share_negative") {
				t.Errorf("no alarm for Tuesday: %v\n%s", err, out)
			}
		})
	}
}
