package token

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// The files of a tokenizer's directory.
const (
	jsonFile     = "tokenizer.json"
	configFile   = "tokenizer_config.json"
	specialsFile = "special_tokens_map.json"
)

// JSON is the text of tokenizer.json. Equal tokenizers give equal bytes.
func (t *Tokenizer) JSON() []byte {
	var w writer
	w.open()
	w.field("version", "1.0")
	w.field("truncation", nil)
	w.field("padding", nil)
	w.list("added_tokens", len(t.added), func(i int) any { return t.added[i] })
	for name, raw := range t.config.parts {
		w.raw(name, compact(raw))
	}
	w.raw("model", t.model.encode())
	return append(w.close(), '\n')
}

// parts goes through the parts of a pipeline in the order of tokenizer.json.
func (c config) parts(yield func(string, json.RawMessage) bool) {
	_ = yield("normalizer", c.Normalizer) && yield("pre_tokenizer", c.PreTokenizer) && yield("post_processor", c.PostProcessor) && yield("decoder", c.Decoder)
}

// compact is JSON without white space, in the order that it came in.
func compact(raw json.RawMessage) []byte {
	var b bytes.Buffer
	if len(raw) == 0 || json.Compact(&b, raw) != nil {
		return []byte("null")
	}
	return b.Bytes()
}

// Files are the files of the tokenizer's directory, by name.
func (t *Tokenizer) Files() map[string][]byte {
	var specials, config writer
	specials.open()
	config.open()
	config.field("tokenizer_class", "PreTrainedTokenizerFast")
	for _, role := range t.RoleNames() {
		specials.field(role, t.Roles[role])
		config.field(role, t.Roles[role])
	}
	if t.MaxLength > 0 {
		config.field("model_max_length", t.MaxLength)
	}
	if t.typed() && !t.Untyped {
		config.field("model_input_names", []string{"input_ids", "token_type_ids", "attention_mask"})
	}
	config.field("clean_up_tokenization_spaces", false)
	out := map[string][]byte{jsonFile: t.JSON(), configFile: append(config.close(), '\n'), specialsFile: append(specials.close(), '\n')}
	switch m := t.model.(type) {
	case *wordPiece:
		if list := m.vocab.list(); lines(list) {
			out["vocab.txt"] = []byte(strings.Join(list, "\n") + "\n")
		}
	case *bpe:
		out["vocab.json"] = append(m.vocab.encode(), '\n')
		var b strings.Builder
		b.WriteString("#version: 0.2\n")
		whole := true
		for _, p := range m.merges {
			whole = whole && !strings.ContainsAny(p[0]+p[1], " \n\r")
			b.WriteString(p[0] + " " + p[1] + "\n")
		}
		if whole {
			out["merges.txt"] = []byte(b.String())
		}
	}
	return out
}

// typed reports whether the tokenizer numbers the texts of a pair differently.
func (t *Tokenizer) typed() bool {
	for _, s := range t.pair {
		if s.typ > 0 && len(t.pair) > 2 {
			return true
		}
	}
	return false
}

// lines reports whether tokens can be a file with a token a line.
func lines(list []string) bool {
	for _, s := range list {
		if s == "" || strings.ContainsAny(s, "\r\n") {
			return false
		}
	}
	return true
}

// Write writes the tokenizer into an existing directory, as transformers' AutoTokenizer reads it.
func (t *Tokenizer) Write(dir string) error {
	for name, b := range t.Files() {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Open reads a tokenizer's directory: tokenizer.json, and the other two where they are there.
func Open(dir string) (*Tokenizer, error) {
	b, err := os.ReadFile(filepath.Join(dir, jsonFile))
	if err != nil {
		return nil, err
	}
	t, err := Read(b)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{specialsFile, configFile} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		s, err := ReadSettings(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if err := t.Configure(s); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return t, nil
}
