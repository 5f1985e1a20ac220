package main

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"mbuild.dev/mbuild/examples"
	"mbuild.dev/mbuild/lang"
)

// TestFashion builds examples/fashion-cnn: in HCL, and again from the store in CUE. The default form trains on the first 400
// images and holds the shape of what comes out; the long form trains on all that the repository has, and all gates must open.
func TestFashion(t *testing.T) {
	long := os.Getenv("MBUILD_LONG") != ""
	store := t.TempDir()
	dirs := map[bool]string{}
	for _, cue := range []bool{false, true} {
		dirs[cue] = t.TempDir()
		files, err := examples.Files("fashion-cnn", cue)
		if err != nil {
			t.Fatal(err)
		}
		for name, b := range files {
			if filepath.Ext(name) == ".gz" && !long {
				b = firstRows(t, b, 400)
			}
			if lang.IsSpecFile(name) && !long { // warm-up must end within the 12 steps of two epochs
				warm := regexp.MustCompile(`(warmup_steps *[=:] )50`)
				if !warm.Match(b) {
					t.Fatalf("%s has no warm-up of 50 steps", name)
				}
				b = warm.ReplaceAll(b, []byte("${1}5"))
			}
			p := filepath.Join(dirs[cue], name)
			if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(p, b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	args := []string{"apply", "-auto-approve", "-json"}
	if !long {
		args = append(args, "-var", "epochs=3", "-var", "min_accuracy=0")
	}
	out, err := mbuild(t, dirs[false], store, args...).Output()
	all := lines(t, string(out))
	end := all[len(all)-1]
	if failed := end["gates"].(map[string]any)["fail"].(float64); end["failed"] != 0.0 || long && failed > 0 || err != nil && failed == 0 {
		t.Fatalf("%v\n%s", err, out)
	}
	for pass, less := range map[string]string{"fold.plain": "flops", "prune_channels.narrow": "flops", "quantize.int8": "bytes"} {
		var doc struct{ Metrics map[string]float64 }
		if err := json.Unmarshal([]byte(run(t, dirs[false], store, append([]string{"show", "-json", "pass." + pass}, args[3:]...)...)), &doc); err != nil {
			t.Fatal(err)
		}
		if m := doc.Metrics; !(m[less] > 0 && m[less] < 0.95*m[less+"_before"]) {
			t.Errorf("%s: %s went from %g to %g", pass, less, m[less+"_before"], m[less])
		}
	}
	if _, err := os.Stat(filepath.Join(dirs[false], "dist/fashion.safetensors")); err != nil {
		t.Error(err)
	}
	again, _ := mbuild(t, dirs[true], store, args...).Output()
	all = lines(t, string(again))
	if end := all[len(all)-1]; end["built"] != 0.0 || end["cached"] == 0.0 {
		t.Errorf("the spec in CUE builds anew:\n%s", again)
	}
}

// firstRows cuts an idx file, packed with gzip, to its first rows.
func firstRows(t *testing.T, packed []byte, rows int) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	header := 4 + 4*int(b[3])
	size := (len(b) - header) / int(binary.BigEndian.Uint32(b[4:]))
	binary.BigEndian.PutUint32(b[4:], uint32(rows))
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b[:header+rows*size]); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
