package csv

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/stdlib/dataset/shard/shardtest"
)

// TestStreams reads a file that is much larger than the memory it may take: of each row it keeps the label and row numbers only,
// so 180 MB of text in 300,000 rows take less than 48 MB of heap.
func TestStreams(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "big.csv")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	fmt.Fprintln(w, strings.Join(strings.Split("abcdefghijklmnopqrstuvwxyzABCDEFGHIJ", ""), ",")+",label")
	row := ""
	const rows = 300_000
	for i := range rows {
		if i%1000 == 0 {
			row = strings.Repeat(fmt.Sprintf("%d.12345678901,", i), 36) + fmt.Sprintf("%d\n", i/1000%2)
		}
		w.WriteString(row)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	info, _ := f.Stat()
	f.Close()
	job := &executor.Job{
		Params: map[string]any{"files": int64(1), "header": true, "delimiter": ",", "label": "label", "input": "x", "standardize": true,
			"split": map[string]any{"train": 0.5, "test": 0.5}},
		Inputs:  map[string]executor.JobInput{"file0": {Path: path, Display: "big.csv"}},
		Outputs: map[string]string{"data": dir}, Scratch: dir, Metrics: map[string]float64{},
	}
	runtime.GC()
	top := shardtest.HeapPeak(func() { err = run(t.Context(), job) })
	if err != nil {
		t.Fatal(err)
	}
	if top > 48<<20 || info.Size() < 170<<20 {
		t.Errorf("%d MB of heap for a file of %d MB", top>>20, info.Size()>>20)
	} else {
		t.Logf("%d MB of heap for a file of %d MB", top>>20, info.Size()>>20)
	}
	if job.Metrics["rows"] != rows {
		t.Errorf("%v rows", job.Metrics["rows"])
	}
}
