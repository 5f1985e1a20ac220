package pretrained

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"

	"mbuild.dev/mbuild/stdlib/adapt"
	"mbuild.dev/mbuild/stdlib/artifact/adapter"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
	"mbuild.dev/mbuild/stdlib/graph"
)

// Adapters in the layout of the PEFT library: adapter_config.json beside adapter_model.safetensors, whose tensors are called
//
//	base_model.model.MODULE.lora_A.weight   [rank, in]
//	base_model.model.MODULE.lora_B.weight   [out, rank]
//	base_model.model.MODULE.base_layer.bias where a bias of a target was trained
//	base_model.model.TENSOR                 of a module that was trained as a whole, and of other biases
//
// with MODULE and TENSOR as transformers has them. Where transformers has one module for layers that are several here, the queries,
// keys and values of GPT-2, the module has the matrices of all beside each other: A [sum of ranks, in], and B with blocks on its diagonal.
const (
	peftPrefix = "base_model.model."
	firstOf    = ".lora_A.weight"
	secondOf   = ".lora_B.weight"
	biasOf     = ".base_layer.bias"
)

// PEFT is an adapter as the PEFT library has it.
type PEFT struct {
	Config  []byte // adapter_config.json
	Tensors []safetensors.Tensor
}

// modules are the tensors of a model of transformers, in the order of its layers.
type modules struct {
	head head
	rows []name // with their full names
}

// modulesOf finds what a graph is in transformers.
func modulesOf(g *graph.Graph) (*saver, *modules, error) {
	info, err := graph.Infer(g)
	if err != nil {
		return nil, nil, err
	}
	s := &saver{m: &bundle.Model{Graph: g, Info: info}, c: &Config{}, pad: -1}
	if err := s.masked(); err != nil {
		return nil, nil, err
	}
	if err := s.recognise(); err != nil {
		return nil, nil, err
	}
	h, b, err := s.match()
	if err != nil {
		return nil, nil, err
	}
	m := &modules{head: h}
	for _, n := range b.names {
		n.tensor = s.full(n, h)
		m.rows = append(m.rows, n)
	}
	return s, m, nil
}

// row finds the tensor that a parameter is.
func (m *modules) row(layer, param string) (name, bool) {
	i := slices.IndexFunc(m.rows, func(n name) bool { return n.layer == layer && n.param == param })
	if i < 0 {
		return name{}, false
	}
	return m.rows[i], true
}

// of are the parameters that a tensor is: one, or the parts of one.
func (m *modules) of(tensor string) []name {
	var out []name
	for _, n := range m.rows {
		if n.tensor == tensor {
			out = append(out, n)
		}
	}
	return out
}

// moduleOf is the name of a tensor without its last part.
func moduleOf(tensor string) string { return tensor[:max(strings.LastIndexByte(tensor, '.'), 0)] }

// SavePEFT writes an adapter of LoRA as PEFT does. base is where PEFT finds the model: a name of the Hub or a path, "" for none.
func SavePEFT(a *adapter.Adapter, base string) (*PEFT, error) {
	if a.Config.Type != adapter.LoRA {
		return nil, errors.New("PEFT has no bottleneck adapters; take an adapter that train \"lora\" made")
	}
	s, m, err := modulesOf(adapt.Detach(a.Graph, &a.Config))
	if err != nil {
		return nil, err
	}
	p := &peftSaver{a: a, m: m, ranks: map[string]int{}}
	if err := p.matrices(); err != nil {
		return nil, err
	}
	if err := p.others(); err != nil {
		return nil, err
	}
	slices.SortFunc(p.tensors, func(a, b safetensors.Tensor) int { return strings.Compare(a.Name, b.Name) })
	out := &PEFT{Tensors: p.tensors}
	out.Config, err = p.config(base, s.c.family.decoder)
	return out, err
}

type peftSaver struct {
	a       *adapter.Adapter
	m       *modules
	tensors []safetensors.Tensor
	ranks   map[string]int // by module
	saved   []string       // modules that are saved as a whole
}

func (p *peftSaver) put(name string, t *bundle.Tensor) {
	p.tensors = append(p.tensors, safetensors.Tensor{Name: peftPrefix + name, DType: string(t.DType), Shape: t.Shape, Data: t.Data})
}

// matrices puts the matrices of all targets, those of one module together.
func (p *peftSaver) matrices() error {
	parts := map[string][3]string{}
	for _, layer := range p.a.Config.Targets {
		n, ok := p.m.row(layer, "weight")
		if !ok {
			return fmt.Errorf("the layer %q has an adapter, and is no module of transformers", layer)
		}
		at, all := max(n.part-1, 0), parts[moduleOf(n.tensor)]
		all[at] = layer
		parts[moduleOf(n.tensor)] = all
	}
	for _, module := range sortedKeys(parts) {
		var pairs [][2]*bundle.Tensor
		at, width := []int(nil), 1
		for i, layer := range parts[module] {
			if layer == "" {
				continue
			}
			if n, _ := p.m.row(layer, "weight"); n.part > 0 {
				width = 3
			}
			first, second := adapt.Matrices(p.a, layer)
			if first == nil || second == nil {
				return fmt.Errorf("the adapter has no matrices for the layer %q", layer)
			}
			pairs, at = append(pairs, [2]*bundle.Tensor{first, second}), append(at, i)
		}
		first, second := blocks(pairs, at, width)
		p.put(module+firstOf, turned(first))
		p.put(module+secondOf, turned(second))
		p.ranks[module] = first.Shape[1]
	}
	return nil
}

// blocks puts pairs of matrices of one input together: A beside each other, [in, ranks], B on the diagonal, [ranks, width outs],
// each at its place of the outs.
func blocks(pairs [][2]*bundle.Tensor, at []int, width int) (first, second *bundle.Tensor) {
	if width == 1 {
		return pairs[0][0], pairs[0][1]
	}
	in, rank, out := pairs[0][0].Shape[0], pairs[0][0].Shape[1], pairs[0][1].Shape[1]
	ranks := rank * len(pairs)
	a, b := make([]float32, in*ranks), make([]float32, ranks*width*out)
	for k, p := range pairs {
		av, bv := p[0].Float32s(), p[1].Float32s()
		for i := range in {
			copy(a[i*ranks+k*rank:], av[i*rank:(i+1)*rank])
		}
		for r := range rank {
			copy(b[(k*rank+r)*width*out+at[k]*out:], bv[r*out:(r+1)*out])
		}
	}
	return bundle.Float32([]int{in, ranks}, a), bundle.Float32([]int{ranks, width * out}, b)
}

// others puts what the adapter holds beside matrices: modules that were trained as a whole, and biases.
func (p *peftSaver) others() error {
	parts := map[string][3]*bundle.Tensor{}
	for _, layer := range sortedKeys(p.a.Params) {
		whole := slices.Contains(p.a.Config.ModulesToSave, layer)
		if l := p.a.Graph.Layer(layer); l != nil && l.Op == "tied_dense" {
			return fmt.Errorf("the layer %q was trained, and is no module of its own in transformers", layer)
		}
		for _, param := range sortedKeys(p.a.Params[layer]) {
			n, ok := p.m.row(layer, param)
			if !ok {
				continue // a matrix
			}
			t, key := p.a.Params[layer][param], n.tensor
			if slices.Contains(p.a.Config.Targets, layer) {
				key = moduleOf(key) + biasOf
			}
			if whole && !slices.Contains(p.saved, moduleOf(n.tensor)) {
				p.saved = append(p.saved, moduleOf(n.tensor))
			}
			switch {
			case n.part > 0:
				all := parts[key]
				all[n.part-1] = t
				parts[key] = all
			case n.turned:
				p.put(key, turned(t))
			default:
				p.put(key, t)
			}
		}
	}
	for _, key := range sortedKeys(parts) {
		all := parts[key]
		if all[0] == nil || all[1] == nil || all[2] == nil {
			return fmt.Errorf("queries, keys and values are one module %s in transformers, and only some of its parameters were trained. Name all three layers", moduleOf(key))
		}
		p.put(key, joined(all))
	}
	return nil
}

// tasks are the names that PEFT has for heads.
var tasks = map[string]string{"classification": "SEQ_CLS", "tagging": "TOKEN_CLS", "hidden": "FEATURE_EXTRACTION"}

// config is adapter_config.json, keys sorted.
func (p *peftSaver) config(base string, decoder bool) ([]byte, error) {
	c := &p.a.Config
	rank, alpha := c.Rank, c.Alpha
	if one := slices.Sorted(maps.Values(p.ranks)); one[0] == one[len(one)-1] {
		rank = one[0] // all modules are made of as many layers
		alpha = p.alpha(rank)
	}
	ranks, alphas := map[string]int{}, map[string]any{}
	for module, r := range p.ranks {
		if r != rank {
			ranks[module], alphas[module] = r, whole(p.alpha(r))
		}
	}
	saved, complete := p.heads()
	v := map[string]any{
		"peft_type": "LORA", "task_type": nil, "base_model_name_or_path": nil, "inference_mode": true, "auto_mapping": nil, "revision": nil,
		"r": rank, "lora_alpha": whole(alpha), "lora_dropout": c.Dropout, "use_rslora": c.RSLoRA, "use_dora": false, "bias": c.Bias, "fan_in_fan_out": decoder, "init_lora_weights": true,
		"rank_pattern": ranks, "alpha_pattern": alphas, "target_modules": p.targets(), "modules_to_save": nil, "layers_to_transform": nil, "layers_pattern": nil,
	}
	if c.Bias == "" {
		v["bias"] = "none"
	}
	if base != "" {
		v["base_model_name_or_path"] = base
	}
	if len(saved) > 0 {
		v["modules_to_save"] = saved
	}
	switch task := tasks[p.m.head.kind]; {
	case p.m.head.kind == "language_model" && decoder:
		v["task_type"] = "CAUSAL_LM"
	case task != "" && (complete || p.m.head.kind == "hidden"):
		v["task_type"] = task
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return b.Bytes(), err
}

// alpha keeps the scaling of the adapter for a module of a rank.
func (p *peftSaver) alpha(rank int) float64 {
	n := float64(rank) / float64(p.a.Config.Rank)
	if p.a.Config.RSLoRA {
		n = math.Sqrt(n)
	}
	return p.a.Config.Alpha * n
}

// whole is a number as PEFT writes it: without a point where it has no fraction.
func whole(v float64) any {
	if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
		return int64(v)
	}
	return v
}

// heads are the modules that are saved as a whole, and whether the head is: what PEFT takes for granted of a task. It knows a head by
// the first part of its name.
func (p *peftSaver) heads() (saved []string, complete bool) {
	head := func(module string) string {
		first, _, _ := strings.Cut(module, ".")
		if first == "classifier" || first == "score" {
			return first
		}
		return ""
	}
	all := true
	name := ""
	for _, n := range p.m.rows {
		if h := head(n.tensor); h != "" {
			name = h
			all = all && slices.Contains(p.saved, moduleOf(n.tensor))
		}
	}
	complete = all && name != ""
	for _, m := range p.saved {
		if h := head(m); h != "" && complete {
			m = h
		}
		if !slices.Contains(saved, m) {
			saved = append(saved, m)
		}
	}
	slices.Sort(saved)
	return saved, complete
}

// targets names modules as PEFT wants them: by their last part where no others end so, else in full.
func (p *peftSaver) targets() []string {
	lastOf := func(m string) string { return m[strings.LastIndexByte(m, '.')+1:] }
	short, all := map[string]bool{}, sortedKeys(p.ranks)
	for _, m := range all {
		short[lastOf(m)] = true
	}
	for _, n := range p.m.rows {
		if m := moduleOf(n.tensor); n.param == "weight" && short[lastOf(m)] && p.ranks[m] == 0 {
			return all
		}
	}
	return sortedKeys(short)
}

// peftConfig is what LoadPEFT looks at.
type peftConfig struct {
	Type         string             `json:"peft_type"`
	Rank         int                `json:"r"`
	Alpha        float64            `json:"lora_alpha"`
	Dropout      float64            `json:"lora_dropout"`
	RSLoRA       bool               `json:"use_rslora"`
	Bias         string             `json:"bias"`
	RankPattern  map[string]int     `json:"rank_pattern"`
	AlphaPattern map[string]float64 `json:"alpha_pattern"`
}

// peftPlain are keys that change what an adapter computes; they must be false, null or empty.
var peftPlain = []string{"use_dora", "use_qalora", "use_bdlora", "lora_bias", "target_parameters", "trainable_token_indices", "layer_replication", "alora_invocation_tokens", "megatron_config",
	"kasa_config", "velora_config", "monteclora_config", "arrow_config"}

func readPEFTConfig(b []byte) (*peftConfig, error) {
	if len(b) > maxConfig {
		return nil, fmt.Errorf("adapter_config.json has %d bytes; at most %d are read", len(b), maxConfig)
	}
	c := &peftConfig{Bias: "none"}
	if err := json.Unmarshal(b, c); err != nil {
		return nil, fmt.Errorf("adapter_config.json: %w", err)
	}
	var raw map[string]any
	if err := json.Unmarshal(b, &raw); err != nil {
		return nil, fmt.Errorf("adapter_config.json: %w", err)
	}
	for _, k := range peftPlain {
		switch v := raw[k].(type) {
		case nil:
		case bool:
			if v {
				return nil, fmt.Errorf("adapter_config.json: %s is true, which mbuild does not compute", k)
			}
		default:
			if s := fmt.Sprint(v); s != "[]" && s != "map[]" {
				return nil, fmt.Errorf("adapter_config.json: %s is %s, which mbuild does not compute", k, s)
			}
		}
	}
	switch {
	case c.Type != "LORA":
		return nil, fmt.Errorf("adapter_config.json: peft_type is %q; mbuild reads LORA", c.Type)
	case c.Rank < 1 || c.Rank > maxSize || !(c.Alpha > 0) || !(c.Dropout >= 0 && c.Dropout < 1):
		return nil, fmt.Errorf("adapter_config.json: r is %d, lora_alpha %g and lora_dropout %g", c.Rank, c.Alpha, c.Dropout)
	case !slices.Contains([]string{"none", "all", "lora_only"}, c.Bias):
		return nil, fmt.Errorf("adapter_config.json: bias is %q; it is none, all or lora_only", c.Bias)
	}
	return c, nil
}

// scaling is that of a module, whose rank the tensors say.
func (c *peftConfig) scaling(module string, rank int) (float64, error) {
	want, alpha := c.Rank, c.Alpha
	var err error
	match := func(pattern string) bool {
		re, e := regexp.Compile(`^(?:.*\.)?(?:` + pattern + `)$`)
		if e != nil {
			err = fmt.Errorf("adapter_config.json: %q is no pattern of modules", pattern)
			return false
		}
		return re.MatchString(module)
	}
	for _, p := range sortedKeys(c.RankPattern) {
		if match(p) {
			want = c.RankPattern[p]
			break
		}
	}
	for _, p := range sortedKeys(c.AlphaPattern) {
		if match(p) {
			alpha = c.AlphaPattern[p]
			break
		}
	}
	switch {
	case err != nil:
		return 0, err
	case rank != want:
		return 0, fmt.Errorf("the matrices of %s have rank %d, and adapter_config.json says %d", module, rank, want)
	case c.RSLoRA:
		return alpha / math.Sqrt(float64(rank)), nil
	}
	return alpha / float64(rank), nil
}

// LoadPEFT reads an adapter that PEFT has written, of a model that is given with its digest. Where modules have several ranks and
// scalings, all get the greatest rank, with zeros, and the scaling of the file, the rest of it multiplied into B.
func LoadPEFT(base *bundle.Model, digest string, config []byte, tensors []safetensors.Tensor) (*adapter.Adapter, error) {
	a, err := fitPEFT(base.Graph, digest, config, tensors)
	if err != nil {
		return nil, err
	}
	_, err = a.Over(base, digest)
	return a, err
}

// PEFTGraph is the graph of a base with the adapter that LoadPEFT makes, and needs no parameters of the base. Its errors are those of LoadPEFT.
func PEFTGraph(base *graph.Graph, config []byte, tensors []safetensors.Tensor) (*graph.Graph, error) {
	a, err := fitPEFT(base, "", config, tensors)
	if err != nil {
		return nil, err
	}
	return a.Graph, nil
}

// fitPEFT is LoadPEFT but for holding the adapter against the base's parameters.
func fitPEFT(base *graph.Graph, digest string, config []byte, tensors []safetensors.Tensor) (*adapter.Adapter, error) {
	c, err := readPEFTConfig(config)
	if err != nil {
		return nil, err
	}
	s, m, err := modulesOf(base)
	if err != nil {
		return nil, err
	}
	l := &peftLoader{c: c, m: m, info: s.m.Info, pairs: map[string][2]*bundle.Tensor{}, others: map[string]bundle.Params{}}
	for _, t := range tensors {
		if err := l.take(t); err != nil {
			return nil, err
		}
	}
	a := &adapter.Adapter{Base: digest, Params: l.others, Config: adapter.Config{Type: adapter.LoRA, RSLoRA: c.RSLoRA, Dropout: c.Dropout, Bias: c.Bias}}
	if err := l.saved(a); err != nil {
		return nil, err
	}
	if err := l.matrices(a); err != nil {
		return nil, err
	}
	g, resolved, err := adapt.Attach(base, a.Config)
	if err != nil {
		return nil, err
	}
	a.Graph, a.Config = g, *resolved
	return a, nil
}

type peftLoader struct {
	c      *peftConfig
	m      *modules
	info   *graph.Info
	pairs  map[string][2]*bundle.Tensor // A and B by module, as they lie in the file
	others map[string]bundle.Params     // by layer
}

// take puts a tensor where it belongs.
func (l *peftLoader) take(t safetensors.Tensor) error {
	dtype := graph.DType(t.DType)
	if dtype != graph.F32 && dtype != graph.F16 && dtype != graph.BF16 {
		return fmt.Errorf("the tensor %q is of type %s; parameters are F32, F16 or BF16", t.Name, t.DType)
	}
	v := bundle.Float32(t.Shape, (&bundle.Tensor{DType: dtype, Shape: t.Shape, Data: t.Data}).Float32s())
	key, ok := strings.CutPrefix(t.Name, peftPrefix)
	if !ok {
		return fmt.Errorf("the tensor %q does not begin with %q", t.Name, peftPrefix)
	}
	if module, _, ok := strings.Cut(key, ".lora_embedding_"); ok {
		return fmt.Errorf("the tensor %q is LoRA of an embedding, %s, and adapters here go beside dense layers alone. Train it with target_modules that are dense", t.Name, module)
	}
	for k, suffix := range []string{firstOf, secondOf} {
		module, ok := strings.CutSuffix(key, suffix)
		if !ok {
			continue
		}
		if len(t.Shape) > 2 {
			return fmt.Errorf("the tensor %q has shape %v, as LoRA of a convolution has, and adapters here go beside dense layers alone. Train it with target_modules that are dense", t.Name, t.Shape)
		}
		if len(l.m.of(module+".weight")) == 0 || len(t.Shape) != 2 {
			return fmt.Errorf("the tensor %q, of shape %v, is of no module that the model has", t.Name, t.Shape)
		}
		p := l.pairs[module]
		p[k] = v
		l.pairs[module] = p
		return nil
	}
	if module, ok := strings.CutSuffix(key, biasOf); ok {
		key = module + ".bias"
	}
	rows := l.m.of(key)
	if len(rows) == 0 {
		return fmt.Errorf("the tensor %q is none that the model has", t.Name)
	}
	for _, n := range rows {
		if err := l.put(n, t.Name, v); err != nil {
			return err
		}
	}
	return nil
}

// put makes a parameter of a tensor, or of a third of it.
func (l *peftLoader) put(n name, tensor string, v *bundle.Tensor) error {
	i := slices.IndexFunc(l.info.Layers[n.layer].Params, func(p graph.Param) bool { return p.Name == n.param })
	want := l.info.Layers[n.layer].Params[i].Shape
	lies := slices.Clone(want)
	switch {
	case n.turned:
		slices.Reverse(lies)
	case n.part > 0:
		lies[len(lies)-1] *= 3
	}
	if !slices.Equal(v.Shape, lies) {
		return fmt.Errorf("the tensor %q has shape %v, and the model wants %v", tensor, v.Shape, lies)
	}
	switch {
	case n.turned:
		v = turned(v)
	case n.part > 0:
		w := want[len(want)-1]
		v = bundle.Float32(want, columns(v.Float32s(), lies[len(lies)-1], (n.part-1)*w, w))
	}
	if l.others[n.layer] == nil {
		l.others[n.layer] = bundle.Params{}
	}
	l.others[n.layer][n.param] = v
	return nil
}

// saved finds which layers were trained as a whole, and refuses what is neither that nor a bias.
func (l *peftLoader) saved(a *adapter.Adapter) error {
	for _, layer := range sortedKeys(l.others) {
		ps := l.others[layer]
		if len(ps) == len(l.info.Layers[layer].Params) && (l.c.Bias != "all" || ps["weight"] != nil || ps["gamma"] != nil) {
			a.Config.ModulesToSave = append(a.Config.ModulesToSave, layer)
			continue
		}
		for param := range ps {
			if l.c.Bias == "none" || param != "bias" && param != "beta" {
				return fmt.Errorf("the file has the parameter %q of the layer %q without the others, and bias is %q", param, layer, l.c.Bias)
			}
		}
	}
	return nil
}

// matrices makes the layers' matrices of those of modules.
func (l *peftLoader) matrices(a *adapter.Adapter) error {
	if len(l.pairs) == 0 {
		return errors.New("the file has no matrices of LoRA")
	}
	ranks := 0
	for _, module := range sortedKeys(l.pairs) {
		p := l.pairs[module]
		if p[0] == nil || p[1] == nil {
			return fmt.Errorf("the module %s has one matrix of two", module)
		}
		if p[0].Shape[0] != p[1].Shape[1] {
			return fmt.Errorf("the matrices of %s have shapes %v and %v, which are of two ranks", module, p[0].Shape, p[1].Shape)
		}
		ranks = max(ranks, p[0].Shape[0])
	}
	s := l.c.Alpha / float64(l.c.Rank)
	a.Config.Rank, a.Config.Alpha = ranks, s*float64(ranks)
	if l.c.RSLoRA {
		s = l.c.Alpha / math.Sqrt(float64(l.c.Rank))
		a.Config.Alpha = s * math.Sqrt(float64(ranks))
	}
	if ranks == l.c.Rank {
		a.Config.Alpha = l.c.Alpha
	}
	for _, module := range sortedKeys(l.pairs) {
		p := l.pairs[module]
		own, err := l.c.scaling(module, p[0].Shape[0])
		if err != nil {
			return err
		}
		for _, n := range l.m.of(module + ".weight") {
			if op := l.info.Layers[n.layer]; len(op.Params[0].Shape) != 2 || op.DType != graph.F32 || n.param != "weight" {
				return fmt.Errorf("the module %s has matrices, and is no dense layer", module)
			}
			w := l.info.Layers[n.layer].Params[0].Shape // [in, out]
			parts := max(1, 3*min(n.part, 1))
			if p[0].Shape[1] != w[0] || p[1].Shape[0] != w[1]*parts {
				return fmt.Errorf("the matrices of %s have shapes %v and %v, and its weight takes %d and gives %d", module, p[0].Shape, p[1].Shape, w[0], w[1]*parts)
			}
			second := turned(p[1])
			if n.part > 0 {
				second = bundle.Float32([]int{second.Shape[0], w[1]}, columns(second.Float32s(), 3*w[1], (n.part-1)*w[1], w[1]))
			}
			adapt.SetMatrices(a, n.layer, wide(turned(p[0]), ranks), tall(second, ranks, own/s))
			a.Config.Targets = append(a.Config.Targets, n.layer)
		}
	}
	return nil
}

// wide gives a matrix more columns, of zeros.
func wide(t *bundle.Tensor, cols int) *bundle.Tensor {
	rows, n, v := t.Shape[0], t.Shape[1], t.Float32s()
	out := make([]float32, rows*cols)
	for r := range rows {
		copy(out[r*cols:], v[r*n:(r+1)*n])
	}
	return bundle.Float32([]int{rows, cols}, out)
}

// tall gives a matrix more rows, of zeros, and multiplies it.
func tall(t *bundle.Tensor, rows int, by float64) *bundle.Tensor {
	out := make([]float32, rows*t.Shape[1])
	for i, v := range t.Float32s() {
		if out[i] = v; by != 1 {
			out[i] = float32(float64(v) * by)
		}
	}
	return bundle.Float32([]int{rows, t.Shape[1]}, out)
}
