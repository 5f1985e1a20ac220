package disk

import (
	"cmp"
	"slices"
	"time"
)

// choose marks what goes.
func (c *collection) choose() error {
	blobs := c.candidates()
	if age := uint32(c.p.MaxAge / time.Hour); c.p.MaxAge > 0 {
		for _, it := range blobs {
			if it.rank == RankNone && c.hourOf(it)+age < c.now {
				c.drop(it)
			}
		}
		for _, i := range c.results {
			if it := &c.items[i]; it.rank == RankNone && it.hour+4*age < c.now {
				c.forget(it)
			}
		}
	}
	if c.p.MaxBytes == 0 {
		return nil
	}
	over := c.expected() - c.p.MaxBytes
	shrink := func(least, most Rank) {
		last := int32(-1) // a result that has lost one of its blobs is of no more use with the rest
		for _, it := range blobs {
			if (over > 0 || it.owner == last) && !it.gone && least <= it.rank && it.rank <= most {
				over -= c.drop(it)
				if last = it.owner; int(last) >= len(c.results) {
					last = -1
				}
			}
		}
	}
	shrink(RankNone, RankIntermediate)
	for _, i := range slices.Backward(c.results) {
		if it := &c.items[i]; over > 0 && it.rank == RankNone {
			over -= c.forget(it)
		}
	}
	shrink(RankLast, RankWanted)
	return nil
}

// candidates are the blobs that may go, in the order in which they should.
func (c *collection) candidates() []*item {
	var list []*item
	for i := range c.items {
		it := &c.items[i]
		if (it.kind == recordBlob || it.kind == recordFile) && !it.part && it.rank < rankHeld {
			list = append(list, it)
		}
	}
	slices.SortFunc(list, func(a, b *item) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(b.owner, a.owner), cmp.Compare(a.hour, b.hour), cmp.Compare(a.offset, b.offset))
	})
	return list
}

// hourOf is when a blob was used last: when its owner was.
func (c *collection) hourOf(it *item) uint32 {
	if int(it.owner) < len(c.results) {
		return c.items[c.results[it.owner]].hour
	}
	return it.hour
}

// drop marks a blob as going and returns what that frees.
func (c *collection) drop(it *item) int64 {
	if it.gone {
		return 0
	}
	it.gone = true
	freed := it.length
	if it.kind == recordFile {
		freed += blocks(it.size)
	}
	return freed
}

// forget marks a result and its preimage as going.
func (c *collection) forget(it *item) int64 {
	freed := c.drop(it)
	if r, ok := c.record(it); ok {
		if pre := c.blob(r.digest); pre != nil && pre.rank < rankHeld {
			freed += c.drop(pre)
		}
	}
	return freed
}

// blocks is what a file of a size takes on the disk, near enough.
func blocks(size int64) int64 { return (size + 4095) &^ 4095 }

// kept is what stays of the log.
func (c *collection) kept() (n int64) {
	for i := range c.items {
		if it := &c.items[i]; !it.gone && it.kind != recordLost {
			n += it.length
		}
	}
	return n
}

// expected is what the store takes when what is marked is gone and the log is written anew.
func (c *collection) expected() int64 {
	n := c.report.Before - (c.scanned - c.kept())
	for i := range c.items {
		if it := &c.items[i]; it.gone && it.kind == recordFile {
			n -= blocks(it.size)
		}
	}
	return n
}

// sum fills in the report.
func (c *collection) sum() error {
	var by [rankHeld]Evicted
	for i := range c.items {
		switch it := &c.items[i]; {
		case it.gone && it.kind == recordResult:
			c.report.Records++
		case it.gone && !it.part:
			by[it.rank].Blobs++
			by[it.rank].Bytes += it.size
		case it.rank == rankHeld && (it.kind == recordBlob || it.kind == recordFile):
			c.report.Held += it.size
		}
	}
	for rank, e := range by {
		if e.Blobs > 0 {
			e.Rank = rankNames[rank]
			c.report.Bytes = append(c.report.Bytes, e)
		}
	}
	c.report.After = c.report.Before
	if c.worthwhile() {
		c.report.After = c.expected()
	}
	return nil
}

// worthwhile reports that the log is to be written anew: something goes, or a quarter of it is of no use.
func (c *collection) worthwhile() bool {
	for i := range c.items {
		if c.items[i].gone {
			return true
		}
	}
	slack := c.scanned - c.kept() - headerSize
	return slack > max(1<<20, c.scanned/4) || slack > 0 && c.p.MaxBytes > 0 && c.report.Before > c.p.MaxBytes
}
