package token

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
)

// vocab is tokens and their ids.
type vocab struct{ ids map[string]int32 }

func errNoUnk(unk string) error {
	return fmt.Errorf("the unknown token %q is not in the vocabulary", unk)
}

func newVocab(ids map[string]int32) (vocab, error) {
	of := make(map[int32]string, len(ids))
	for s, id := range ids {
		if id < 0 || id >= maxID {
			return vocab{}, fmt.Errorf("token %q has id %d; ids lie between 0 and %d", s, id, maxID)
		}
		if other, ok := of[id]; ok {
			return vocab{}, fmt.Errorf("id %d is of two tokens, %q and %q", id, min(s, other), max(s, other))
		}
		of[id] = s
	}
	return vocab{ids}, nil
}

// list is the tokens by id.
func (v vocab) list() []string {
	out := make([]string, 0, len(v.ids))
	for s := range v.ids {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b string) int { return cmp.Compare(v.ids[a], v.ids[b]) })
	return out
}

func (v vocab) each(f func(string, int32)) {
	for s, id := range v.ids {
		f(s, id)
	}
}

func (v vocab) encode() []byte {
	var w writer
	w.open()
	for _, s := range v.list() {
		w.field(s, v.ids[s])
	}
	return w.close()
}

// writer writes one JSON object, a member a line.
type writer struct {
	b     bytes.Buffer
	first bool
}

func (w *writer) open() { w.b.WriteByte('{'); w.first = true }
func (w *writer) close() []byte {
	w.b.WriteString("\n}")
	return w.b.Bytes()
}

func (w *writer) raw(name string, v []byte) {
	if !w.first {
		w.b.WriteByte(',')
	}
	w.first = false
	w.b.WriteByte('\n')
	w.b.Write(marshal(name))
	w.b.WriteString(": ")
	if len(v) == 0 {
		v = []byte("null")
	}
	w.b.Write(v)
}

func (w *writer) field(name string, v any) { w.raw(name, marshal(v)) }

// list writes a list, an element a line.
func (w *writer) list(name string, n int, at func(int) any) {
	var b bytes.Buffer
	b.WriteByte('[')
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
		b.Write(marshal(at(i)))
	}
	b.WriteByte(']')
	w.raw(name, b.Bytes())
}

// marshal is the JSON of a value that has one.
func marshal(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("token: " + err.Error())
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
