// Package token turns text into the token ids that models take, and back: WordPiece, byte-level BPE, Unigram and word-level
// tokenizers in the format of Hugging Face's tokenizers library (tokenizer.json), read, written, and trained from data.
//
// It knows neither kinds nor datasets. The nouns, in the order of the flow: Tokenizer (a pipeline, as data), Encoder (a tokenizer at
// work), text (a stretch of text that remembers where each byte comes from), normalizer (text to text), splitter (text to words),
// model (word to tokens), template (which special tokens stand around), Encoding (the result), decoder (tokens to text).
//
// The pipeline is that of the tokenizers library, and ids and offsets are equal to its own, whose Unicode tables are older and newer
// than Go's: unicode.go lists the differences. Truncation and padding that a tokenizer.json may ask for are not followed: what
// makes batches decides on them.
//
// The invariants: a Tokenizer is not changed by use, and whatever the bytes of a text, encoding it does not fail; offsets are those
// of the text given. Equal tokenizers write equal bytes. Read next: encode.go for the flow, read.go for the format.
package token

import (
	"encoding/json"
	"fmt"
	"slices"
)

// MediaType is the media type of a tokenizer: a directory with tokenizer.json, tokenizer_config.json, special_tokens_map.json, and
// the vocabulary in the older form of its model (vocab.txt; vocab.json and merges.txt).
const MediaType = "application/vnd.mbuild.tokenizer.v1"

// The roles of special tokens, as special_tokens_map.json calls them.
const (
	Unk  = "unk_token"
	Pad  = "pad_token"
	Cls  = "cls_token"
	Sep  = "sep_token"
	Mask = "mask_token"
	Bos  = "bos_token"
	Eos  = "eos_token"
)

var roles = []string{Bos, Eos, Unk, Sep, Pad, Cls, Mask}

// maxID bounds token ids.
const maxID = 1 << 24

// Tokenizer is a tokenizer as data, with what was made of it for work. Read, Train and FromVocab make them.
type Tokenizer struct {
	// Roles are the special tokens by role, where a tokenizer says what they are for.
	Roles map[string]string
	// MaxLength is the longest input that the model of the tokenizer was made for, 0 when nothing says.
	MaxLength int
	// Untyped says that the model of the tokenizer takes no types of tokens, whatever pairs look like: transformers is then told not to
	// make any, which GPT-2 would add to its embeddings.
	Untyped bool

	config  config
	model   model
	added   []AddedToken
	byText  map[string]int32 // of added tokens
	byID    map[int32]string // of all
	size    int
	special map[string]bool // added tokens that are special

	normalize normalizer // nil for none
	split     splitter   // nil for none
	single    []slot
	pair      []slot
	trim      *trim // of offsets; nil for none
	decode    decoder
	raw, norm *finder // added tokens that are looked for before, and after, normalization
}

// AddedToken is a token that is found in text before any other.
type AddedToken struct {
	ID         int32  `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	LStrip     bool   `json:"lstrip"`
	RStrip     bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"`
	Special    bool   `json:"special"`
}

// config is tokenizer.json but for the model's vocabulary.
type config struct {
	Normalizer    json.RawMessage
	PreTokenizer  json.RawMessage
	PostProcessor json.RawMessage
	Decoder       json.RawMessage
}

// model turns a word into tokens.
type model interface {
	// tokenize appends the tokens of a word: ids, and where they lie in it, in bytes.
	tokenize(e *Encoder, word []byte, out []piece) []piece
	id(token string) (int32, bool)
	each(func(token string, id int32))
	encode() []byte // as in tokenizer.json
	name() string
}

// piece is a token of a word: its id and the bytes it covers.
type piece struct{ id, from, to int32 }

// Model is the name of the model: WordPiece, BPE, Unigram or WordLevel.
func (t *Tokenizer) Model() string { return t.model.name() }

// VocabSize is one more than the largest id: the rows that an embedding of the tokens needs.
func (t *Tokenizer) VocabSize() int { return t.size }

// ID is the id of a token, and whether there is one.
func (t *Tokenizer) ID(token string) (int32, bool) {
	if id, ok := t.byText[token]; ok {
		return id, true
	}
	return t.model.id(token)
}

// Token is the token of an id, and whether there is one.
func (t *Tokenizer) Token(id int32) (string, bool) {
	s, ok := t.byID[id]
	return s, ok
}

// Role is the id of the special token of a role, and whether there is one.
func (t *Tokenizer) Role(role string) (int32, bool) {
	s, ok := t.Roles[role]
	if !ok {
		return 0, false
	}
	return t.ID(s)
}

// Added are the tokens that are found in text before any other, by id.
func (t *Tokenizer) Added() []AddedToken { return slices.Clone(t.added) }

// SpecialIDs are the ids of special tokens, rising.
func (t *Tokenizer) SpecialIDs() []int {
	var ids []int
	for _, a := range t.added {
		if a.Special {
			ids = append(ids, int(a.ID))
		}
	}
	slices.Sort(ids)
	return ids
}

// build makes a tokenizer ready for work.
func build(m model, c config, added []AddedToken, roles map[string]string) (*Tokenizer, error) {
	t := &Tokenizer{config: c, model: m, added: slices.Clone(added), Roles: roles, byText: map[string]int32{}, byID: map[int32]string{}, special: map[string]bool{}}
	if t.Roles == nil {
		t.Roles = map[string]string{}
	}
	m.each(func(token string, id int32) {
		t.byID[id] = token
		t.size = max(t.size, int(id)+1)
	})
	slices.SortStableFunc(t.added, func(a, b AddedToken) int { return int(a.ID) - int(b.ID) })
	for _, a := range t.added {
		if a.Content == "" {
			return nil, fmt.Errorf("added token %d is empty", a.ID)
		}
		if a.ID < 0 || a.ID >= maxID {
			return nil, fmt.Errorf("added token %q has id %d; ids lie between 0 and %d", a.Content, a.ID, maxID)
		}
		if old, ok := t.byID[a.ID]; ok && old != a.Content {
			return nil, fmt.Errorf("id %d is of two tokens, %q and %q", a.ID, old, a.Content)
		}
		if id, ok := t.byText[a.Content]; ok && id != a.ID {
			return nil, fmt.Errorf("token %q has two ids, %d and %d", a.Content, id, a.ID)
		}
		t.byText[a.Content], t.byID[a.ID], t.special[a.Content] = a.ID, a.Content, a.Special
		t.size = max(t.size, int(a.ID)+1)
	}
	if t.size == 0 {
		return nil, fmt.Errorf("the vocabulary is empty")
	}
	var err error
	if t.normalize, err = readNormalizer(c.Normalizer, 0); err != nil {
		return nil, fmt.Errorf("normalizer: %w", err)
	}
	if t.split, err = readSplitter(c.PreTokenizer, 0); err != nil {
		return nil, fmt.Errorf("pre_tokenizer: %w", err)
	}
	if err = t.readPost(c.PostProcessor); err != nil {
		return nil, fmt.Errorf("post_processor: %w", err)
	}
	if t.decode, err = readDecoder(c.Decoder, 0); err != nil {
		return nil, fmt.Errorf("decoder: %w", err)
	}
	var raw, norm []AddedToken
	for _, a := range t.added {
		if a.Normalized && t.normalize != nil {
			x := t.normalize(newText(a.Content))
			a.Content = string(x.b)
			norm = append(norm, a)
		} else {
			raw = append(raw, a)
		}
	}
	t.raw, t.norm = newFinder(raw), newFinder(norm)
	return t, nil
}
