package lang

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// tenThousand is a spec of 10,000 blocks by for_each, half of which refer to the other half.
func tenThousand() string { return blocksByForEach(10_000) }

func blocksByForEach(n int) string {
	return strings.ReplaceAll(`
dataset "csv" "d" { files = ["d.csv"] }
model "layers" "m" {
  layer "dense" "h" { units = 64 }
}
locals { seeds = { for i in sequence(5000) : "s${i}" => i } }
train "supervised" "t" {
  for_each = local.seeds
  graph  = model.layers.m.graph
  data   = dataset.csv.d.data
  epochs = 5 + 3
  seed   = each.value
  loss   = "cross_entropy"
  optimizer "adam" { lr = 0.0001 * (1 + each.value) }
}
pass "prune" "p" {
  for_each = local.seeds
  from     = train.supervised.t[each.key].model
  sparsity = 0.5
}
`, "5000", strconv.Itoa(n/2))
}

// BenchmarkForEach loads 1,000 to 100,000 blocks of two for_each. The targets are 0.4 s for 10,000, 4 s for 100,000, and time
// for a block that grows by no more than 1.2x from one end to the other.
func BenchmarkForEach(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			dir := files(b, map[string]string{"a.mbuild.hcl": blocksByForEach(n)})
			b.ReportAllocs()
			for b.Loop() {
				s, diags := Load(context.Background(), Request{Dir: dir, Kinds: catalog{}})
				if diags.HasErrors() || len(s.Blocks) != n+2 {
					b.Fatal(len(s.Blocks), render(diags))
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "µs/block")
		})
	}
}

// BenchmarkLiteral loads 10,000 blocks that are written out, in 100 files.
func BenchmarkLiteral(b *testing.B) {
	byName := map[string]string{"d.mbuild.hcl": "dataset \"csv\" \"d\" { files = [\"d.csv\"] }\n"}
	for f := range 100 {
		var text strings.Builder
		for i := range 100 {
			fmt.Fprintf(&text, "train \"supervised\" \"t%d_%d\" {\n  data = dataset.csv.d.data\n  epochs = 8\n  seed = %d\n  optimizer \"adam\" {\n    lr = 1e-3\n  }\n}\n", f, i, i)
		}
		byName[fmt.Sprintf("f%02d.mbuild.hcl", f)] = text.String()
	}
	dir := files(b, byName)
	b.ReportAllocs()
	for b.Loop() {
		s, diags := Load(context.Background(), Request{Dir: dir, Kinds: catalog{}})
		if diags.HasErrors() || len(s.Blocks) != 10_001 {
			b.Fatal(len(s.Blocks), render(diags))
		}
	}
}

// tenThousandCUE is the same in CUE, by comprehension.
const tenThousandCUE = `
import "list"

dataset: csv: d: files: ["d.csv"]
model: layers: m: layer: [{dense: h: units: 64}]
_seeds: list.Range(0, 5000, 1)
train: supervised: t: for_each: {
	for i in _seeds {"s\(i)": {
		graph:  model.layers.m.graph
		data:   dataset.csv.d.data
		epochs: 5 + 3
		seed:   i
		loss:   "cross_entropy"
		optimizer: adam: lr: 0.0001 * (1 + i)
	}}
}
pass: prune: p: for_each: {
	for i in _seeds {"s\(i)": {
		from:     train.supervised.t.for_each["s\(i)"].model
		sparsity: 0.5
	}}
}
`

// BenchmarkCUE loads 10,000 blocks of two comprehensions. The target is 1.2 s.
func BenchmarkCUE(b *testing.B) {
	dir := files(b, map[string]string{"a.mbuild.cue": tenThousandCUE})
	b.ReportAllocs()
	for b.Loop() {
		s, diags := Load(context.Background(), Request{Dir: dir, Kinds: catalog{}})
		if diags.HasErrors() || len(s.Blocks) != 10_002 {
			b.Fatal(len(s.Blocks), render(diags))
		}
	}
}
