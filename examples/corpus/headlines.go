package corpus

import (
	"encoding/json"
	"fmt"
	"strings"
)

// headline is one headline. Kind is what a model must understand for it: a plain word for up or down (plain), that more of it is bad
// (polarity), a negation, which of two numbers is the greater, or that there is no news of that sort (none).
type headline struct {
	Text      string `json:"headline"`
	Sentiment string `json:"sentiment,omitempty"`
	Kind      string `json:"kind,omitempty"`
}

// words are what headlines are made of. In a sentence A is a company, G something of which more is good, B something of which more is
// bad, and V either; + is either of them and that it goes up or down, - a movement that does not come to be; N, X and Y are numbers, D a
// day and M a month.
type words struct {
	companies, good, bad, up, down, rise, fall []string
	plain, negation, numbers, none             []string
}

var (
	trainWords = words{
		companies: strings.Fields(`Altura Brightwater Corvex Evenor Ferrum Helix Keystone Lumina Medira Northwind Novatec Orbis Quantos Redwood Solara
			Stonegate Tramonto Vantage Acorn Bluepeak`),
		good: parts(`profit | revenue | sales | orders | the margin | earnings | the dividend | cash flow | output | demand`),
		bad:  parts(`costs | debt | losses | defaults | layoffs | complaints | writedowns | outages | churn | the deficit`),
		up:   parts(`rose | climbed | jumped | grew | increased | surged`),
		down: parts(`fell | dropped | slid | shrank | declined | sank`),
		rise: parts(`rise | climb | grow | increase | surge`),
		fall: parts(`fall | drop | shrink | decline | sink`),
		plain: parts(`A : + N percent | + at A in the third quarter | A says + by N percent | + N percent at A after strong year |
			+ again at A | Analysts : + at A this year | A reports + for third year running`),
		negation: parts(`A does not expect - this year | A denies that - | No sign that - at A , analysts say | A : - is unlikely |
			A rules out - before summer | It is not true that - , says A`),
		numbers: parts(`A posts V of X bn , against Y bn a year ago | V at A goes from Y bn to X bn | A : V X percent , previously Y percent |
			A sees V of X mn after Y mn last quarter`),
		none: parts(`A names new head of research | A to publish results on D | A moves headquarters | Board of A meets in M | A and rivals attend trade fair |
			G at A unchanged | A signs lease for new office | B at A as expected | A celebrates N years | Interview : the founder of A on G`),
	}
	validWords = words{
		companies: strings.Fields(`Meridian Larkfield Pinnacle Solstice Granite Hawthorne Elmbridge Cascade Beacon Tidewater`),
		good:      trainWords.good, bad: trainWords.bad, up: trainWords.up, down: trainWords.down, rise: trainWords.rise, fall: trainWords.fall,
		plain:    parts(`At A , + by N percent | A announces that + | + at A before M`),
		negation: parts(`A has no reason to expect - | Nobody at A believes that - | - at A ? Not this year , analysts say`),
		numbers:  parts(`A reports V of X bn after Y bn in M | At A , V was Y mn and is X mn`),
		none:     parts(`A moves research to new office | The board of A publishes report on D | G and B : A as analysts expected | N years of A`),
	}
	testWords = words{
		companies: strings.Fields(`Paragon Clearbrook Zenith Castellan Ironbridge Veridian Maplewood Octavia Sentinel Aurora`),
		good:      trainWords.good, bad: trainWords.bad, up: trainWords.up, down: trainWords.down, rise: trainWords.rise, fall: trainWords.fall,
		plain:    parts(`A : + sharply | In the second quarter , + by N percent at A | + at A , says chief executive`),
		negation: parts(`A : no , - is not expected | Analysts deny that - at A | It is unlikely that - , A says`),
		numbers:  parts(`V of A now X bn , a year ago Y bn | A : V X mn , against Y mn last quarter`),
		none:     parts(`A opens N new offices in M | A names new chief executive in M | G and B of A as expected | Analysts meet board of A in M`),
	}
)

// Headlines is headlines of companies with their sentiment, and two batches of them without. Sentences and companies of valid.jsonl are in
// no other file, so that settings can be chosen by it.
func Headlines() map[string]string {
	r, v := random(3), random(5)
	seen := map[string]bool{}
	kinds := []string{"plain", "polarity", "negation", "numbers", "none"}
	labelled := func(r *random, w *words, n int) string {
		var list []headline
		for i := range n {
			list = append(list, w.fresh(r, seen, kinds[i%len(kinds)], ""))
		}
		shuffle(r, list)
		return lines(list)
	}
	batch := func(negative int) string {
		var list []headline
		for i := range 200 {
			want := "negative"
			if i >= negative {
				want = []string{"positive", "neutral"}[i%2]
			}
			kind := "none"
			if want != "neutral" {
				kind = kinds[i%4]
			}
			h := testWords.fresh(&r, seen, kind, want)
			list = append(list, headline{Text: h.Text})
		}
		shuffle(&r, list)
		return lines(list)
	}
	return map[string]string{
		"data/train.jsonl": labelled(&r, &trainWords, 4000), "data/test.jsonl": labelled(&r, &testWords, 500),
		"data/monday.jsonl": batch(56), "data/tuesday.jsonl": batch(124),
		"data/valid.jsonl": labelled(&v, &validWords, 500),
	}
}

// lines is a value a line, in JSON.
func lines[T any](list []T) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for _, x := range list {
		if err := enc.Encode(x); err != nil {
			panic(err) // structs of strings
		}
	}
	return b.String()
}

// fresh is a headline that was not there yet, of a sentiment where one is wanted.
func (w *words) fresh(r *random, seen map[string]bool, kind, want string) headline {
	for {
		h := w.one(r, kind)
		if want != "" && h.Sentiment != want || seen[h.Text] {
			continue
		}
		seen[h.Text] = true
		return h
	}
}

// one is a headline of a kind.
func (w *words) one(r *random, kind string) headline {
	up, bad := r.n(2) == 0, kind == "polarity" || kind != "plain" && r.n(2) == 0
	thing := r.of(w.good)
	if bad {
		thing = r.of(w.bad)
	}
	good := up != bad // more of what is good, or less of what is bad
	values := map[string]string{"A": r.of(w.companies), "G": r.of(w.good), "B": r.of(w.bad), "V": thing, "N": fmt.Sprint(2 + r.n(60)), "D": r.of(days), "M": r.of(months)}
	var sentence string
	switch kind {
	case "plain", "polarity":
		verb := r.of(w.up)
		if !up {
			verb = r.of(w.down)
		}
		sentence, values["+"] = r.of(w.plain), thing+" "+verb
	case "negation":
		good = !good
		sentence = r.of(w.negation)
		verb, noun := r.of(w.rise), "a rise in "
		if !up {
			verb, noun = r.of(w.fall), "a fall in "
		}
		values["-"] = noun + thing
		if strings.Contains(sentence, "that -") {
			values["-"] = thing + " will " + verb
		}
	case "numbers":
		y := 12 + r.n(70)
		x := y + 3 + r.n(97-y)
		if !up {
			x, y = y, x
		}
		sentence = r.of(w.numbers)
		values["X"], values["Y"] = decimal(x), decimal(y)
	default:
		h := headline{Text: fill(r.of(w.none), values), Sentiment: "neutral", Kind: kind}
		return h
	}
	h := headline{Text: fill(sentence, values), Sentiment: "negative", Kind: kind}
	if good {
		h.Sentiment = "positive"
	}
	return h
}

// decimal is tenths.
func decimal(n int) string { return fmt.Sprintf("%d.%d", n/10, n%10) }

// fill puts values into the places of a sentence, and a capital at its beginning.
func fill(sentence string, values map[string]string) string {
	fields := strings.Fields(sentence)
	for i, f := range fields {
		if v, ok := values[f]; ok {
			fields[i] = v
		}
	}
	s := strings.Join(fields, " ")
	for _, mark := range []string{",", ":"} {
		s = strings.ReplaceAll(s, " "+mark, mark)
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
