package token

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// The types of pieces, and of models, in a sentencepiece model (sentencepiece_model.proto).
const (
	pieceUnknown = 2
	pieceControl = 3
	pieceUser    = 4
	modelUnigram = 1
	modelBPE     = 2
)

// spModel is what of a sentencepiece model matters here.
type spModel struct {
	pieces       []spPiece
	typ          uint64
	unk          string
	bos, eos     string
	pad          string
	byteFallback bool
	charsmap     []byte
	dummyPrefix  bool
	extraSpaces  bool // are removed
	escapeSpaces bool
}

type spPiece struct {
	text  string
	score float32
	typ   uint64
}

// ReadSentencePiece reads a model of the sentencepiece library (a file *.model), unigram or BPE, and makes the same of it that
// transformers does: a tokenizer that finds special tokens in text and puts none around it. Its ids are those of the sentencepiece
// library; the tokenizers library gives others where a character that is written as several (a letter and an accent) is normalized
// (it takes the shortest match for the whole of them).
func ReadSentencePiece(b []byte) (*Tokenizer, error) {
	m := &spModel{typ: modelUnigram, unk: "<unk>", bos: "<s>", eos: "</s>", pad: "<pad>", dummyPrefix: true, extraSpaces: true, escapeSpaces: true}
	if err := m.read(b); err != nil {
		return nil, fmt.Errorf("sentencepiece model: %w", err)
	}
	t, err := m.tokenizer()
	if err != nil {
		return nil, fmt.Errorf("sentencepiece model: %w", err)
	}
	return t, nil
}

// fields calls f with each field of a message: varints and fixed numbers as n, the rest as b.
func fields(b []byte, f func(num protowire.Number, n uint64, b []byte) error) error {
	for len(b) > 0 {
		num, typ, k := protowire.ConsumeTag(b)
		if k < 0 {
			return protowire.ParseError(k)
		}
		b = b[k:]
		var n uint64
		var body []byte
		switch typ {
		case protowire.VarintType:
			n, k = protowire.ConsumeVarint(b)
		case protowire.Fixed32Type:
			var v uint32
			v, k = protowire.ConsumeFixed32(b)
			n = uint64(v)
		case protowire.BytesType:
			body, k = protowire.ConsumeBytes(b)
		default:
			k = protowire.ConsumeFieldValue(num, typ, b)
		}
		if k < 0 {
			return protowire.ParseError(k)
		}
		if err := f(num, n, body); err != nil {
			return err
		}
		b = b[k:]
	}
	return nil
}

func (m *spModel) read(b []byte) error {
	return fields(b, func(num protowire.Number, _ uint64, b []byte) error {
		switch num {
		case 1:
			p := spPiece{typ: 1}
			m.pieces = append(m.pieces, p)
			return m.piece(&m.pieces[len(m.pieces)-1], b)
		case 2:
			return fields(b, m.trainer)
		case 3:
			return fields(b, m.normalizer)
		}
		return nil
	})
}

func (m *spModel) piece(p *spPiece, b []byte) error {
	if len(m.pieces) > maxID {
		return fmt.Errorf("more than %d pieces", maxID)
	}
	return fields(b, func(num protowire.Number, n uint64, b []byte) error {
		switch num {
		case 1:
			p.text = string(b)
		case 2:
			p.score = math.Float32frombits(uint32(n))
		case 3:
			p.typ = n
		}
		return nil
	})
}

func (m *spModel) trainer(num protowire.Number, n uint64, b []byte) error {
	switch num {
	case 3:
		m.typ = n
	case 35:
		m.byteFallback = n != 0
	case 45:
		m.unk = string(b)
	case 46:
		m.bos = string(b)
	case 47:
		m.eos = string(b)
	case 48:
		m.pad = string(b)
	}
	return nil
}

func (m *spModel) normalizer(num protowire.Number, n uint64, b []byte) error {
	switch num {
	case 2:
		m.charsmap = b
	case 3:
		m.dummyPrefix = n != 0
	case 4:
		m.extraSpaces = n != 0
	case 5:
		m.escapeSpaces = n != 0
	}
	return nil
}

const metaMark = "▁"

func (m *spModel) tokenizer() (*Tokenizer, error) {
	switch {
	case len(m.pieces) == 0:
		return nil, errors.New("it has no pieces; is it a file of the sentencepiece library?")
	case m.typ != modelUnigram && m.typ != modelBPE:
		return nil, fmt.Errorf("it is of type %d; known are unigram (1) and BPE (2)", m.typ)
	case !m.escapeSpaces:
		return nil, errors.New("it does not escape white space, which is not supported")
	}
	var added []AddedToken
	unk, inside := int32(-1), false
	for i, p := range m.pieces {
		if !utf8.ValidString(p.text) || p.text == "" {
			return nil, fmt.Errorf("piece %d is empty, or no UTF-8", i)
		}
		switch p.typ {
		case pieceUnknown:
			unk = int32(i)
			added = append(added, AddedToken{ID: int32(i), Content: p.text, Special: true})
		case pieceControl:
			added = append(added, AddedToken{ID: int32(i), Content: p.text, Special: true})
		case pieceUser:
			added = append(added, AddedToken{ID: int32(i), Content: p.text})
		default:
			inside = inside || strings.LastIndex(p.text, metaMark) > 0
		}
	}
	mod, err := m.model(unk)
	if err != nil {
		return nil, err
	}
	roles := map[string]string{}
	for role, s := range map[string]string{Unk: m.unk, Bos: m.bos, Eos: m.eos, Pad: m.pad} {
		if _, ok := mod.id(s); ok {
			roles[role] = s
		}
	}
	t, err := build(mod, m.pipeline(inside), added, roles)
	if err != nil {
		return nil, err
	}
	t.guessRoles()
	return t, nil
}

// model makes the model of the pieces.
func (m *spModel) model(unk int32) (model, error) {
	if m.typ == modelUnigram {
		tokens := make([]scored, len(m.pieces))
		for i, p := range m.pieces {
			if p.score != p.score || math.IsInf(float64(p.score), 0) {
				return nil, fmt.Errorf("piece %q scores %v", p.text, p.score)
			}
			text := strconv.FormatFloat(float64(p.score), 'g', -1, 64)
			tokens[i] = scored{p.text, quick(text, float64(p.score)), text}
		}
		return newUnigram(tokens, unk, m.byteFallback)
	}
	ids := make(map[string]int32, len(m.pieces))
	for i, p := range m.pieces {
		if old, ok := ids[p.text]; ok {
			return nil, fmt.Errorf("pieces %d and %d are both %q", old, i, p.text)
		}
		ids[p.text] = int32(i)
	}
	v, err := newVocab(ids)
	if err != nil {
		return nil, err
	}
	b := bpe{vocab: v, merges: m.merges(ids), fuseUnk: true, byteFallback: m.byteFallback}
	if unk >= 0 {
		b.unkText = m.pieces[unk].text
	}
	return newBPE(b)
}

// merges are the pairs of pieces that make a piece, in the order of the scores of what they make.
func (m *spModel) merges(ids map[string]int32) [][2]string {
	order := make([]int, 0, len(m.pieces))
	for i, p := range m.pieces {
		if p.typ == 1 || p.typ == pieceUser {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch x, y := m.pieces[a].score, m.pieces[b].score; {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	var out [][2]string
	for _, i := range order {
		s, first := m.pieces[i].text, len(out)
		for k := range s {
			if k == 0 {
				continue
			}
			_, ok1 := ids[s[:k]]
			_, ok2 := ids[s[k:]]
			if ok1 && ok2 {
				out = append(out, [2]string{s[:k], s[k:]})
			}
		}
		slices.SortFunc(out[first:], func(a, b [2]string) int { return int(ids[a[0]]) - int(ids[b[0]]) })
	}
	return out
}

// pipeline is what stands around the model. inside says that pieces hold spaces that are not at their beginning: then texts are not
// cut at spaces.
func (m *spModel) pipeline(inside bool) config {
	var list []any
	if len(m.charsmap) > 0 {
		list = append(list, map[string]any{"type": "Precompiled", "precompiled_charsmap": m.charsmap})
	}
	if m.extraSpaces {
		list = append(list, map[string]any{"type": "Replace", "pattern": map[string]any{"Regex": "^ +| +$"}, "content": ""},
			map[string]any{"type": "Replace", "pattern": map[string]any{"Regex": " {2,}"}, "content": " "})
	}
	scheme := "always"
	if !m.dummyPrefix {
		scheme = "never"
	}
	space := map[string]any{"type": "Metaspace", "replacement": metaMark, "prepend_scheme": scheme, "split": !inside && m.typ == modelUnigram}
	return config{Normalizer: marshal(map[string]any{"type": "Sequence", "normalizers": list}), PreTokenizer: marshal(space),
		Decoder: marshal(map[string]any{"type": "Sequence", "decoders": []any{map[string]any{"type": "ByteFallback"}, space}})}
}
