package shard_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"mbuild.dev/mbuild/stdlib/dataset/jsonl"
	"mbuild.dev/mbuild/stdlib/dataset/shard/shardtest"
)

// TestStreams: 96 MB of lines, text and numbers, go through a shard and a join, dealt out by group and compared by content, with
// less than 32 MB of heap.
func TestStreams(t *testing.T) {
	const rows = 40_000
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "big.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	text := strings.Repeat("what is written here is long ", 85)
	for i := range rows {
		fmt.Fprintf(w, "{\"t\": \"%d %s\", \"n\": %d, \"author\": \"a%d\", \"y\": \"c%d\"}\n", i, text, i, i%1000, i%3)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	info, _ := f.Stat()
	f.Close()
	spec := "dataset \"jsonl\" \"a\" {\n files = [\"big.jsonl\"]\n text = [\"t\"]\n features = [\"n\"]\n label = \"y\"\n split {\n train = 0.5\n test = 0.5\n group = \"author\"\n }\n}\n"
	if err := os.WriteFile(filepath.Join(dir, "a.mbuild.hcl"), []byte(spec), 0o644); err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	var r *shardtest.Result
	top := shardtest.HeapPeak(func() { r, err = shardtest.In(t, jsonl.Kind, dir) })
	if err != nil {
		t.Fatal(err)
	}
	if top > 32<<20 || info.Size() < 90<<20 || r.Metrics["rows"] != rows {
		t.Errorf("%d MB of heap for %d MB in %v rows", top>>20, info.Size()>>20, r.Metrics["rows"])
	}
	t.Logf("%d MB of heap for a file of %d MB", top>>20, info.Size()>>20)
}
