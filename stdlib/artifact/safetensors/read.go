package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"
)

// ReadFile reads a file of tensors into memory.
func ReadFile(path string) ([]Tensor, map[string]string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	return Decode(b)
}

// Decode reads a file. The tensors share its bytes and are sorted by name. The metadata is nil when there is none.
func Decode(b []byte) ([]Tensor, map[string]string, error) {
	if len(b) < 8 {
		return nil, nil, fmt.Errorf("not a safetensors file: it has %d bytes, and the length of the header alone takes 8. Fetch it again", len(b))
	}
	n := binary.LittleEndian.Uint64(b)
	if n > maxHeader || n > uint64(len(b)-8) {
		return nil, nil, fmt.Errorf("%w", badHeader(n, int64(len(b))))
	}
	h, err := parse(b[8 : 8+n])
	if err != nil {
		return nil, nil, fmt.Errorf("safetensors header: %w", err)
	}
	if err := h.place(b[8+n:]); err != nil {
		return nil, nil, err
	}
	sort.Slice(h.tensors, func(i, j int) bool { return h.tensors[i].Name < h.tensors[j].Name })
	return h.tensors, h.metadata, nil
}

// again is what to do about a file that is not whole.
const again = "The file is damaged or cut off: fetch it again"

// badHeader is the error of a length of the header that cannot be.
func badHeader(n uint64, size int64) error {
	return fmt.Errorf("not a safetensors file, or one that is cut off: a header of %d bytes in a file of %d, and headers have at most %d. Fetch it again", n, size, maxHeader)
}

// types are the names of the types, sorted.
func types() []string { return slices.Sorted(maps.Keys(sizes)) }

// head is a header that was read; spans are those of tensors, in the same order.
type head struct {
	metadata map[string]string
	tensors  []Tensor
	spans    []span
}

type span struct{ from, to int64 }

func parse(b []byte) (*head, error) {
	if len(b) == 0 || b[0] != '{' || !utf8.Valid(b) {
		return nil, errors.New("not a JSON object in UTF-8")
	}
	h := &head{}
	dec := json.NewDecoder(bytes.NewReader(b))
	err := object(dec, func(key string) error {
		if key == metadataKey {
			h.metadata = map[string]string{}
			return object(dec, func(k string) error { return text(dec, h.metadata, k) })
		}
		t, s, err := parseTensor(dec)
		if err != nil {
			return fmt.Errorf("tensor %q: %w", key, err)
		}
		t.Name = key
		h.tensors, h.spans = append(h.tensors, t), append(h.spans, s)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if rest := bytes.TrimLeft(b[dec.InputOffset():], " "); len(rest) > 0 {
		return nil, fmt.Errorf("%d bytes after the object", len(rest))
	}
	return h, nil
}

func parseTensor(dec *json.Decoder) (Tensor, span, error) {
	var dtype *string
	var shape, offsets []int64
	err := object(dec, func(key string) error {
		switch key {
		case "dtype":
			return dec.Decode(&dtype)
		case "shape":
			return dec.Decode(&shape)
		case "data_offsets":
			return dec.Decode(&offsets)
		}
		return fmt.Errorf("unknown member %q", key)
	})
	switch {
	case err != nil:
		return Tensor{}, span{}, err
	case dtype == nil || shape == nil || len(offsets) != 2:
		return Tensor{}, span{}, errors.New("needs dtype, shape and two data_offsets")
	case sizes[*dtype] == 0:
		return Tensor{}, span{}, fmt.Errorf("unknown type %q; there are %s", *dtype, strings.Join(types(), ", "))
	}
	t := Tensor{DType: *dtype, Shape: make([]int, len(shape))}
	for i, d := range shape {
		t.Shape[i] = int(d)
	}
	return t, span{offsets[0], offsets[1]}, nil
}

// object reads an object, calling f after each key to read the value. A key that comes twice is an error: readers would
// disagree about which one counts.
func object(dec *json.Decoder, f func(key string) error) error {
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return fmt.Errorf("not an object: %v", errors.Join(err, fmt.Errorf("got %v", t)))
	}
	seen := map[string]bool{}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return err
		}
		key, _ := t.(string)
		if seen[key] {
			return fmt.Errorf("%q comes twice", key)
		}
		seen[key] = true
		if err := f(key); err != nil {
			return err
		}
	}
	_, err := dec.Token()
	return err
}

func text(dec *json.Decoder, m map[string]string, key string) error {
	var s *string
	if err := dec.Decode(&s); err != nil || s == nil {
		return fmt.Errorf("metadata %q is no string", key)
	}
	m[key] = *s
	return nil
}

// place gives every tensor its bytes, and checks that they make up all of data, each once.
func (h *head) place(data []byte) error {
	if err := h.cover(int64(len(data))); err != nil {
		return err
	}
	for i, s := range h.spans {
		h.tensors[i].Data = data[s.from:s.to:s.to]
	}
	return nil
}

// cover checks that the tensors make up all bytes of the data, each once.
func (h *head) cover(size int64) error {
	for i := range h.tensors {
		t, s := &h.tensors[i], h.spans[i]
		if s.from < 0 || s.to < s.from || s.to > size || t.size() != s.to-s.from {
			return fmt.Errorf("tensor %q: %s%v does not lie at bytes %d to %d of %d. %s", t.Name, t.DType, t.Shape, s.from, s.to, size, again)
		}
	}
	spans := slices.Clone(h.spans)
	sort.Slice(spans, func(i, j int) bool {
		a, b := spans[i], spans[j]
		return a.from < b.from || a.from == b.from && a.to < b.to
	})
	var at int64
	for _, s := range spans {
		if s.from != at {
			return fmt.Errorf("safetensors data has a gap or overlap at byte %d. %s", at, again)
		}
		at = s.to
	}
	if at != size {
		return fmt.Errorf("safetensors data has %d bytes that belong to no tensor. %s", size-at, again)
	}
	return nil
}
