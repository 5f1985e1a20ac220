package token

import (
	"cmp"
	"container/heap"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// TrainOptions say what tokenizer to train.
type TrainOptions struct {
	Model         string   // WordPiece (the pipeline of BERT) or BPE (byte-level, as of GPT-2)
	VocabSize     int      // tokens, special ones among them
	MinFrequency  int      // how often a pair must occur to be joined
	LimitAlphabet int      // of WordPiece: characters that get tokens, the most frequent; words with others are left aside
	Lowercase     bool     // of WordPiece
	StripAccents  bool     // of WordPiece
	Han           bool     // of WordPiece: each Chinese character is a word
	Normalize     string   // of BPE: NFC, NFKC, or "" for none
	Template      string   // of BPE: what stands around texts: roberta (<s> and </s>), gpt2 (</s> after it), or "" for nothing
	Special       []string // beside those of the model
}

// The special tokens of each model, in the order of their ids.
var (
	bertSpecials    = []string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}
	robertaSpecials = []string{"<s>", "<pad>", "</s>", "<unk>", "<mask>"}
)

// maxTrainWord is the longest word, in bytes, that a trainer takes: a longer one is cut, for a single text without a space must not
// cost the square of its length.
const maxTrainWord = 1024

// Trainer counts the words of texts and makes a tokenizer of them.
type Trainer struct {
	o         TrainOptions
	normalize normalizer
	split     splitter
	words     map[string]int64
	special   []string
}

// NewTrainer makes a trainer that has seen nothing.
func NewTrainer(o TrainOptions) (*Trainer, error) {
	t := &Trainer{o: o, words: map[string]int64{}}
	switch o.Model {
	case "WordPiece":
		t.normalize, t.split = o.bert().normalize, each(bertWords)
		t.special = slices.Clone(bertSpecials)
	case "BPE":
		t.split = byteLevelSplitter(false, true)
		t.special = slices.Clone(robertaSpecials)
		if o.Normalize != "" {
			t.normalize = unicodeForm(o.Normalize)
		}
	default:
		return nil, fmt.Errorf("there is no trainer for %q", o.Model)
	}
	for _, s := range o.Special {
		if s == "" || !utf8.ValidString(s) || slices.Contains(t.special, s) {
			return nil, fmt.Errorf("special token %q is empty, no UTF-8, or there twice", s)
		}
		t.special = append(t.special, s)
	}
	if o.VocabSize > maxID {
		return nil, fmt.Errorf("a vocabulary of %d tokens; at most %d are supported", o.VocabSize, maxID)
	}
	return t, nil
}

func (o *TrainOptions) bert() bert {
	return bert{clean: true, han: o.Han, strip: o.StripAccents, lower: o.Lowercase}
}

// Add counts the words of a text.
func (t *Trainer) Add(s string) {
	x := newText(s)
	if t.normalize != nil {
		x = t.normalize(x)
	}
	if len(x.b) == 0 {
		return
	}
	for _, w := range t.split([]text{x}) {
		b := w.b
		if t.o.Model == "WordPiece" && len(b) > defaultLongest && utf8.RuneCount(b) > defaultLongest {
			continue // encoding makes it the unknown token, whatever is learnt
		}
		for len(b) > maxTrainWord {
			n := maxTrainWord
			for !utf8.RuneStart(b[n]) {
				n--
			}
			t.words[string(b[:n])]++
			b = b[n:]
		}
		if len(b) > 0 {
			t.words[string(b)]++
		}
	}
}

// TooSmall is a vocabulary without room for its characters.
type TooSmall struct{ Size, Needed int }

func (e *TooSmall) Error() string {
	return fmt.Sprintf("a vocabulary of %d tokens has no room: special tokens and characters are %d", e.Size, e.Needed)
}

// Train makes the tokenizer. Pairs are joined by how often they occur, of equals that with the lower ids first (Sennrich et al. 2016,
// as the tokenizers library does it, for WordPiece too); so the result is a function of the counts of words alone: of the texts, and not
// of their order. Steps, if not nil, is called now and then with the number of tokens so far.
func (t *Trainer) Train(ctx context.Context, steps func(tokens int)) (*Tokenizer, error) {
	l := &learner{ids: map[string]int32{}, counts: map[[2]int32]int64{}, where: map[[2]int32]map[int32]bool{}}
	for _, s := range t.special {
		l.id(s)
	}
	if t.o.Model == "WordPiece" {
		l.prefix = "##"
		l.alphabet(t.words, t.o.LimitAlphabet)
	} else {
		for _, r := range slices.Sorted(maps.Keys(runeBytes)) {
			l.id(string(r))
		}
		l.take(t.words, nil)
	}
	if n := len(l.tokens); n > t.o.VocabSize {
		return nil, &TooSmall{t.o.VocabSize, n}
	}
	if err := l.learn(ctx, t.o.VocabSize, int64(t.o.MinFrequency), steps); err != nil {
		return nil, err
	}
	v, err := newVocab(l.ids)
	if err != nil {
		return nil, err
	}
	if t.o.Model == "WordPiece" {
		return newBERT(v, t.special, t.o.bert())
	}
	return t.o.newByteLevel(v, l.merges, t.special)
}

// newByteLevel makes the pipeline of GPT-2, or of RoBERTa, around what was learnt.
func (o *TrainOptions) newByteLevel(v vocab, merges [][2]string, special []string) (*Tokenizer, error) {
	m, err := newBPE(bpe{vocab: v, merges: merges})
	if err != nil {
		return nil, err
	}
	c := config{PreTokenizer: []byte(`{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}`),
		Decoder: []byte(`{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true}`)}
	if o.Normalize != "" {
		c.Normalizer = marshal(map[string]any{"type": o.Normalize})
	}
	bytes := `{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}`
	bos, eos := v.ids["<s>"], v.ids["</s>"]
	r := map[string]string{Bos: "<s>", Eos: "</s>", Unk: "<unk>", Pad: "<pad>", Mask: "<mask>"}
	switch o.Template {
	case "roberta":
		c.PostProcessor = fmt.Appendf(nil, `{"type":"RobertaProcessing","sep":["</s>",%d],"cls":["<s>",%d],"trim_offsets":true,"add_prefix_space":false}`, eos, bos)
		r[Cls], r[Sep] = "<s>", "</s>"
	case "gpt2":
		end := `{"SpecialToken":{"id":"</s>","type_id":0}}`
		c.PostProcessor = fmt.Appendf(nil, `{"type":"Sequence","processors":[%s,{"type":"TemplateProcessing","single":[{"Sequence":{"id":"A","type_id":0}},%s],"pair":[{"Sequence":{"id":"A","type_id":0}},%s,{"Sequence":{"id":"B","type_id":1}},%s],"special_tokens":{"</s>":{"id":"</s>","ids":[%d],"tokens":["</s>"]}}}]}`, bytes, end, end, end, eos)
	default:
		c.PostProcessor = []byte(bytes)
	}
	var added []AddedToken
	for _, s := range special {
		added = append(added, AddedToken{ID: v.ids[s], Content: s, Special: true, LStrip: s == "<mask>"})
	}
	return build(m, c, added, r)
}

// learner learns merges.
type learner struct {
	prefix string
	tokens []string // by id
	ids    map[string]int32
	words  [][]int32
	times  []int64 // by word
	counts map[[2]int32]int64
	where  map[[2]int32]map[int32]bool // words that a pair was seen in
	queue  frequent
	merges [][2]string
}

// id is the id of a token, a new one if it is new.
func (l *learner) id(s string) int32 {
	id, ok := l.ids[s]
	if !ok {
		id = int32(len(l.tokens))
		l.ids[s] = id
		l.tokens = append(l.tokens, s)
	}
	return id
}

// alphabet gives tokens to characters, the most frequent up to a limit, each as it begins a word and as it goes on, and takes the
// words that are made of them.
func (l *learner) alphabet(words map[string]int64, limit int) {
	counts := map[rune]int64{}
	for w, n := range words {
		for _, r := range w {
			counts[r] += n
		}
	}
	runes := slices.SortedFunc(maps.Keys(counts), func(a, b rune) int { return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b)) })
	if limit > 0 && len(runes) > limit {
		runes = runes[:limit]
	}
	slices.Sort(runes)
	keep := make(map[rune]bool, len(runes))
	for _, r := range runes {
		keep[r] = true
		l.id(string(r))
	}
	l.take(words, keep)
}

// take cuts words into characters. Of those with characters that keep, if it is there, does not have, nothing is learnt.
func (l *learner) take(words map[string]int64, keep map[rune]bool) {
	sorted := slices.Sorted(maps.Keys(words))
	if keep != nil {
		inside := map[rune]bool{}
		for _, w := range sorted {
			for i, r := range w {
				if i > 0 && keep[r] {
					inside[r] = true
				}
			}
		}
		for _, r := range slices.Sorted(maps.Keys(inside)) {
			l.id(l.prefix + string(r))
		}
	}
	for _, w := range sorted {
		if keep != nil && strings.ContainsFunc(w, func(r rune) bool { return !keep[r] }) {
			continue
		}
		var word []int32
		for i, r := range w {
			s := string(r)
			if i > 0 {
				s = l.prefix + s
			}
			word = append(word, l.id(s))
		}
		l.words, l.times = append(l.words, word), append(l.times, words[w])
	}
}

// learn joins pairs until there are so many tokens, or no pair is frequent enough.
func (l *learner) learn(ctx context.Context, size int, min int64, steps func(int)) error {
	for i := range l.words {
		l.count(int32(i), 1)
	}
	for p, n := range l.counts {
		l.queue = append(l.queue, frequency{n, p})
	}
	heap.Init(&l.queue)
	for len(l.tokens) < size && len(l.queue) > 0 {
		top := heap.Pop(&l.queue).(frequency)
		if n := l.counts[top.pair]; n != top.n {
			if n > 0 && n < top.n { // it became rarer; where it became more frequent, it is in the queue again
				heap.Push(&l.queue, frequency{n, top.pair})
			}
			continue
		}
		if top.n < max(min, 1) {
			return nil
		}
		if len(l.merges)%1000 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			if steps != nil {
				steps(len(l.tokens))
			}
		}
		l.join(top.pair)
	}
	return nil
}

// count adds the pairs of a word to the counts, or takes them away.
func (l *learner) count(word int32, sign int64) {
	w := l.words[word]
	for i := 1; i < len(w); i++ {
		p := [2]int32{w[i-1], w[i]}
		l.counts[p] += sign * l.times[word]
		if sign > 0 {
			if l.where[p] == nil {
				l.where[p] = map[int32]bool{}
			}
			l.where[p][word] = true
		}
	}
}

// join makes one token of a pair, wherever it stands.
func (l *learner) join(p [2]int32) {
	a, b := l.tokens[p[0]], l.tokens[p[1]]
	id := l.id(a + strings.TrimPrefix(b, l.prefix))
	l.merges = append(l.merges, [2]string{a, b})
	changed := map[[2]int32]int64{} // counts before, of pairs that may have become more frequent
	for i := range l.where[p] {
		w := l.words[i]
		l.count(i, -1)
		out := w[:0]
		for k := 0; k < len(w); k++ {
			if k+1 < len(w) && w[k] == p[0] && w[k+1] == p[1] {
				out = append(out, id)
				k++
			} else {
				out = append(out, w[k])
			}
		}
		l.words[i] = out
		for k := 1; k < len(out); k++ {
			if q := [2]int32{out[k-1], out[k]}; q[0] == id || q[1] == id {
				changed[q] = 0
			}
		}
		l.count(i, 1)
	}
	delete(l.where, p)
	delete(l.counts, p)
	for q := range changed {
		heap.Push(&l.queue, frequency{l.counts[q], q})
	}
}

// frequency is how often a pair occurred when it was put into the queue.
type frequency struct {
	n    int64
	pair [2]int32
}

type frequent []frequency

func (q frequent) Len() int { return len(q) }
func (q frequent) Less(i, j int) bool {
	if q[i].n != q[j].n {
		return q[i].n > q[j].n
	}
	return q[i].pair[0] < q[j].pair[0] || q[i].pair[0] == q[j].pair[0] && q[i].pair[1] < q[j].pair[1]
}
func (q frequent) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *frequent) Push(x any)   { *q = append(*q, x.(frequency)) }
func (q *frequent) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}
