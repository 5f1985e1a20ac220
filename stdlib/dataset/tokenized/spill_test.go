package tokenized

import (
	"context"
	"io"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/dataset/shard/shardtest"
)

// TestStreams: a million tokens and a half, each with the number of its text, go by with a heap that is smaller than their ids alone.
func TestStreams(t *testing.T) {
	const rows, each = 1500, 1000
	texts := make([]string, rows)
	for i := range texts {
		texts[i] = strings.Repeat("a the ", each/2)
	}
	m, d := sentences(texts...)
	tok := vocabulary(t)
	data, vocab, out, scratch := t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir()
	if err := dataset.Write(data, m, d); err != nil {
		t.Fatal(err)
	}
	if err := tok.Write(vocab); err != nil {
		t.Fatal(err)
	}
	d, texts = nil, nil
	job := &executor.Job{Params: map[string]any{"max_length": each, "truncation": "longest_first", "lengths": 4, "special_tokens": false, "token_types": true, "word_labels": "first", "empty": "skip"},
		Inputs:  map[string]executor.JobInput{"data": {Path: data}, "tokenizer": {Path: vocab, Digest: "sha256:ab"}},
		Outputs: map[string]string{"data": out}, Scratch: scratch, Log: io.Discard, Metrics: map[string]float64{}, Progress: func(int64, int64, map[string]float64) {}}
	debug.SetGCPercent(20) // so that the heap is about what is needed
	defer debug.SetGCPercent(100)
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	var err error
	top := shardtest.HeapPeak(func() { err = run(context.Background(), job) })
	if err != nil {
		t.Fatal(err)
	}
	if n := job.Metrics["tokens"]; n != rows*each {
		t.Fatalf("%v tokens", n)
	}
	if grown := top - min(top, before.HeapAlloc); grown > 4*rows*each {
		t.Errorf("%d kB of heap for %d kB of ids", grown>>10, 4*rows*each>>10)
	} else {
		t.Logf("%d kB of heap for %d kB of ids", grown>>10, 4*rows*each>>10)
	}
	made, err := dataset.ReadManifest(out)
	if err != nil {
		t.Fatal(err)
	}
	got, err := dataset.Read(out, made, "train")
	if err != nil || len(got.Tokens["text"].IDs) != rows*each || len(got.Tokens["text"].Types) != rows*each {
		t.Errorf("%v", err)
	}
}
