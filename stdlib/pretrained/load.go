package pretrained

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
	"mbuild.dev/mbuild/stdlib/graph"
	"mbuild.dev/mbuild/stdlib/learn"
)

// Checkpoint is the tensors of one file or several.
type Checkpoint struct {
	files   []*safetensors.File
	tensors map[string]located
}

type located struct {
	file *safetensors.File
	name string // of the file
	t    safetensors.Tensor
}

// Open opens the files of a checkpoint; paths are by the names that index knows them by. index is model.safetensors.index.json,
// which says in which file each tensor is, or nil; then there may be only one of each name.
func Open(paths map[string]string, index []byte) (*Checkpoint, error) {
	c := &Checkpoint{tensors: map[string]located{}}
	where := map[string]string{}
	for _, name := range sortedKeys(paths) {
		f, err := safetensors.Open(paths[name])
		if err != nil {
			c.Close()
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		c.files = append(c.files, f)
		for _, t := range f.Tensors {
			if other, ok := where[t.Name]; ok {
				c.Close()
				return nil, fmt.Errorf("%s and %s both have a tensor %q", other, name, t.Name)
			}
			where[t.Name], c.tensors[t.Name] = name, located{f, name, t}
		}
	}
	if index == nil {
		return c, nil
	}
	if err := checkIndex(index, paths, where); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// checkIndex holds the index against what the files have.
func checkIndex(index []byte, paths, where map[string]string) error {
	var x struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(index, &x); err != nil {
		return fmt.Errorf("the index of the shards: %w", err)
	}
	var wrong []string
	for _, t := range sortedKeys(x.WeightMap) {
		switch file := x.WeightMap[t]; {
		case paths[file] == "":
			wrong = append(wrong, fmt.Sprintf("%s should be in %s, which is not among the files", t, file))
		case where[t] != file:
			wrong = append(wrong, fmt.Sprintf("%s is not in %s", t, file))
		}
	}
	for _, t := range sortedKeys(where) {
		if x.WeightMap[t] == "" {
			wrong = append(wrong, t+" is not in the index")
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("the index of the shards is not what they have: %s", listed(wrong))
	}
	return nil
}

// Close closes the files.
func (c *Checkpoint) Close() {
	for _, f := range c.files {
		f.Close()
	}
}

// Loaded is a model, and how it came about.
type Loaded struct {
	Model *bundle.Model
	New   []string // layers that the checkpoint has nothing for
	Left  []string // tensors that the model has no use for
}

// Load makes a model of a checkpoint. Weights become float32; those in 16 bits have one for each value.
func Load(c *Config, ckpt *Checkpoint, o Options) (*Loaded, error) {
	l, names, err := fit(c, ckpt, o)
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		t, _ := l.tensor(n.tensor)
		if err := l.take(n, t); err != nil {
			return nil, err
		}
	}
	out := &Loaded{Model: l.model}
	if out.Left, err = l.rest(); err != nil {
		return nil, err
	}
	info := l.model.Info
	fresh := &graph.Info{Layers: map[string]*graph.LayerInfo{}}
	for _, layer := range l.model.Graph.Layers {
		if li := info.Layers[layer.Name]; len(li.Params) > 0 && l.model.Params[layer.Name] == nil {
			fresh.Layers[layer.Name] = li
			out.New = append(out.New, layer.Name)
		}
	}
	for name, ps := range learn.Init(fresh, o.Seed) {
		l.model.Params[name] = ps
	}
	return out, l.model.Check()
}

// Graph is the graph of the model that Load makes, from config.json and the headers of the files alone: no tensor is read. Its errors
// are those of Load, but for those that only the numbers show.
func Graph(c *Config, ckpt *Checkpoint, o Options) (*graph.Graph, error) {
	l, _, err := fit(c, ckpt, o)
	if err != nil {
		return nil, err
	}
	if _, err := l.rest(); err != nil {
		return nil, err
	}
	return l.model.Graph, nil
}

// fit makes the graph and finds a tensor of the right shape and type for each of its parameters that is not new.
func fit(c *Config, ckpt *Checkpoint, o Options) (*loader, []name, error) {
	l := &loader{c: c, found: map[string]string{}, used: map[string]bool{}, ckpt: ckpt}
	if err := l.strip(); err != nil {
		return nil, nil, err
	}
	b, err := build(c, o, func(tensor string) bool { _, ok := l.tensor(tensor); return ok })
	if err != nil {
		return nil, nil, err
	}
	info, err := graph.Infer(b.g)
	if err != nil {
		return nil, nil, err
	}
	l.model = &bundle.Model{Graph: b.g, Info: info, Params: map[string]bundle.Params{}}
	var missing []string
	for _, n := range b.names {
		t, ok := l.tensor(n.tensor)
		if !ok {
			missing = append(missing, n.tensor)
			continue
		}
		if err := l.suits(n, t); err != nil {
			return nil, nil, err
		}
		l.used[t] = true
	}
	if len(missing) > 0 {
		return nil, nil, fmt.Errorf("the files lack tensors of a model of type %q with %s: %s. %s", c.Type, c.said("Layers"), listed(missing), onePair)
	}
	return l, b.names, nil
}

// onePair is what to do where config.json and tensors contradict each other.
const onePair = "Is config.json that of another model, or a file of tensors missing? Take all files of one directory"

// loader moves tensors into a model.
type loader struct {
	c     *Config
	ckpt  *Checkpoint
	found map[string]string // names of tensors without the prefix, to those with it
	used  map[string]bool
	model *bundle.Model
}

// strip takes the body's prefix off the names.
func (l *loader) strip() error {
	for _, name := range sortedKeys(l.ckpt.tensors) {
		short := strings.TrimPrefix(name, l.c.family.prefix)
		if other, ok := l.found[short]; ok {
			return fmt.Errorf("there are tensors %q and %q, which are one", other, name)
		}
		l.found[short] = name
	}
	return nil
}

// tensor finds a tensor by its name without prefix. Old files have gamma and beta of norms.
func (l *loader) tensor(name string) (string, bool) {
	full, ok := l.found[name]
	if !ok {
		old := strings.NewReplacer("LayerNorm.weight", "LayerNorm.gamma", "LayerNorm.bias", "LayerNorm.beta").Replace(name)
		full, ok = l.found[old]
	}
	return full, ok
}

// shapes are those of a parameter, and of its tensor in the files.
func (l *loader) shapes(n name) (want, lies []int) {
	for _, p := range l.model.Info.Layers[n.layer].Params {
		if p.Name == n.param {
			want = p.Shape
		}
	}
	lies = slices.Clone(want)
	switch {
	case n.turned:
		slices.Reverse(lies)
	case n.part > 0:
		lies[len(lies)-1] *= 3
	}
	return want, lies
}

// suits holds shape and type of a tensor against a parameter.
func (l *loader) suits(n name, tensor string) error {
	_, lies := l.shapes(n)
	t := l.ckpt.tensors[tensor].t
	if !slices.Equal(t.Shape, lies) {
		return fmt.Errorf("the tensor %q in %s has shape %v, and config.json makes it %v (%s). %s", tensor, l.ckpt.tensors[tensor].name, t.Shape, lies, l.c.said(n.fields...), onePair)
	}
	return l.isFloat(tensor)
}

// take makes a parameter of a tensor that suits it.
func (l *loader) take(n name, tensor string) error {
	want, lies := l.shapes(n)
	v, err := l.floats(tensor)
	if err != nil {
		return err
	}
	switch {
	case n.turned:
		v = transpose(v, lies[0], lies[1])
	case n.part > 0:
		v = columns(v, lies[len(lies)-1], (n.part-1)*want[len(want)-1], want[len(want)-1])
	}
	if l.model.Params[n.layer] == nil {
		l.model.Params[n.layer] = bundle.Params{}
	}
	l.model.Params[n.layer][n.param] = bundle.Float32(want, v)
	return nil
}

func (l *loader) isFloat(tensor string) error {
	at := l.ckpt.tensors[tensor]
	if dtype := graph.DType(at.t.DType); dtype != graph.F32 && dtype != graph.F16 && dtype != graph.BF16 {
		return fmt.Errorf("the tensor %q in %s is of type %s; parameters are F32, F16 or BF16. Convert the checkpoint to one of them", tensor, at.name, at.t.DType)
	}
	return nil
}

// floats reads a tensor as float32.
func (l *loader) floats(tensor string) ([]float32, error) {
	if err := l.isFloat(tensor); err != nil {
		return nil, err
	}
	at := l.ckpt.tensors[tensor]
	b := make([]byte, at.file.Section(tensor).Size())
	if _, err := io.ReadFull(at.file.Section(tensor), b); err != nil {
		return nil, fmt.Errorf("the tensor %q: %w", tensor, err)
	}
	t := &bundle.Tensor{DType: graph.DType(at.t.DType), Shape: at.t.Shape, Data: b}
	return t.Float32s(), nil
}

// transpose turns [rows, cols] round, in squares that a cache holds.
func transpose(v []float32, rows, cols int) []float32 {
	const square = 32
	out := make([]float32, len(v))
	for r0 := 0; r0 < rows; r0 += square {
		for c0 := 0; c0 < cols; c0 += square {
			for r := r0; r < min(r0+square, rows); r++ {
				for c := c0; c < min(c0+square, cols); c++ {
					out[c*rows+r] = v[r*cols+c]
				}
			}
		}
	}
	return out
}

// columns takes some columns of rows of a width.
func columns(v []float32, width, from, n int) []float32 {
	out := make([]float32, 0, len(v)/width*n)
	for at := from; at < len(v); at += width {
		out = append(out, v[at:at+n]...)
	}
	return out
}

// rest looks at the tensors that no parameter came from. What belongs to a head that was not asked for is left; what is the token
// embedding once more must be that; all else is an error that names it.
func (l *loader) rest() (left []string, err error) {
	var unknown, beyond []string
	for _, short := range sortedKeys(l.found) {
		full := l.found[short]
		if l.used[full] || l.ignored(short) {
			continue
		}
		switch same := tied[short]; {
		case same != "" && l.sameAs(full, same) != nil:
			return nil, l.sameAs(full, same)
		case same != "":
		case l.ofHead(short):
			left = append(left, full)
		case l.ofBlock(short):
			beyond = append(beyond, full)
		default:
			unknown = append(unknown, full)
		}
	}
	slices.Sort(left)
	var errs []error
	if len(beyond) > 0 {
		errs = append(errs, fmt.Errorf("config.json says %s, and the files have tensors of more: %s. %s", l.c.said("Layers"), listed(beyond), onePair))
	}
	if len(unknown) > 0 {
		errs = append(errs, fmt.Errorf("the files have tensors that a model of type %q does not: %s", l.c.Type, listed(unknown)))
	}
	return left, errors.Join(errs...)
}

func (l *loader) ignored(short string) bool {
	return slices.ContainsFunc(l.c.family.ignored, func(p string) bool { return pattern(p, short) })
}

// ofBlock reports whether a tensor is of a block, of whatever number.
func (l *loader) ofBlock(short string) bool {
	return slices.ContainsFunc(l.c.family.body, func(n name) bool { return strings.Contains(n.tensor, "#") && pattern(n.tensor, short) })
}

// ofHead reports whether a tensor is of a head of the family, or its pooler.
func (l *loader) ofHead(short string) bool {
	is := func(n name) bool { return n.tensor == short }
	old := strings.NewReplacer("LayerNorm.gamma", "LayerNorm.weight", "LayerNorm.beta", "LayerNorm.bias").Replace(short)
	was := func(n name) bool { return n.tensor == old }
	for _, names := range append([][]name{l.c.family.pooler}, headNames(l.c.family)...) {
		if slices.ContainsFunc(names, is) || slices.ContainsFunc(names, was) {
			return true
		}
	}
	return false
}

func headNames(f *family) [][]name {
	var all [][]name
	for _, h := range f.heads {
		all = append(all, h.names)
	}
	return all
}

// pattern reports whether a name is a pattern's, where "#" stands for a number.
func pattern(p, s string) bool {
	ok, err := path.Match(strings.ReplaceAll(p, "#", "[0-9]*"), s)
	return ok && err == nil
}

// sameAs compares a tensor with the parameter that it must be, where the model has that.
func (l *loader) sameAs(tensor, param string) error {
	layer, name, _ := strings.Cut(param, "/")
	p := l.model.Params[layer][name]
	if p == nil || !l.c.Tied && name == "weight" {
		return nil
	}
	v, err := l.floats(tensor)
	if err != nil {
		return err
	}
	if !bytes.Equal(safetensors.Bytes(v), p.Data) {
		return fmt.Errorf("config.json says that the output has the weight of the token embedding (tie_word_embeddings), and the tensor %q is another", tensor)
	}
	return nil
}

// listed names some things, the first eight of many.
func listed(names []string) string {
	const most = 8
	if len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return strings.Join(names, ", ")
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
