package planner

import (
	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/lang"
	"mbuild.dev/mbuild/lang/value"
)

// Record is what a project remembers of its applies, so that plans can say what changed. It lives in .mbuild, is
// disposable, and never decides whether something is cached. A nil Record remembers nothing.
type Record struct {
	Actions map[string]ActionRecord `json:"actions"` // by action address
	Blocks  map[string]string       `json:"blocks"`  // canonical JSON of the attributes by block address, references as addresses
	Running []string                `json:"running"` // actions that an apply had started and never finished
}

// ActionRecord is the key an action had when it was last finished, and the one before that.
type ActionRecord struct {
	Key   string `json:"key"`
	Prior string `json:"prior,omitempty"`
}

// NewRecord returns an empty record.
func NewRecord() *Record {
	return &Record{Actions: map[string]ActionRecord{}, Blocks: map[string]string{}}
}

// Finish notes the key under which an action was built or found.
func (r *Record) Finish(addr string, key cache.ActionKey) {
	text, _ := key.MarshalText()
	old := r.Actions[addr]
	if old.Key != string(text) {
		r.Actions[addr] = ActionRecord{Key: string(text), Prior: old.Key}
	}
}

// Keep notes the attributes of a block that was applied, and reports whether they are new.
func (r *Record) Keep(b *lang.Block) bool {
	enc, err := value.Canonical(plainAttrs(b))
	if err != nil {
		return false // attributes in normal form have an encoding
	}
	addr := b.Addr.String()
	if r.Blocks[addr] == string(enc) {
		return false
	}
	r.Blocks[addr] = string(enc)
	return true
}

// Prior is the key an action had before its present one; zero if there was none.
func (r *Record) Prior(addr string) cache.ActionKey {
	if r == nil {
		return cache.ActionKey{}
	}
	return parseKey(r.Actions[addr].Prior)
}

func (r *Record) key(addr string) cache.ActionKey {
	if r == nil {
		return cache.ActionKey{}
	}
	return parseKey(r.Actions[addr].Key)
}

func parseKey(s string) cache.ActionKey {
	k, err := cache.ParseActionKey(s)
	if err != nil {
		return cache.ActionKey{}
	}
	return k
}

func (r *Record) block(addr lang.Addr) (map[string]any, bool) {
	if r == nil {
		return nil, false
	}
	text, ok := r.Blocks[addr.String()]
	if !ok {
		return nil, false
	}
	v, err := value.Decode([]byte(text))
	attrs, ok := v.(map[string]any)
	return attrs, ok && err == nil
}

func (r *Record) interrupted(addr string) bool {
	if r == nil {
		return false
	}
	for _, a := range r.Running {
		if a == addr {
			return true
		}
	}
	return false
}
