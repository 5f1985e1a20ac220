package token

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// file is tokenizer.json.
type file struct {
	AddedTokens   []AddedToken    `json:"added_tokens"`
	Normalizer    json.RawMessage `json:"normalizer"`
	PreTokenizer  json.RawMessage `json:"pre_tokenizer"`
	PostProcessor json.RawMessage `json:"post_processor"`
	Decoder       json.RawMessage `json:"decoder"`
	Model         json.RawMessage `json:"model"`
}

// modelFile is what of the model of tokenizer.json all types of models have.
type modelFile struct {
	Type         string          `json:"type"`
	Vocab        json.RawMessage `json:"vocab"`
	Merges       json.RawMessage `json:"merges"`
	Unk          *string         `json:"unk_token"`
	Prefix       *string         `json:"continuing_subword_prefix"`
	Suffix       *string         `json:"end_of_word_suffix"`
	Longest      *int            `json:"max_input_chars_per_word"`
	FuseUnk      bool            `json:"fuse_unk"`
	ByteFallback bool            `json:"byte_fallback"`
	IgnoreMerges bool            `json:"ignore_merges"`
	UnkID        *int32          `json:"unk_id"`
}

// Read reads a tokenizer: the text of tokenizer.json. What it asks for and this package does not know is an error that names it. Settings
// that speak of the roles of special tokens are in other files: see Configure.
func Read(b []byte) (*Tokenizer, error) {
	var f file
	if err := unmarshal(b, &f); err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	if len(f.Model) == 0 {
		return nil, errors.New("tokenizer.json has no member \"model\"; is it a file of the tokenizers library?")
	}
	m, err := readModel(f.Model)
	if err != nil {
		return nil, fmt.Errorf("tokenizer.json: model: %w", err)
	}
	t, err := build(m, config{f.Normalizer, f.PreTokenizer, f.PostProcessor, f.Decoder}, f.AddedTokens, nil)
	if err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	t.guessRoles()
	return t, nil
}

// unmarshal reads JSON, and says where it is wrong.
func unmarshal(b []byte, into any) error {
	b = bytes.TrimPrefix(b, []byte("\ufeff"))
	err := json.Unmarshal(b, into)
	var syntax *json.SyntaxError
	var typ *json.UnmarshalTypeError
	at := int64(-1)
	switch {
	case errors.As(err, &syntax):
		at = syntax.Offset
	case errors.As(err, &typ):
		at = typ.Offset
	}
	if at >= 0 && at <= int64(len(b)) {
		before := b[:at]
		return fmt.Errorf("line %d, column %d: %w", 1+bytes.Count(before, []byte("\n")), max(1, int(at)-1-bytes.LastIndexByte(before, '\n')), err)
	}
	return err
}

func readModel(raw json.RawMessage) (model, error) {
	var f modelFile
	if err := json.Unmarshal(raw, &f); err != nil {
		return nil, err
	}
	text := func(s *string, otherwise string) string {
		if s == nil {
			return otherwise
		}
		return *s
	}
	if f.Type == "" { // files of old versions
		switch v := bytes.TrimSpace(f.Vocab); {
		case len(f.Merges) > 0:
			f.Type = "BPE"
		case len(v) > 0 && v[0] == '[':
			f.Type = "Unigram"
		default:
			f.Type = "WordPiece"
		}
	}
	if f.Type == "Unigram" {
		return readUnigram(&f)
	}
	var ids map[string]int32
	if err := json.Unmarshal(f.Vocab, &ids); err != nil {
		return nil, fmt.Errorf("vocab: %w", err)
	}
	v, err := newVocab(ids)
	if err != nil {
		return nil, err
	}
	switch f.Type {
	case "WordPiece":
		longest := defaultLongest
		if f.Longest != nil {
			longest = *f.Longest
		}
		return newWordPiece(v, text(f.Unk, "[UNK]"), text(f.Prefix, "##"), longest)
	case "WordLevel":
		return newWordLevel(v, text(f.Unk, "<unk>"))
	case "BPE":
		merges, err := readMerges(f.Merges)
		if err != nil {
			return nil, err
		}
		return newBPE(bpe{vocab: v, merges: merges, unkText: text(f.Unk, ""), prefix: text(f.Prefix, ""), suffix: text(f.Suffix, ""),
			fuseUnk: f.FuseUnk, byteFallback: f.ByteFallback, ignoreMerges: f.IgnoreMerges})
	}
	return nil, fmt.Errorf("its type is %q; known are BPE, Unigram, WordLevel and WordPiece", f.Type)
}

func readUnigram(f *modelFile) (model, error) {
	var list [][]json.RawMessage
	if err := json.Unmarshal(f.Vocab, &list); err != nil {
		return nil, fmt.Errorf("vocab: %w", err)
	}
	tokens := make([]scored, len(list))
	for i, l := range list {
		if len(l) != 2 || json.Unmarshal(l[0], &tokens[i].token) != nil || json.Unmarshal(l[1], &tokens[i].score) != nil {
			return nil, fmt.Errorf("vocab: element %d is not a list of a token and its score", i)
		}
		tokens[i].text = string(l[1])
		tokens[i].score = quick(tokens[i].text, tokens[i].score)
	}
	unk := int32(-1)
	if f.UnkID != nil {
		unk = *f.UnkID
	}
	return newUnigram(tokens, unk, f.ByteFallback)
}

// quick is a number as the library reads it, where it can be told: its whole digits as a float64, times or divided by a power of ten as
// another (serde_json without float_roundtrip). That may be off by one unit in the last place, and where the scores of two ways through a
// word are all but equal, the unit decides.
func quick(text string, exact float64) float64 {
	digits, power, _ := strings.Cut(strings.ToLower(text), "e")
	digits, negative := strings.CutPrefix(digits, "-")
	whole, fraction, _ := strings.Cut(digits, ".")
	n, err := strconv.ParseUint(whole+fraction, 10, 64)
	if err != nil {
		return exact
	}
	exponent := 0
	if power != "" {
		if exponent, err = strconv.Atoi(power); err != nil {
			return exact
		}
	}
	f := float64(n)
	switch exponent -= len(fraction); {
	case exponent < -300 || exponent > 300:
		return exact
	case exponent < 0:
		f /= pow10(-exponent)
	default:
		f *= pow10(exponent)
	}
	if negative {
		f = -f
	}
	return f
}

// pow10 is the float64 nearest to a power of ten.
func pow10(n int) float64 {
	f, _ := strconv.ParseFloat("1e"+strconv.Itoa(n), 64)
	return f
}

// readMerges reads merges as "a b" (old) or ["a", "b"] (new).
func readMerges(raw json.RawMessage) ([][2]string, error) {
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, fmt.Errorf("merges: %w", err)
	}
	out := make([][2]string, len(list))
	for i, m := range list {
		var s string
		var pair []string
		if json.Unmarshal(m, &s) == nil {
			pair = strings.Split(s, " ")
		} else if err := json.Unmarshal(m, &pair); err != nil {
			return nil, fmt.Errorf("merges: element %d is neither a text nor a list", i)
		}
		if len(pair) != 2 {
			return nil, fmt.Errorf("merges: element %d has %d parts, not 2", i, len(pair))
		}
		out[i] = [2]string{pair[0], pair[1]}
	}
	return out, nil
}

// FromVocab makes the tokenizer of BERT of a vocab.txt: a token a line, its id the number of the line from 0.
func FromVocab(b []byte, lowercase bool) (*Tokenizer, error) {
	if !utf8.Valid(b) {
		return nil, errors.New("vocab.txt is not UTF-8")
	}
	ids := map[string]int32{}
	lines := strings.Split(strings.TrimRight(string(b), "\r\n"), "\n")
	if len(lines) > maxID {
		return nil, fmt.Errorf("vocab.txt has %d lines; at most %d are supported", len(lines), maxID)
	}
	for i, s := range lines {
		s = strings.TrimSuffix(s, "\r")
		if old, ok := ids[s]; ok {
			return nil, fmt.Errorf("vocab.txt:%d: token %q is on line %d, too", i+1, s, old+1)
		}
		ids[s] = int32(i)
	}
	for _, s := range []string{"[UNK]", "[CLS]", "[SEP]"} {
		if _, ok := ids[s]; !ok {
			return nil, fmt.Errorf("vocab.txt has no token %s; it must be the vocabulary of a BERT model, a token a line", s)
		}
	}
	return newBERT(vocab{ids}, []string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}, bert{clean: true, han: true, strip: lowercase, lower: lowercase})
}

// newBERT makes the pipeline of BERT around a vocabulary.
func newBERT(v vocab, specials []string, n bert) (*Tokenizer, error) {
	m, err := newWordPiece(v, "[UNK]", "##", defaultLongest)
	if err != nil {
		return nil, err
	}
	var added []AddedToken
	for _, s := range specials {
		if id, ok := v.ids[s]; ok {
			added = append(added, AddedToken{ID: id, Content: s, Special: true})
		}
	}
	cls, sep := v.ids["[CLS]"], v.ids["[SEP]"]
	t, err := build(m, config{
		Normalizer:    marshal(map[string]any{"type": "BertNormalizer", "clean_text": n.clean, "handle_chinese_chars": n.han, "strip_accents": n.strip, "lowercase": n.lower}),
		PreTokenizer:  []byte(`{"type":"BertPreTokenizer"}`),
		PostProcessor: bertTemplate("[CLS]", cls, "[SEP]", sep),
		Decoder:       []byte(`{"type":"WordPiece","prefix":"##","cleanup":true}`),
	}, added, nil)
	if err != nil {
		return nil, err
	}
	t.guessRoles()
	return t, nil
}

// bertTemplate is the post-processor that puts cls before the first text and sep after each.
func bertTemplate(cls string, clsID int32, sep string, sepID int32) []byte {
	special := func(s string, typ int) any {
		return map[string]any{"SpecialToken": map[string]any{"id": s, "type_id": typ}}
	}
	text := func(s string, typ int) any {
		return map[string]any{"Sequence": map[string]any{"id": s, "type_id": typ}}
	}
	token := func(s string, id int32) any {
		return map[string]any{"id": s, "ids": []int32{id}, "tokens": []string{s}}
	}
	return marshal(map[string]any{"type": "TemplateProcessing",
		"single":         []any{special(cls, 0), text("A", 0), special(sep, 0)},
		"pair":           []any{special(cls, 0), text("A", 0), special(sep, 0), text("B", 1), special(sep, 1)},
		"special_tokens": map[string]any{cls: token(cls, clsID), sep: token(sep, sepID)}})
}

// guesses are the tokens that are known for a role.
var guesses = map[string][]string{
	Unk: {"[UNK]", "<unk>", "<|unk|>"}, Pad: {"[PAD]", "<pad>", "<|pad|>", "<|padding|>"}, Cls: {"[CLS]"}, Sep: {"[SEP]"},
	Mask: {"[MASK]", "<mask>", "<|mask|>"}, Bos: {"<s>", "<|startoftext|>", "<bos>"}, Eos: {"</s>", "<|endoftext|>", "<eos>"},
}

// guessRoles gives roles that nothing was said about to tokens that are known for them.
func (t *Tokenizer) guessRoles() {
	for _, role := range roles {
		for _, s := range guesses[role] {
			if t.special[s] && t.Roles[role] == "" {
				t.Roles[role] = s
			}
		}
	}
	if m, ok := t.model.(*wordPiece); ok && t.Roles[Unk] == "" {
		t.Roles[Unk] = m.unkText
	}
	if n := len(t.single); n >= 3 && t.single[0].text < 0 && t.single[n-1].text < 0 && len(t.single[0].ids) == 1 && len(t.single[n-1].ids) == 1 {
		for role, id := range map[string]int32{Cls: t.single[0].ids[0], Sep: t.single[n-1].ids[0]} {
			if t.Roles[role] == "" {
				t.Roles[role] = t.byID[id]
			}
		}
	}
}

// Settings are what tokenizer_config.json and special_tokens_map.json say.
type Settings struct {
	Roles     map[string]string
	Lowercase *bool
	MaxLength int

	AddBos, AddEos bool // whether bos_token goes before a text and eos_token after it, where tokenizer.json says nothing
}

// noLimit is what model_max_length is above where there is none.
const noLimit = 1e9

// ReadSettings reads tokenizer_config.json, or special_tokens_map.json.
func ReadSettings(b []byte) (*Settings, error) {
	var m map[string]json.RawMessage
	if err := unmarshal(b, &m); err != nil {
		return nil, err
	}
	s := &Settings{Roles: map[string]string{}}
	for _, role := range roles {
		var text string
		var object struct {
			Content string `json:"content"`
		}
		raw := m[role]
		switch {
		case len(raw) == 0 || string(raw) == "null":
		case json.Unmarshal(raw, &text) == nil:
			s.Roles[role] = text
		case json.Unmarshal(raw, &object) == nil && object.Content != "":
			s.Roles[role] = object.Content
		default:
			return nil, fmt.Errorf("%s is neither a text nor an object with content", role)
		}
	}
	var low bool
	if json.Unmarshal(m["do_lower_case"], &low) == nil && len(m["do_lower_case"]) > 0 {
		s.Lowercase = &low
	}
	json.Unmarshal(m["add_bos_token"], &s.AddBos) // what is no truth value says nothing
	json.Unmarshal(m["add_eos_token"], &s.AddEos)
	var length float64
	if json.Unmarshal(m["model_max_length"], &length) == nil && length >= 1 && length < noLimit {
		s.MaxLength = int(length)
	}
	return s, nil
}

// Configure takes over roles, the longest input, and, where nothing stands around texts so far, the tokens that are to. A token of a role
// that the tokenizer does not have is an error.
func (t *Tokenizer) Configure(s *Settings) error {
	for _, role := range roles {
		token := s.Roles[role]
		if token == "" {
			continue
		}
		if _, ok := t.ID(token); !ok {
			return fmt.Errorf("%s is %q, which is no token of the tokenizer (it has %d)", role, token, t.size)
		}
		t.Roles[role] = token
	}
	if s.MaxLength > 0 {
		t.MaxLength = s.MaxLength
	}
	if (s.AddBos || s.AddEos) && t.Overhead(false) == 0 {
		return t.surround(s.AddBos, s.AddEos)
	}
	return nil
}

// surround puts bos_token before texts and eos_token after them.
func (t *Tokenizer) surround(bos, eos bool) error {
	var before, after []any
	tokens := map[string]any{}
	special := func(role string) []any {
		id, ok := t.Role(role)
		if !ok {
			return nil
		}
		s := t.Roles[role]
		tokens[s] = map[string]any{"id": s, "ids": []int32{id}, "tokens": []string{s}}
		return []any{map[string]any{"SpecialToken": map[string]any{"id": s, "type_id": 0}}}
	}
	if bos {
		before = special(Bos)
	}
	if eos {
		after = special(Eos)
	}
	text := func(name string) []any {
		return slices.Concat(before, []any{map[string]any{"Sequence": map[string]any{"id": name, "type_id": 0}}}, after)
	}
	template := marshal(map[string]any{"type": "TemplateProcessing", "single": text("A"), "pair": slices.Concat(text("A"), text("B")), "special_tokens": tokens})
	if len(t.config.PostProcessor) > 0 && string(t.config.PostProcessor) != "null" {
		template = marshal(map[string]any{"type": "Sequence", "processors": []json.RawMessage{t.config.PostProcessor, template}})
	}
	t.config.PostProcessor = template
	return t.readPost(template)
}

// RoleNames are the roles that the tokenizer has a token for, in the order of special_tokens_map.json.
func (t *Tokenizer) RoleNames() []string {
	return slices.DeleteFunc(slices.Clone(roles), func(r string) bool { return t.Roles[r] == "" })
}
