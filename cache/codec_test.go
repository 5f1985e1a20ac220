package cache

import (
	"bytes"
	"math"
	"reflect"
	"testing"
	"time"
)

func sampleResults() []*ActionResult {
	return []*ActionResult{
		{},
		{Outputs: []Output{{Name: "out", MediaType: "text/plain", Digest: Sum([]byte("x"))}}},
		{Outputs: []Output{{Name: "a", Digest: Sum(nil), Directory: true}, {Name: "b", MediaType: "m", Digest: NewDigest([32]byte{9}, 1<<40)}},
			Metrics: map[string]float64{"loss": 0.25, "": math.Inf(1), "acc": math.Copysign(0, -1)}, Log: Sum([]byte("log")),
			Execution: Execution{Started: time.Unix(1, 2).UTC(), Wall: time.Hour, Worker: "w", Backend: "go", PeakMemory: 1 << 33}},
	}
}

// TestResultCodec: what was encoded comes back, in any order of outputs, and equal results have equal bytes.
func TestResultCodec(t *testing.T) {
	for _, r := range sampleResults() {
		b, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeResult(b)
		if err != nil || !reflect.DeepEqual(got, r) {
			t.Errorf("%+v came back as %+v: %v", r, got, err)
		}
		for i := range b {
			if _, err := DecodeResult(b[:i]); err == nil {
				t.Errorf("the first %d of %d bytes are taken for a result", i, len(b))
			}
		}
		if len(r.Outputs) == 2 {
			r.Outputs[0], r.Outputs[1] = r.Outputs[1], r.Outputs[0]
			if again, _ := r.Encode(); !bytes.Equal(again, b) {
				t.Error("the order of outputs changes the encoding")
			}
		}
	}
	for name, r := range map[string]*ActionResult{
		"two outputs of one name": {Outputs: []Output{{Name: "a"}, {Name: "a"}}},
		"negative wall":           {Execution: Execution{Wall: -1}},
		"negative memory":         {Execution: Execution{PeakMemory: -1}},
		"time out of range":       {Execution: Execution{Started: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}},
	} {
		if _, err := r.Encode(); err == nil {
			t.Errorf("%s: encoded", name)
		}
	}
}

// TestResultJSON: results of format 1 are JSON, and are read.
func TestResultJSON(t *testing.T) {
	text := `{"outputs":[{"name":"a","digest":"` + Sum(nil).String() + `/0"}],"log":"","execution":{"started":"2026-01-02T03:04:05Z","wall_ns":5}}`
	r, err := DecodeResult([]byte(text))
	if err != nil || len(r.Outputs) != 1 || r.Outputs[0].Digest != Sum(nil) || r.Execution.Wall != 5 {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := DecodeResult([]byte("{")); err == nil {
		t.Error("half a document is taken for a result")
	}
}

// FuzzResult: whatever the bytes, there is no panic; what is taken for a result has these bytes and no others.
func FuzzResult(f *testing.F) {
	for _, r := range sampleResults() {
		b, _ := r.Encode()
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := DecodeResult(b)
		if err != nil || b[0] == '{' {
			return
		}
		again, err := r.Encode()
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("%x is taken for %+v, which is %x: %v", b, r, again, err)
		}
	})
}

func BenchmarkDecodeResult(b *testing.B) {
	for name, r := range map[string]*ActionResult{"1 output": sampleResults()[1], "2 outputs, 3 metrics": sampleResults()[2]} {
		enc, err := r.Encode()
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := DecodeResult(enc); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
