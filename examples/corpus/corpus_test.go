package corpus

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFiles: the files of the examples are what this package makes. With MBUILD_UPDATE=1 it writes them.
func TestFiles(t *testing.T) {
	for example, files := range map[string]map[string]string{"ner": NER(), "support-intents": Intents(), "financial-sentiment": Headlines()} {
		for name, want := range files {
			p := filepath.Join("..", example, filepath.FromSlash(name))
			if os.Getenv("MBUILD_UPDATE") != "" {
				if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(p, []byte(want), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if b, err := os.ReadFile(p); err != nil || string(b) != want {
				t.Errorf("%s: %v; it is not what this package makes of it (MBUILD_UPDATE=1 writes it)", p, err)
			}
		}
		entries, err := os.ReadDir(filepath.Join("..", example, "data"))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if _, ok := files["data/"+e.Name()]; !ok {
				t.Errorf("%s/data/%s is made by nobody", example, e.Name())
			}
		}
	}
}

// TestHeldOut: sentences and names for training, to choose by, and for testing have nothing in common.
func TestHeldOut(t *testing.T) {
	apart := func(what string, a, b []string) {
		t.Helper()
		in := map[string]bool{}
		for _, x := range a {
			in[x] = true
		}
		for _, x := range b {
			if in[x] {
				t.Errorf("%s: %q is in both", what, x)
			}
		}
	}
	for _, pair := range []struct {
		a, b               *gazetteer
		sentences, against []string
	}{{&trainNames, &testNames, trainSentences, testSentences}, {&trainNames, &choiceNames, trainSentences, choiceSentences}, {&choiceNames, &testNames, choiceSentences, testSentences}} {
		apart("first names", pair.a.first, pair.b.first)
		apart("surnames", pair.a.last, pair.b.last)
		apart("places", pair.a.places, pair.b.places)
		apart("companies", pair.a.cores, pair.b.cores)
		apart("sentences", pair.sentences, pair.against)
	}
	for _, pair := range [][2]*words{{&trainWords, &testWords}, {&trainWords, &validWords}, {&validWords, &testWords}} {
		apart("companies of headlines", pair[0].companies, pair[1].companies)
		for _, f := range []func(*words) []string{func(w *words) []string { return w.plain }, func(w *words) []string { return w.negation },
			func(w *words) []string { return w.numbers }, func(w *words) []string { return w.none }} {
			apart("headlines", f(pair[0]), f(pair[1]))
		}
	}
	for _, x := range intents {
		for _, part := range [][2]string{{x.enTrain, x.enTest}, {x.enTrain, x.enValid}, {x.enValid, x.enTest}, {x.zhTrain, x.zhTest}, {x.zhTrain, x.zhValid}, {x.zhValid, x.zhTest}} {
			apart(x.name, parts(part[0]), parts(part[1]))
		}
	}
	apart("what is out of scope", outsideEnglishValid, outsideEnglish)
	apart("what is out of scope", outsideChineseValid, outsideChinese)
}

// TestSentiment holds the rules of headlines against cases read by hand.
func TestSentiment(t *testing.T) {
	want := map[string]string{}
	for _, h := range []headline{
		{Text: "profit falls", Sentiment: "negative", Kind: "plain"}, {Text: "profit rises", Sentiment: "positive", Kind: "plain"},
		{Text: "costs rises", Sentiment: "negative", Kind: "polarity"}, {Text: "costs falls", Sentiment: "positive", Kind: "polarity"},
		{Text: "does not expect a rise in profit", Sentiment: "negative", Kind: "negation"}, {Text: "does not expect a fall in profit", Sentiment: "positive", Kind: "negation"},
		{Text: "does not expect a rise in costs", Sentiment: "positive", Kind: "negation"}, {Text: "does not expect a fall in costs", Sentiment: "negative", Kind: "negation"},
	} {
		want[h.Kind+" "+h.Text] = h.Sentiment
	}
	w := words{companies: []string{"A"}, good: []string{"profit"}, bad: []string{"costs"}, up: []string{"rises"}, down: []string{"falls"}, rise: []string{"rise"}, fall: []string{"fall"},
		plain: []string{"so +"}, negation: []string{"so does not expect -"}, numbers: []string{"so V X after Y"}}
	seen := map[string]bool{}
	r := random(9)
	for range 200 {
		for _, kind := range []string{"plain", "polarity", "negation"} {
			h := w.one(&r, kind)
			key := kind + " " + strings.TrimPrefix(h.Text, "So ")
			if want[key] != h.Sentiment {
				t.Fatalf("%s: %s, want %s", key, h.Sentiment, want[key])
			}
			seen[key] = true
		}
		var x, y float64
		h := w.one(&r, "numbers")
		f := strings.Fields(h.Text)
		x, y = number(f[2]), number(f[4])
		if (h.Sentiment == "positive") != ((x > y) == (f[1] == "profit")) {
			t.Fatalf("%s: %s", h.Text, h.Sentiment)
		}
	}
	if len(seen) != len(want) {
		t.Errorf("only %d of %d cases came up", len(seen), len(want))
	}
}

func number(s string) (v float64) {
	for _, c := range s {
		if c != '.' {
			v = 10*v + float64(c-'0')
		}
	}
	return v
}
