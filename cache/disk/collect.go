package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"mbuild.dev/mbuild/cache"
)

// Rank says how dear a result is. What has a lower rank goes first; within a rank, what was used longest ago.
type Rank int8

// The ranks that a caller gives. A result that no root names has RankNone.
const (
	RankNone         Rank = iota
	RankIntermediate      // named by a current spec, and needed only should others be made again
	RankLast              // the last state of a chain, from which it would go on
	RankWanted            // an output of a block
	rankHeld              // pinned, or in use: never collected
)

// Root is a result that some project still names.
type Root struct {
	Key  cache.ActionKey
	Rank Rank
}

// Policy says what may be collected.
type Policy struct {
	MaxBytes int64         // what the store may take on the disk; 0 is no limit
	MaxAge   time.Duration // after which results that no root names lose their bytes, and after four times that the record; 0 is never
	Roots    []Root
	DryRun   bool          // only say what would go
	Wait     time.Duration // for plans that are being made; then cache.ErrBusy
}

// Report is what was collected, or would be.
type Report struct {
	Before  int64     `json:"before"` // bytes of the store on the disk, as du counts them
	After   int64     `json:"after"`
	Bytes   []Evicted `json:"bytes"`   // blobs that went, by rank
	Records int       `json:"records"` // results that were forgotten
	Held    int64     `json:"held"`    // bytes of blobs that pins and running processes keep
	Temp    int       `json:"temp"`    // leftovers of dead processes
	Over    bool      `json:"over"`    // what is left is more than the limit
	DryRun  bool      `json:"dry_run"`
}

// Evicted is what went of one rank.
type Evicted struct {
	Rank  string `json:"rank"`
	Blobs int    `json:"blobs"`
	Bytes int64  `json:"bytes"`
}

var rankNames = [...]string{"unnamed", "intermediate", "last", "wanted"}

// Collect makes room. Bytes go first, and records much later, for results are all that a plan needs as long as nobody asks for bytes:
// the bytes of results that no root names, by age, then those of intermediate results; then records that no root names; then the bytes of
// last states, and of what is wanted. What is pinned or leased stays, and so does what was added since the oldest lease began.
//
// Whoever dies in the middle of it leaves the store as it was, or collected. It needs locks that only Linux has.
func (s *Store) Collect(ctx context.Context, p Policy) (*Report, error) {
	if s.readOnly {
		return nil, cache.ErrReadOnly
	}
	unlock, err := s.excludePlans(ctx, p.Wait)
	if err != nil {
		return nil, fmt.Errorf("collecting garbage: %w", err)
	}
	defer unlock()
	rep := &Report{DryRun: p.DryRun, Bytes: []Evicted{}}
	if !p.DryRun {
		rep.Temp = s.sweep()
	}
	if rep.Before, err = s.DiskBytes(); err != nil {
		return nil, fmt.Errorf("collecting garbage: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &collection{s: s, p: p, now: hourOf(s.now()), report: rep, ctx: ctx}
	for _, step := range []func() error{c.survey, c.rank, c.choose, c.sum, c.compact} {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = step()
		}
		if err == nil {
			err = c.failed
		}
	}
	if err != nil {
		return nil, fmt.Errorf("collecting garbage: %w", wrap(err))
	}
	if !p.DryRun {
		if rep.After, err = s.countSize(); err != nil {
			return nil, fmt.Errorf("collecting garbage: %w", err)
		}
	}
	rep.Over = p.MaxBytes > 0 && rep.After > p.MaxBytes
	return rep, nil
}

// excludePlans waits until nobody plans, and keeps others from it.
func (s *Store) excludePlans(ctx context.Context, wait time.Duration) (unlock func(), err error) {
	try := func() (bool, error) {
		s.held.Lock()
		defer s.held.Unlock()
		if s.planning > 0 {
			return false, nil
		}
		ok, err := s.locks.TryLock(gcLock, 1, false)
		if ok {
			s.planning = -1 << 30 // keeps Planning of this process out, whose lock is the same
		}
		return ok, err
	}
	if err := s.waitFor(ctx, try, wait); err != nil {
		return nil, err
	}
	return func() {
		s.held.Lock()
		defer s.held.Unlock()
		s.planning = 0
		s.locks.UnlockRange(gcLock, 1)
	}, nil
}

// collection is a Collect under way.
type collection struct {
	ctx     context.Context
	s       *Store
	p       Policy
	now     uint32 // hours since 1970
	report  *Report
	scanned int64 // how much of the log was looked at

	leases  []lease
	starts  []int64 // where each lease began in this log
	items   []item
	at      table // from prefixes to items
	results []int // items that are results, the dearest first
	strays  []cache.Digest
	failed  error // the first failure to read
}

// item is the last record of a sum.
type item struct {
	prefix uint64
	offset int64
	last   int64 // offset of the last note that it is used, or its own
	length int64 // of the record
	size   int64 // of the blob
	hour   uint32
	owner  int32 // of a blob: the dearest result that names it, in the order of results; none is the end of them
	kind   byte
	rank   Rank
	part   bool // the preimage of a result
	gone   bool
}

// survey reads the log: the last record of each sum, and when it was used.
func (c *collection) survey() error {
	s := c.s
	if err := s.readOn(); err != nil {
		return err
	}
	c.scanned = s.end
	_, err := scan(s.log.File, 0, c.scanned, c.see)
	return err
}

func (c *collection) see(r record, offset int64) {
	sum := r.digest.Bytes()
	switch r.kind {
	case recordHead:
	case recordUse:
		for _, kind := range []byte{recordBlob, recordResult} {
			if i, ok := c.at.get(prefix(sum, kind)); ok {
				it := &c.items[i]
				it.last, it.hour = offset, max(it.hour, r.hour)
			}
		}
	default:
		p := prefix(sum, r.kind)
		i, ok := c.at.get(p)
		if !ok {
			i = int64(len(c.items))
			c.items = append(c.items, item{})
			c.at.put(p, i)
		}
		c.items[i] = item{prefix: p, offset: offset, last: offset, length: headerSize + int64(len(r.payload)), size: r.digest.Size(), hour: max(r.hour, c.items[i].hour), kind: r.kind}
	}
}

// blob is the item of a blob; nil when there is none.
func (c *collection) blob(d cache.Digest) *item {
	i, ok := c.at.get(prefix(d.Bytes(), recordBlob))
	if !ok || c.items[i].kind == recordLost || c.items[i].size != d.Size() {
		return nil
	}
	return &c.items[i]
}

func (c *collection) result(k cache.ActionKey) *item {
	i, ok := c.at.get(prefix(k.Digest().Bytes(), recordResult))
	if !ok {
		return nil
	}
	return &c.items[i]
}

// record reads the record of an item; false when it is damaged. When it cannot be read, that is no damage: nothing is collected.
func (c *collection) record(it *item) (record, bool) {
	b := make([]byte, it.length)
	if err := c.s.log.read(b, it.offset); err != nil && c.failed == nil {
		c.failed = err
	}
	r, n := parse(b)
	return r, n > 0
}

// rank gives every result its rank, and every blob that of the dearest result that names it.
func (c *collection) rank() error {
	if err := c.hold(); err != nil {
		return err
	}
	for _, root := range c.p.Roots {
		if it := c.result(root.Key); it != nil {
			it.rank = max(it.rank, min(root.Rank, RankWanted))
		}
	}
	none := int32(len(c.items))
	for i := range c.items {
		it := &c.items[i]
		it.owner = none
		if it.kind == recordResult {
			c.results = append(c.results, i)
		}
	}
	for _, i := range c.results {
		if c.items[i].hour == 0 { // of format 1
			if res, ok := c.decode(&c.items[i]); ok {
				c.items[i].hour = hourOf(res.Execution.Started)
			}
		}
	}
	slices.SortFunc(c.results, func(a, b int) int {
		x, y := &c.items[a], &c.items[b]
		switch {
		case x.rank != y.rank:
			return int(y.rank) - int(x.rank)
		case x.hour != y.hour:
			return int(y.hour) - int(x.hour)
		case x.offset < y.offset:
			return 1
		}
		return -1
	})
	for n, i := range c.results {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		c.own(&c.items[i], int32(n))
	}
	return nil
}

// hold finds what must stay: pins, leases, and what was added since the oldest lease began.
func (c *collection) hold() error {
	pins, err := c.s.Pins()
	if err != nil {
		return err
	}
	if c.leases, err = c.s.leases(); err != nil {
		return err
	}
	keep := func(k cache.ActionKey) {
		if it := c.result(k); it != nil {
			it.rank = rankHeld
		}
	}
	moved := c.moved()
	since := c.scanned
	for _, l := range c.leases {
		for _, k := range l.keys {
			keep(k)
		}
		start := l.end
		if l.id != c.s.id {
			start = moved[l.name] // 0, all of the log, when it says nothing
		}
		c.starts = append(c.starts, start)
		since = min(since, start)
	}
	for i := range c.items {
		if it := &c.items[i]; it.last >= since {
			it.rank = rankHeld
		}
	}
	for _, p := range pins {
		if !p.Key.IsZero() {
			keep(p.Key)
		}
		c.holdBlob(p.Digest)
	}
	return nil
}

// holdBlob keeps a blob, and what it names should it be a directory.
func (c *collection) holdBlob(d cache.Digest) {
	if c.blob(d) == nil {
		return
	}
	c.walk(cache.Output{Digest: d, Directory: true}, func(it *item) { it.rank = rankHeld })
	c.blob(d).rank = rankHeld
}

// walk calls f for the blob of an output and those that it names as a directory, as far as they can be read.
func (c *collection) walk(out cache.Output, f func(*item)) {
	visit := func(_ string, d cache.Digest) error {
		if it := c.blob(d); it != nil {
			f(it)
		}
		return nil
	}
	visit("", out.Digest)
	if out.Directory {
		var failed *fs.PathError
		if err := cache.WalkTree(c.ctx, heldCAS{c}, out.Digest, visit); errors.As(err, &failed) && c.failed == nil {
			c.failed = err
		} // an output that lacks something keeps the rest
	}
}

func (c *collection) decode(it *item) (*cache.ActionResult, bool) {
	r, ok := c.record(it)
	if !ok {
		return nil, false
	}
	res, err := cache.DecodeResult(r.payload)
	return res, err == nil
}

// own makes a result the owner of those of its blobs that no dearer one has.
func (c *collection) own(it *item, n int32) {
	rank := it.rank
	r, ok := c.record(it)
	if !ok {
		return
	}
	if pre := c.blob(r.digest); pre != nil {
		pre.part, pre.owner, pre.rank = true, n, max(pre.rank, rank)
	}
	res, err := cache.DecodeResult(r.payload)
	if err != nil {
		return
	}
	take := func(b *item) {
		if !b.part {
			b.owner, b.rank = min(b.owner, n), max(b.rank, rank)
		}
	}
	for _, out := range res.Outputs {
		c.walk(out, take)
	}
	c.walk(cache.Output{Digest: res.Log}, take)
}

// moved says where leases that began in an earlier log begin in this one.
func (c *collection) moved() map[string]int64 {
	b, err := c.s.log.head()
	if err != nil {
		c.failed = err
	}
	head, n := parse(b)
	if n == 0 || head.kind != recordHead {
		return nil
	}
	return decodeMoves(head.payload)
}
