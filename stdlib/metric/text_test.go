package metric

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// TestEntities: cases of conlleval (its perl source was followed by hand) and of seqeval for S- and E-.
func TestEntities(t *testing.T) {
	for tags, want := range map[string][]Entity{
		"":                            nil,
		"O O":                         nil,
		"B-A I-A O B-A":               {{0, 2, "A"}, {3, 4, "A"}},
		"I-A I-A B-A I-B":             {{0, 2, "A"}, {2, 3, "A"}, {3, 4, "B"}},
		"O I-A O":                     {{1, 2, "A"}},
		"B-A B-A":                     {{0, 1, "A"}, {1, 2, "A"}},
		"S-A B-A E-A O":               {{0, 1, "A"}, {1, 3, "A"}},
		"E-A E-A I-A":                 {{0, 1, "A"}, {1, 2, "A"}, {2, 3, "A"}},
		"B-A I-A I-A E-B":             {{0, 3, "A"}, {3, 4, "B"}},
		"X-A B-A":                     {{1, 2, "A"}},
		"B-PER-x I-PER-x":             {{0, 2, "PER-x"}},
		"B I O":                       {{0, 2, ""}},
		"I-LOC I-LOC B-LOC I-LOC O O": {{0, 2, "LOC"}, {2, 4, "LOC"}},
	} {
		if got := Entities(strings.Fields(tags)); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", tags, got, want)
		}
	}
}

// TestTag measures by hand: three entities, four predicted, two of them right.
func TestTag(t *testing.T) {
	right := [][]string{strings.Fields("B-PER I-PER O B-LOC"), strings.Fields("O B-PER O")}
	predicted := [][]string{strings.Fields("B-PER I-PER O B-ORG"), strings.Fields("B-LOC B-PER O")}
	got := Tag(predicted, right)
	want := Tagging{Precision: 0.5, Recall: 2.0 / 3, F1: 4.0 / 7, MacroF1: 1.0 / 3, Accuracy: 5.0 / 7, Words: 7, Entities: 3, Predicted: 4, Correct: 2, PerType: []Class{
		{Class: "LOC", Support: 1}, {Class: "ORG"}, {Class: "PER", Precision: 1, Recall: 1, F1: 1, Support: 2}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	if z := Tag([][]string{{"O"}}, [][]string{{"O"}}); z.F1 != 0 || z.Accuracy != 1 {
		t.Errorf("%+v", z)
	}
}

// agree is equality to 1e-9.
func agree(a, b float64) bool { return math.Abs(a-b) <= 1e-9 || math.IsNaN(a) && math.IsNaN(b) }

func TestLanguage(t *testing.T) {
	var l Language
	l.Add([]float32{0, float32(math.Log(3))}, 1) // p = 3/4
	l.Add([]float32{1, 1}, 1)                    // p = 1/2, and the first counts
	l.Bytes = 4
	nll := math.Log(4.0/3) + math.Ln2
	for i, x := range [][2]float64{{l.Loss(), nll / 2}, {l.Perplexity(), math.Sqrt(8.0 / 3)}, {l.BitsPerByte(), nll / math.Ln2 / 4}, {l.Accuracy(), 0.5}} {
		if math.Abs(x[0]-x[1]) > 1e-7 { // the logit is a float32
			t.Errorf("measure %d is %v, want %v", i, x[0], x[1])
		}
	}
	// A model that knows nothing has a perplexity of its vocabulary.
	var u Language
	for i := range 50 {
		u.Add(make([]float32, 50), i)
	}
	if math.Abs(u.Perplexity()-50) > 1e-9 || u.Hits != 1 {
		t.Errorf("%v", u.Perplexity())
	}
	if e := (&Language{}); !math.IsNaN(e.Loss()) {
		t.Error(e.Loss())
	}
}

// TestRank measures by hand.
func TestRank(t *testing.T) {
	q := []Query{
		{Scores: []float64{0.1, 0.9, 0.5, 0.3}, Gains: []float64{1, 0, 1, 0}}, // relevant at places 2 and 4
		{Scores: []float64{1, 1}, Gains: []float64{0, 2}},                     // a tie: place 2
		{Scores: []float64{1, 2}, Gains: []float64{0, 0}},
		{Scores: []float64{math.NaN(), 0}, Gains: []float64{0, 1}}, // place 1
	}
	r := Rank(q, []int{1, 2, 10})
	d := func(i float64) float64 { return 1 / math.Log2(i+1) }
	if r.Queries != 3 || r.Skipped != 1 || !agree(r.MRR, (0.5+0.5+1)/3) || !agree(r.Recall[1], 1.0/3) || !agree(r.Recall[2], 2.5/3) || !agree(r.Recall[10], 1) {
		t.Errorf("%+v", r)
	}
	if want := ((d(2)+d(4))/(d(1)+d(2)) + d(2) + 1) / 3; !agree(r.NDCG[10], want) || !agree(r.NDCG[1], 1.0/3) {
		t.Errorf("%+v, want %v", r.NDCG, want)
	}
	var parts Ranking
	parts.Recall, parts.NDCG = map[int]float64{}, map[int]float64{}
	for _, x := range q {
		parts.Merge(Rank([]Query{x}, []int{1, 2, 10}))
	}
	if parts.Queries != 3 || parts.Skipped != 1 || !agree(parts.MRR, r.MRR) || !agree(parts.Recall[2], r.Recall[2]) || !agree(parts.NDCG[10], r.NDCG[10]) {
		t.Errorf("in parts %+v, at once %+v", parts, r)
	}
	if e := Rank(nil, []int{1}); e.MRR != 0 || e.Recall[1] != 0 {
		t.Errorf("%+v", e)
	}
}

func TestCorrelation(t *testing.T) {
	// Ranks 1, 2.5, 2.5, 4 and 1, 2, 4, 3.
	if got := Spearman([]float64{1, 5, 5, 9}, []float64{0, 1, 8, 4}); !agree(got, 3/math.Sqrt(4.5*5)) {
		t.Errorf("%v", got)
	}
	if got := Spearman([]float64{1, 2, 3}, []float64{-1, -8, -27}); got != -1 {
		t.Errorf("%v", got)
	}
	for _, v := range []float64{Spearman([]float64{1, 1}, []float64{1, 2}), Spearman(nil, nil), Spearman([]float64{1, math.NaN()}, []float64{1, 2}), Pearson([]float64{1}, []float64{1})} {
		if !math.IsNaN(v) {
			t.Errorf("%v, want NaN", v)
		}
	}
	if Cosine([]float32{3, 0}, []float32{3, 4}) != 0.6 || Cosine([]float32{0}, []float32{1}) != 0 {
		t.Error("Cosine")
	}
}

// TestRefereeMetrics holds entities, F1 by type, nDCG and correlations against seqeval, scikit-learn and scipy: 1,000 random sets of sentences, sound
// tags and others, to 1e-9.
func TestRefereeMetrics(t *testing.T) {
	python := os.Getenv("MBUILD_REFEREE_PYTHON")
	if python == "" {
		t.Skip("needs seqeval: set MBUILD_REFEREE_PYTHON (see .ci/run)")
	}
	rng := rand.New(rand.NewPCG(5, 6))
	type set struct {
		Predicted [][]string `json:"predicted"`
		Right     [][]string `json:"right"`
	}
	var sets []set
	for range 1000 {
		letters := []string{"BIO", "IO", "BIESO"}[rng.IntN(3)]
		sequence := func(n int) []string {
			s := make([]string, n)
			for i := range s {
				if s[i] = string(letters[rng.IntN(len(letters))]); s[i] != "O" {
					s[i] += "-" + []string{"PER", "LOC", "ORG", "X-Y"}[rng.IntN(1+rng.IntN(4))]
				}
				if rng.IntN(3) == 0 {
					s[i] = "O"
				}
			}
			return s
		}
		var x set
		for range 1 + rng.IntN(5) {
			n := 1 + rng.IntN(15)
			right := sequence(n)
			predicted := sequence(n)
			for i := range predicted {
				if rng.IntN(3) > 0 {
					predicted[i] = right[i]
				}
			}
			x.Right, x.Predicted = append(x.Right, right), append(x.Predicted, predicted)
		}
		sets = append(sets, x)
	}
	type ranking struct {
		Scores []float64 `json:"scores"`
		Gains  []float64 `json:"gains"`
	}
	type pair struct {
		X []float64 `json:"x"`
		Y []float64 `json:"y"`
	}
	var rankings []ranking
	var pairs []pair
	for range 300 {
		var r ranking
		var p pair
		for range 2 + rng.IntN(30) {
			r.Scores, r.Gains = append(r.Scores, rng.Float64()), append(r.Gains, float64(rng.IntN(4)))
			p.X, p.Y = append(p.X, float64(rng.IntN(8))), append(p.Y, rng.NormFloat64())
		}
		r.Gains[0]++
		p.X[0], p.X[1] = 9, -1 // they vary
		rankings, pairs = append(rankings, r), append(pairs, p)
	}
	request, err := json.Marshal(map[string]any{"tags": sets, "rankings": rankings, "k": 10, "pairs": pairs})
	if err != nil {
		t.Fatal(err)
	}
	in := filepath.Join(t.TempDir(), "request.json")
	if err := os.WriteFile(in, request, 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "../../testdata/referee/metrics.py", in)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	type measures struct {
		F1, Precision, Recall, Accuracy float64
		Support                         int
		Types                           map[string]measures
		Entities                        [][][3]any
	}
	var want struct {
		Tags                    []measures
		NDCG, Spearman, Pearson []float64
	}
	if err := json.Unmarshal(out, &want); err != nil {
		t.Fatal(err)
	}
	for i, s := range sets {
		got, w := Tag(s.Predicted, s.Right), want.Tags[i]
		same := agree(got.F1, w.F1) && agree(got.Precision, w.Precision) && agree(got.Recall, w.Recall) && agree(got.Accuracy, w.Accuracy) && len(got.PerType) == len(w.Types)
		for _, c := range got.PerType {
			x := w.Types[c.Class]
			same = same && agree(c.F1, x.F1) && agree(c.Precision, x.Precision) && agree(c.Recall, x.Recall) && c.Support == x.Support
		}
		for k, tags := range s.Right {
			ents := Entities(tags)
			same = same && len(ents) == len(w.Entities[k])
			for n := 0; same && n < len(ents); n++ {
				e := w.Entities[k][n]
				same = float64(ents[n].From) == e[0] && float64(ents[n].To) == e[1] && ents[n].Type == e[2]
			}
		}
		if !same {
			t.Fatalf("%v\n%v\n got %+v\nwant %+v", s.Right, s.Predicted, got, w)
		}
	}
	for i, r := range rankings {
		if got := Rank([]Query{{r.Scores, r.Gains}}, []int{10}).NDCG[10]; !agree(got, want.NDCG[i]) {
			t.Fatalf("%+v: %v, want %v", r, got, want.NDCG[i])
		}
	}
	for i, p := range pairs {
		if s, r := Spearman(p.X, p.Y), Pearson(p.X, p.Y); !agree(s, want.Spearman[i]) || !agree(r, want.Pearson[i]) {
			t.Fatalf("%+v: %v and %v, want %v and %v", p, s, r, want.Spearman[i], want.Pearson[i])
		}
	}
}
