package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
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

func text(t *testing.T, v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
