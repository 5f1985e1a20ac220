package cache

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Results are kept in a compact binary form, for a plan reads as many as it has actions. There is one encoding of each result:
// outputs and metrics are sorted by name, numbers are as short as they can be, and whatever has another form is refused.
//
//	result    version (byte 1), flags (byte), outputs (count, output*), metrics (count, metric*), log (digest if flag 1),
//	          started (8 bytes, nanoseconds since 1970, if flag 2), wall, worker, backend, peak memory
//	output    name, media type, digest, directory (byte 0 or 1)
//	metric    name, value (8 bytes, IEEE 754)
//	digest    sum (32 bytes), size
//
// Counts, sizes, wall (nanoseconds) and peak memory are unsigned varints; text is its length as a varint and the bytes; what has 8
// bytes is little-endian.
const resultVersion = 1

const (
	hasLog     = 1 << 0
	hasStarted = 1 << 1
)

var errResult = errors.New("not an action result in canonical form")

// Encode returns the result in its one binary form. It fails on what has no such form: two outputs of one name, negative sizes or
// times.
func (r *ActionResult) Encode() ([]byte, error) { return r.AppendTo(nil) }

// AppendTo is Encode to the end of b.
func (r *ActionResult) AppendTo(b []byte) ([]byte, error) {
	outputs := r.Outputs
	byName := func(a, b Output) int { return strings.Compare(a.Name, b.Name) }
	if !slices.IsSortedFunc(outputs, byName) {
		outputs = slices.Clone(outputs)
		slices.SortFunc(outputs, byName)
	}
	var flags byte
	if !r.Log.IsZero() {
		flags |= hasLog
	}
	if !r.Execution.Started.IsZero() {
		flags |= hasStarted
	}
	b = binary.AppendUvarint(append(b, resultVersion, flags), uint64(len(outputs)))
	for i, o := range outputs {
		if i > 0 && o.Name == outputs[i-1].Name {
			return nil, fmt.Errorf("encoding an action result: two outputs are named %q", o.Name)
		}
		b = appendDigest(appendText(appendText(b, o.Name), o.MediaType), o.Digest)
		b = append(b, 0)
		if o.Directory {
			b[len(b)-1] = 1
		}
	}
	b = appendMetrics(b, r.Metrics)
	if flags&hasLog != 0 {
		b = appendDigest(b, r.Log)
	}
	return r.Execution.appendTo(b)
}

func appendMetrics(b []byte, metrics map[string]float64) []byte {
	b = binary.AppendUvarint(b, uint64(len(metrics)))
	if len(metrics) == 0 {
		return b
	}
	names := make([]string, 0, len(metrics))
	for n := range metrics {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		b = binary.LittleEndian.AppendUint64(appendText(b, n), math.Float64bits(metrics[n]))
	}
	return b
}

func (e *Execution) appendTo(b []byte) ([]byte, error) {
	if e.Wall < 0 || e.PeakMemory < 0 {
		return nil, fmt.Errorf("encoding an action result: a time of %s and %d bytes of memory cannot be", e.Wall, e.PeakMemory)
	}
	if !e.Started.IsZero() {
		ns := e.Started.UnixNano()
		if !time.Unix(0, ns).Equal(e.Started) {
			return nil, fmt.Errorf("encoding an action result: it cannot have started in the year %d", e.Started.Year())
		}
		b = binary.LittleEndian.AppendUint64(b, uint64(ns))
	}
	b = binary.AppendUvarint(b, uint64(e.Wall))
	b = appendText(appendText(b, e.Worker), e.Backend)
	return binary.AppendUvarint(b, uint64(e.PeakMemory)), nil
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendDigest(b []byte, d Digest) []byte {
	return binary.AppendUvarint(append(b, d.sum[:]...), uint64(d.size))
}

// DecodeResult reads what Encode wrote, or the JSON that earlier versions wrote. It keeps nothing of b.
func DecodeResult(b []byte) (*ActionResult, error) {
	r := new(ActionResult)
	if len(b) > 0 && b[0] == '{' {
		if err := json.Unmarshal(b, r); err != nil {
			return nil, fmt.Errorf("decoding an action result: %w", err)
		}
		return r, nil
	}
	c := cursor{text: string(b)}
	if c.byte() != resultVersion {
		return nil, fmt.Errorf("decoding an action result: it has version %d, and this mbuild knows %d: %w", b[:min(1, len(b))], resultVersion, errResult)
	}
	c.result(r)
	if c.bad || len(c.text) > 0 {
		return nil, fmt.Errorf("decoding an action result: %w", errResult)
	}
	return r, nil
}

// cursor reads an encoding from the front. Texts are parts of one string, so that a result costs few allocations. After the
// first thing that is wrong it is bad and gives zeros.
type cursor struct {
	text string
	bad  bool
}

func (c *cursor) result(r *ActionResult) {
	flags := c.byte()
	if flags > hasLog|hasStarted {
		c.bad = true
	}
	const leastOutput, leastMetric = 36, 9
	if n := c.count(leastOutput); n > 0 {
		r.Outputs = make([]Output, n)
		for i := range r.Outputs {
			o := &r.Outputs[i]
			o.Name, o.MediaType, o.Digest = c.string(), c.string(), c.digest()
			directory := c.byte()
			o.Directory = directory == 1
			if directory > 1 || i > 0 && o.Name <= r.Outputs[i-1].Name {
				c.bad = true
			}
		}
	}
	if n := c.count(leastMetric); n > 0 {
		r.Metrics = make(map[string]float64, n)
		for last, i := "", 0; i < n; i++ {
			name := c.string()
			if i > 0 && name <= last {
				c.bad = true
			}
			last, r.Metrics[name] = name, math.Float64frombits(c.fixed())
		}
	}
	if flags&hasLog != 0 {
		r.Log = c.digest()
		c.bad = c.bad || r.Log.IsZero()
	}
	if flags&hasStarted != 0 {
		r.Execution.Started = time.Unix(0, int64(c.fixed())).UTC()
	}
	r.Execution.Wall = time.Duration(c.size())
	r.Execution.Worker, r.Execution.Backend = c.string(), c.string()
	r.Execution.PeakMemory = c.size()
}

// take gives the next n bytes.
func (c *cursor) take(n uint64) string {
	if c.bad || n > uint64(len(c.text)) {
		c.bad = true
		return ""
	}
	s := c.text[:n]
	c.text = c.text[n:]
	return s
}

func (c *cursor) byte() byte {
	if s := c.take(1); s != "" {
		return s[0]
	}
	return 0
}

func (c *cursor) fixed() (v uint64) {
	s := c.take(8)
	for i := len(s) - 1; i >= 0; i-- {
		v = v<<8 | uint64(s[i])
	}
	return v
}

// uvarint reads a number; one that could be shorter is bad.
func (c *cursor) uvarint() (v uint64) {
	for i, shift := 0, 0; i < len(c.text); i, shift = i+1, shift+7 {
		b := c.text[i]
		if shift == 63 && b > 1 || b == 0 && i > 0 {
			break
		}
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			c.text = c.text[i+1:]
			return v
		}
	}
	c.bad = true
	return 0
}

// size is a number that fits into int64.
func (c *cursor) size() int64 {
	v := c.uvarint()
	if v > math.MaxInt64 {
		c.bad = true
		return 0
	}
	return int64(v)
}

// count is the number of things that follow, each of at least so many bytes: no more than there is room for.
func (c *cursor) count(least int) int {
	n := c.uvarint()
	if n > uint64(len(c.text)/least) {
		c.bad = true
		return 0
	}
	return int(n)
}

func (c *cursor) string() string { return c.take(c.uvarint()) }

func (c *cursor) digest() (d Digest) {
	copy(d.sum[:], c.take(uint64(len(d.sum))))
	d.size = c.size()
	return d
}
