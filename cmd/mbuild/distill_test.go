package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mbuild.dev/mbuild/examples"
)

// classroom is a teacher of half of the digits, and students of a tenth: for each seed one that has the labels, and one that has the
// teacher instead. All are measured on the other half.
const classroom = `
variable "seeds" { type = list(number) }
variable "split" { type = number }
dataset "csv" "digits" {
  files  = ["digits.csv.gz"]
  header = false
  label  = -1
  split {
    train = 0.5
    test  = 0.5
    seed  = var.split
  }
}
dataset "csv" "few" {
  files  = ["digits.csv.gz"]
  header = false
  label  = -1
  split {
    train = 0.1
    valid = 0.4
    test  = 0.5
    seed  = var.split
  }
}
model "layers" "large" {
  input "pixels" {
    shape = [64]
    scale = 1 / 16
  }
  layer "dense" "hidden1" {
    units      = 256
    activation = "relu"
  }
  layer "dropout" "drop" { rate = 0.3 }
  layer "dense" "hidden2" {
    units      = 128
    activation = "relu"
  }
  layer "dense" "logits" { units = 10 }
}
model "layers" "small" {
  input "pixels" {
    shape = [64]
    scale = 1 / 16
  }
  layer "dense" "hidden" {
    units      = 32
    activation = "relu"
  }
  layer "dense" "logits" { units = 10 }
}
train "supervised" "teacher" {
  graph  = model.layers.large.graph
  data   = dataset.csv.digits.data
  loss   = "cross_entropy"
  epochs = 60
  seed   = 42
  optimizer "adamw" { lr = 0.001 }
}
train "supervised" "alone" {
  for_each = { for s in var.seeds : "s${s}" => s }
  graph    = model.layers.small.graph
  data     = dataset.csv.few.data
  loss     = "cross_entropy"
  epochs   = 40
  seed     = each.value
  optimizer "adamw" { lr = 0.005 }
}
train "distill" "taught" {
  for_each    = { for s in var.seeds : "s${s}" => s }
  teacher     = train.supervised.teacher.model
  graph       = model.layers.small.graph
  data        = dataset.csv.few.data
  temperature = 4
  alpha       = 0
  epochs      = 40
  seed        = each.value
  optimizer "adamw" { lr = 0.005 }
}
eval "classification" "teacher" {
  from = train.supervised.teacher.model
  data = dataset.csv.few.data
}
eval "classification" "alone" {
  for_each = { for s in var.seeds : "s${s}" => s }
  from     = train.supervised.alone[each.key].model
  data     = dataset.csv.few.data
}
eval "classification" "taught" {
  for_each = { for s in var.seeds : "s${s}" => s }
  from     = train.distill.taught[each.key].model
  data     = dataset.csv.few.data
}
`

// TestDistillationHelps: a student that a teacher teaches beats the same student without one, at equal steps, in the mean over its
// seeds and in most of them; all are reported. The long form takes seeds 1 to 5 on three splits, the short one two of the first.
func TestDistillationHelps(t *testing.T) {
	t.Parallel()
	splits, seeds := []int{7}, []int{1, 2}
	if os.Getenv("MBUILD_LONG") != "" {
		splits, seeds = []int{7, 11, 12}, []int{1, 2, 3, 4, 5}
	}
	dir, store := write(t, classroom), t.TempDir()
	b, err := os.ReadFile("../../examples/digits/digits.csv.gz")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "digits.csv.gz"), b, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, split := range splits {
		vars := []string{"-var", fmt.Sprintf("split=%d", split), "-var", "seeds=" + text(t, seeds)}
		run(t, dir, store, append([]string{"apply", "-auto-approve"}, vars...)...)
		accuracy := func(block string) float64 {
			var doc struct{ Metrics map[string]float64 }
			if err := json.Unmarshal([]byte(run(t, dir, store, append([]string{"show", "-json", "eval.classification." + block}, vars...)...)), &doc); err != nil {
				t.Fatal(err)
			}
			return doc.Metrics["accuracy"]
		}
		t.Logf("split %d: teacher %.4f", split, accuracy("teacher"))
		sum, wins := 0.0, 0
		for _, s := range seeds {
			alone, taught := accuracy(fmt.Sprintf(`alone["s%d"]`, s)), accuracy(fmt.Sprintf(`taught["s%d"]`, s))
			t.Logf("split %d, seed %d: alone %.4f, taught %.4f", split, s, alone, taught)
			if sum += taught - alone; taught > alone {
				wins++
			}
		}
		if sum <= 0 || 2*wins <= len(seeds) {
			t.Errorf("split %d: the teacher helps %d of %d students, by %.4f in the mean", split, wins, len(seeds), sum/float64(len(seeds)))
		}
	}
}

// TestDistillationHelpsBERT: the small model of examples/bert-finetune, which learns from all-MiniLM-L6-v2, beats the same model that
// learns from the labels, at equal steps, order of rows, initial weights and learning rate, in the mean over seeds 1 to 5 and in most of
// them; all are reported. It needs MBUILD_MINILM (stdlib/pretrained/testdata/minilm.sh) and takes some minutes, so MBUILD_LONG too.
func TestDistillationHelpsBERT(t *testing.T) {
	t.Parallel()
	checkpoint := os.Getenv("MBUILD_MINILM")
	if os.Getenv("MBUILD_LONG") == "" || checkpoint == "" {
		t.Skip("takes minutes, and needs the checkpoint: set MBUILD_LONG and MBUILD_MINILM (see .ci/run)")
	}
	files, err := examples.Files("bert-finetune", false)
	if err != nil {
		t.Fatal(err)
	}
	_, taught, ok := strings.Cut(string(files["bert.mbuild.hcl"]), "train \"distill\" \"small\" {\n")
	taught, _, end := strings.Cut(taught, "\n}\n")
	if !ok || !end {
		t.Fatal("the example has no train distill small")
	}
	const each = "  for_each = { for s in var.seeds : \"s${s}\" => s }\n"
	var alone strings.Builder
	gone := map[string]bool{"teacher": true, "temperature": true, "alpha": true}
	for line := range strings.Lines(taught) {
		f := strings.Fields(line)
		switch {
		case len(f) > 1 && f[1] == "=" && gone[f[0]]:
			delete(gone, f[0])
		case len(f) > 1 && f[1] == "=" && f[0] == "enabled":
		default:
			alone.WriteString(strings.Replace(line, "var.seed", "each.value", 1))
		}
	}
	if len(gone) > 0 {
		t.Fatalf("the example does not set %v", gone)
	}
	more := "variable \"seeds\" { type = list(number) }\ntrain \"supervised\" \"pupil_alone\" {\n" + each + "  loss = \"cross_entropy\"\n" + alone.String() + "\n}\n" +
		"train \"distill\" \"pupil_taught\" {\n" + each + strings.Replace(strings.Replace(taught, "var.seed", "each.value", 1), "  enabled ", "  # ", 1) + "\n}\n"
	for name, kind := range map[string]string{"alone": "supervised", "taught": "distill"} {
		more += fmt.Sprintf("eval \"classification\" \"pupil_%s\" {\n%s  from = train.%s.pupil_%s[each.key].model\n  data = dataset.tokenized.reviews.data\n}\n", name, each, kind, name)
	}
	seeds := []int{1, 2, 3, 4, 5}
	vars := []string{"-var-file", filepath.Join(repository(t), "examples/bert-finetune/minilm.mbvars"), "-var", "epochs=1", "-var", "lengths=12", "-var", "seeds=" + text(t, seeds)}
	dir, store := bert(t, false, true, more), t.TempDir()
	if err := os.Symlink(checkpoint, filepath.Join(dir, "minilm")); err != nil {
		t.Fatal(err)
	}
	run(t, dir, store, slices.Concat([]string{"apply", "-auto-approve", "-target", "eval.classification.pupil_alone", "-target", "eval.classification.pupil_taught"}, vars)...)
	measured := func(block string, seed int) (accuracy, loss float64) {
		var doc struct{ Metrics map[string]float64 }
		if err := json.Unmarshal([]byte(run(t, dir, store, append([]string{"show", "-json", fmt.Sprintf(`eval.classification.%s["s%d"]`, block, seed)}, vars...)...)), &doc); err != nil {
			t.Fatal(err)
		}
		if doc.Metrics["accuracy"] == 0 || doc.Metrics["log_loss"] == 0 {
			t.Fatalf("%s, seed %d: %v", block, seed, doc.Metrics)
		}
		return doc.Metrics["accuracy"], doc.Metrics["log_loss"]
	}
	sum, wins := 0.0, 0
	for _, s := range seeds {
		a, la := measured("pupil_alone", s)
		b, lb := measured("pupil_taught", s)
		t.Logf("seed %d: accuracy %.4f alone, %.4f taught; log loss %.4f alone, %.4f taught", s, a, b, la, lb)
		if sum += b - a; b > a {
			wins++
		}
	}
	if sum <= 0 || 2*wins <= len(seeds) {
		t.Errorf("the teacher helps %d of %d students, by %.4f in the mean", wins, len(seeds), sum/float64(len(seeds)))
	}
}

func text(t *testing.T, v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
