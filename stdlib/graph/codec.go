package graph

import (
	"bytes"
	"encoding/json"
	"fmt"

	"mbuild.dev/mbuild/lang/value"
)

// Encode returns the graph as canonical JSON: equal graphs give equal bytes.
func (g *Graph) Encode() ([]byte, error) {
	enc, err := json.Marshal(g)
	if err != nil {
		return nil, fmt.Errorf("encoding a graph: %w", err)
	}
	v, err := value.Decode(enc)
	if err != nil {
		return nil, fmt.Errorf("encoding a graph: %w", err)
	}
	return value.Canonical(v)
}

// Decode reads what Encode wrote, connects it and infers it, so that what it returns is sound. Members that a graph does not
// have are errors: a graph of a later version is not read as if it were of this one.
func Decode(b []byte) (*Graph, *Info, error) {
	g := new(Graph)
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	dec.UseNumber()
	if err := dec.Decode(g); err != nil {
		return nil, nil, fmt.Errorf("decoding a graph: %w", err)
	}
	if dec.InputOffset() != int64(len(bytes.TrimRight(b, " \t\r\n"))) {
		return nil, nil, fmt.Errorf("decoding a graph: there is more after it")
	}
	for i := range g.Layers {
		if err := g.Layers[i].normalise(); err != nil {
			return nil, nil, fmt.Errorf("decoding a graph: layer %q: %w", g.Layers[i].Name, err)
		}
	}
	g.Connect()
	info, err := Infer(g)
	if err != nil {
		return nil, nil, fmt.Errorf("decoding a graph: %w", err)
	}
	return g, info, nil
}

// normalise brings attributes, as encoding/json gives them, to normal form.
func (l *Layer) normalise() error {
	if l.Attrs == nil {
		return nil
	}
	enc, err := json.Marshal(l.Attrs)
	if err != nil {
		return err
	}
	v, err := value.Decode(enc)
	if err != nil {
		return err
	}
	l.Attrs, _ = v.(map[string]any)
	return nil
}
