package planner

import (
	"context"
	"sort"
	"strconv"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/lang"
	"mbuild.dev/mbuild/lang/value"
)

// explain fills in why each step that is not Cached is not, by comparing its encoding with the one of the last apply.
func (p *Plan) explain(ctx context.Context, req Request) {
	for _, s := range p.Steps {
		if s == nil {
			continue
		}
		s.PriorKey, _ = req.Last.Keys(s.Addr)
		if s.Status != Build || len(s.Reasons) > 0 {
			continue
		}
		s.Reasons = Changes(ctx, req.Store, s, s.PriorKey, p.ToolchainOf(s.Action))
		if len(s.Reasons) == 1 && s.Reasons[0].Code == "new" && req.Last.Interrupted(s.Addr) {
			s.Reasons[0].Code = "interrupted"
		}
	}
	p.estimates(ctx, req)
	for _, b := range req.Graph.Spec.Blocks {
		bs := &BlockStep{Block: b}
		for _, a := range req.Graph.byBlock[b.Addr.String()] {
			if s := p.Steps[a.Index]; s != nil {
				bs.Steps = append(bs.Steps, s)
				bs.Kind = a.Kind
			}
		}
		if len(bs.Steps) > 0 {
			p.Blocks = append(p.Blocks, bs)
		}
	}
	for _, b := range p.Blocks {
		b.sum()
		if b.Status != Cached {
			b.Reasons = blockReasons(b, req.Last)
		}
	}
}

// Changes says what differs between the action that the prior key stood for and the step as it is now. Without a prior
// key, or when its preimage is gone, the step counts as new; with the same key, its record is what was lost.
func Changes(ctx context.Context, cas cache.CAS, s *Step, prior cache.ActionKey, tc Toolchain) []Reason {
	if prior.IsZero() {
		return []Reason{{Code: "new"}}
	}
	if prior == s.Key {
		return []Reason{{Code: "lost"}}
	}
	before, err := ReadAction(ctx, cas, prior)
	if err != nil {
		return []Reason{{Code: "new", Before: prior.String()}} // the store no longer has what it was
	}
	after, err := value.Decode(s.Encode(s.Inputs, tc))
	if err != nil {
		return []Reason{{Code: "new"}}
	}
	return withSources(Diff(before, after.(map[string]any)), s)
}

// withSources says of each changed input where it comes from.
func withSources(changes []Reason, s *Step) []Reason {
	for i := range changes {
		for _, in := range s.Action.Inputs {
			if changes[i].Code == "input" && in.Name == changes[i].Path {
				changes[i].From = in.Source.String()
			}
		}
	}
	return changes
}

// ReadAction reads the preimage of a key: the encoded action as a decoded document.
func ReadAction(ctx context.Context, cas cache.CAS, key cache.ActionKey) (map[string]any, error) {
	return ReadEncoded(ctx, cas, key.Digest())
}

// ReadEncoded reads an encoded action by its digest, which is that of the key.
func ReadEncoded(ctx context.Context, cas cache.CAS, d cache.Digest) (map[string]any, error) {
	enc, err := cache.ReadAll(ctx, cas, d, 64<<20)
	if err != nil {
		return nil, err
	}
	v, err := value.Decode(enc)
	if err != nil {
		return nil, err
	}
	m, _ := v.(map[string]any)
	return m, nil
}

// Diff lists what differs between two encoded actions, in the order: kind, parameters, inputs, toolchain.
func Diff(before, after map[string]any) []Reason {
	var rs []Reason
	if !equal(before["kind"], after["kind"]) || !equal(before["version"], after["version"]) || !equal(before["verb"], after["verb"]) {
		rs = append(rs, Reason{Code: "kind_version", Before: kindName(before), After: kindName(after)})
	}
	rs = append(rs, diffValue("attribute", "", before["params"], after["params"])...)
	rs = append(rs, diffValue("input", "", before["inputs"], after["inputs"])...)
	for _, k := range []string{"backend", "platform"} {
		rs = append(rs, diffFingerprint(k, before[k], after[k])...)
	}
	return rs
}

// Diff lists what differs between two toolchains, by parts of the fingerprint: "backend.simd: avx512 -> avx2".
func (t Toolchain) Diff(now Toolchain) []Reason {
	rs := diffFingerprint("backend", t.Fingerprint, now.Fingerprint)
	rs = append(rs, diffValue("toolchain", "name", t.Backend, now.Backend)...)
	return append(rs, diffValue("toolchain", "platform", t.Platform, now.Platform)...)
}

// diffFingerprint lists the parts that differ; between two backends it is their names alone, for everything else does.
func diffFingerprint(path string, before, after any) []Reason {
	b, a := fingerprint(before), fingerprint(after)
	bm, ok1 := b.(map[string]any)
	am, ok2 := a.(map[string]any)
	if ok1 && ok2 && !equal(bm["backend"], am["backend"]) {
		return []Reason{{Code: "toolchain", Path: path, Before: bm["backend"], After: am["backend"]}}
	}
	return diffValue("toolchain", path, b, a)
}

// fingerprint takes a backend's fingerprint apart where it is an object in JSON.
func fingerprint(v any) any {
	text, _ := v.(string)
	parts, err := value.Decode([]byte(text))
	if m, ok := parts.(map[string]any); ok && err == nil {
		return m
	}
	return v
}

func kindName(m map[string]any) string {
	kind, _ := m["kind"].(string)
	v, _ := m["version"].(int64)
	return kind + " v" + strconv.FormatInt(v, 10)
}

// diffValue compares two values and lists each differing leaf with its dotted path.
func diffValue(code, path string, before, after any) []Reason {
	if equal(before, after) {
		return nil
	}
	bm, ok1 := before.(map[string]any)
	am, ok2 := after.(map[string]any)
	if ok1 && ok2 && bm["$secret"] == nil && am["$secret"] == nil {
		var rs []Reason
		for _, k := range unionKeys(bm, am) {
			rs = append(rs, diffValue(code, join(path, k), bm[k], am[k])...)
		}
		return rs
	}
	bl, ok1 := before.([]any)
	al, ok2 := after.([]any)
	if ok1 && ok2 && len(bl) == len(al) {
		var rs []Reason
		for i := range bl {
			rs = append(rs, diffValue(code, join(path, strconv.Itoa(i)), bl[i], al[i])...)
		}
		return rs
	}
	return []Reason{{Code: code, Path: path, Before: before, After: after}}
}

func unionKeys(a, b map[string]any) []string {
	var keys []string
	for k := range a {
		keys = append(keys, k)
	}
	for k := range b {
		if _, ok := a[k]; !ok {
			keys = append(keys, k)
		}
	}
	sort.Strings(keys)
	return keys
}

func join(path, k string) string {
	if path == "" {
		return k
	}
	return path + "." + k
}

// equal compares values in normal form by their canonical text.
func equal(a, b any) bool {
	ea, err1 := value.Canonical(a)
	eb, err2 := value.Canonical(b)
	return err1 == nil && err2 == nil && string(ea) == string(eb)
}

// blockReasons says what changed in the block as the user wrote it, then what came from outside it.
func blockReasons(b *BlockStep, last Past) []Reason {
	var rs []Reason
	if prior, ok := last.Attrs(b.Block.Addr); ok {
		prior = plain(prior).(map[string]any)
		rs = diffValue("attribute", "", prior, plainAttrs(b.Block))
	}
	for _, s := range b.Steps {
		for _, r := range s.Reasons {
			internal := r.Code == "input" && len(r.From) > 0 && fromBlock(r.From, b.Block.Addr)
			covered := (r.Code == "attribute" || r.Code == "new") && len(rs) > 0
			if !internal && !covered && !hasReason(rs, r) {
				rs = append(rs, r)
			}
		}
		if len(rs) > 0 && s.Status == Build {
			break
		}
	}
	return rs
}

func hasReason(rs []Reason, r Reason) bool {
	for _, x := range rs {
		if x.Code == r.Code && x.Path == r.Path && x.From == r.From {
			return true
		}
	}
	return false
}

// fromBlock reports whether an output's address belongs to the block: "a.b.c.out" or "a.b.c/segment[2].out".
func fromBlock(from string, addr lang.Addr) bool {
	a := addr.String()
	return len(from) > len(a) && from[:len(a)] == a && (from[len(a)] == '.' || from[len(a)] == '/')
}

// plainAttrs is the block's attributes with references replaced by the address they name.
func plainAttrs(b *lang.Block) map[string]any {
	return plain(b.Attrs()).(map[string]any)
}

func plain(v any) any {
	switch t := v.(type) {
	case value.Ref:
		return t.To
	case value.Secret:
		enc, _ := t.MarshalJSON() // an encoding of normal form does not fail
		hidden, _ := value.Decode(enc)
		return hidden
	case []any:
		out := make([]any, len(t))
		for i, e := range t {
			out[i] = plain(e)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(t))
		for k, e := range t {
			out[k] = plain(e)
		}
		return out
	}
	return v
}
