package mlx

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"

	"mbuild.dev/mbuild/executor/pjrt"
)

func TestOpen(t *testing.T) {
	s, err := Open(Go)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := Open(Go); again != s {
		t.Error("a second Open gives another session")
	}
	if !IsGo(s.Backend) {
		t.Errorf("the Go backend is called %q now", s.Backend.Name())
	}
	plugged := "-tags xla"
	if HasXLA {
		plugged = "in workers only"
	}
	for name, want := range map[string]string{
		"xla:cpu": plugged, "pjrt:/no/such.so": plugged, "xla": "PJRT plugin", "go:parallelism=4": "takes no options", "go,threads=2": "takes no options",
		"cuda": "no backend", "": "no backend", "xla:cpu,threads=0": "threads=N", "xla:cpu,device=1": "one device", "xla:cuda,threads=3": "takes no threads",
		"xla:cpu,threads=2,threads=2": "each once", "xla:cpu,precision=8": "write threads=N", "pjrt:": "no backend",
	} {
		if _, err := Open(name); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("Open(%q): %v, want one line with %q", name, err, want)
		}
		if _, err := Fingerprint(name); err == nil {
			t.Errorf("there is a fingerprint of %q", name)
		}
	}
}

func TestParseName(t *testing.T) {
	for text, want := range map[string]Name{
		"go": {Base: "go"}, "auto": {Base: "auto"}, "xla:cpu": {Base: "xla:cpu", Threads: 2}, "xla:cpu,threads=8": {Base: "xla:cpu", Threads: 8},
		"xla:cuda,device=1": {Base: "xla:cuda", Device: 1}, "pjrt:/a,b/x.so,threads=3": {Base: "pjrt:/a,b/x.so", Threads: 3}, "pjrt:/x.so,threads=3,threads=4": {},
		"pjrt:/a/x.so,threads=3": {Base: "pjrt:/a/x.so", Threads: 3},
	} {
		got, err := ParseName(text)
		if want == (Name{}) {
			if err == nil {
				t.Errorf("%q is taken for %+v", text, got)
			}
			continue
		}
		if err != nil || got != want {
			t.Errorf("%q is %+v, %v; want %+v", text, got, err, want)
		}
		if again, err := ParseName(got.String()); err != nil || again != got {
			t.Errorf("%q in normal form is %q, which is %+v, %v", text, got, again, err)
		}
	}
}

func choiceOf(t *testing.T, name, platform, kind string) *Choice {
	n, err := ParseName(name)
	if err != nil {
		t.Fatal(err)
	}
	return Choose(n, &pjrt.Plugin{Backend: n.Base, Path: "/plugins/p.so", Digest: "sha256:aa"}, platform, kind)
}

// TestChoice: what changes results is in the fingerprint, and nothing else.
func TestChoice(t *testing.T) {
	base := choiceOf(t, "xla:cpu", PlatformCPU, "")
	seen := map[string]string{base.Fingerprint(): "xla:cpu", GoChoice().Fingerprint(): "go"}
	for what, c := range map[string]*Choice{
		"threads": choiceOf(t, "xla:cpu,threads=3", PlatformCPU, ""), "cuda": choiceOf(t, "xla:cuda", PlatformCUDA, "A100"),
		"another GPU": choiceOf(t, "xla:cuda", PlatformCUDA, "H100"), "another platform": choiceOf(t, "pjrt:/p.so", "tpu", "v5"),
	} {
		if old := seen[c.Fingerprint()]; old != "" {
			t.Errorf("%s and %s have one fingerprint", what, old)
		}
		seen[c.Fingerprint()] = what
	}
	other := *base
	other.Plugin = &pjrt.Plugin{Digest: "sha256:bb"}
	if seen[other.Fingerprint()] != "" {
		t.Error("the plugin's digest changes nothing")
	}
	for what, c := range map[string]*Choice{"by path": choiceOf(t, "pjrt:/p.so", PlatformCPU, ""), "threads said": choiceOf(t, "xla:cpu,threads=2", PlatformCPU, "ignored")} {
		if c.Fingerprint() != base.Fingerprint() {
			t.Errorf("%s: %s, want %s", what, c.Fingerprint(), base.Fingerprint())
		}
	}
	if a, b := choiceOf(t, "xla:cuda,device=1", PlatformCUDA, "A100"), choiceOf(t, "xla:cuda", PlatformCUDA, "A100"); a.Fingerprint() != b.Fingerprint() {
		t.Error("the number of the device changes results")
	}
}

// TestEnvironment: the worker's environment says what the fingerprint says, and holds no flags of the user's.
func TestEnvironment(t *testing.T) {
	t.Setenv("XLA_FLAGS", "--xla_of_the_user")
	t.Setenv("CUDA_VISIBLE_DEVICES", "1")
	cpu, cuda := choiceOf(t, "xla:cpu,threads=3", PlatformCPU, "").Environment(1e9), choiceOf(t, "xla:cuda", PlatformCUDA, "A100").Environment(1e12)
	for _, want := range []string{"PJRT_NPROC=3", "GOMLX_NO_AUTO_INSTALL=1", "MALLOC_MMAP_THRESHOLD_=4294967296"} {
		if !slices.Contains(cpu, want) {
			t.Errorf("a CPU's worker has no %s: %q", want, cpu)
		}
	}
	const one = "MALLOC_ARENA_MAX=1"
	if slices.Contains(cpu, one) || !slices.Contains(choiceOf(t, "xla:cpu", PlatformCPU, "").Environment(LargeStep), one) || slices.Contains(cuda, one) {
		t.Errorf("%s is for large steps on a CPU", one)
	}
	for _, want := range []string{"XLA_FLAGS=" + cudaFlags, "CUDA_VISIBLE_DEVICES=1"} {
		if !slices.Contains(cuda, want) {
			t.Errorf("a GPU's worker has no %s: %q", want, cuda)
		}
	}
	if strings.Contains(strings.Join(append(cpu, cuda...), " "), "of_the_user") {
		t.Error("the user's XLA_FLAGS reach a worker")
	}
	if env := GoChoice().Environment(1e12); len(env) != 0 {
		t.Errorf("go's workers get %q", env)
	}
}

func TestOutOfMemory(t *testing.T) {
	for text, want := range map[string]int64{
		"PJRT error (code=8): Out of memory allocating 2199023255552 bytes.":                             2199023255552,
		"RESOURCE_EXHAUSTED: Out of memory while trying to allocate 1024 bytes.":                         1024,
		"PJRT error (code=8): RESOURCE_EXHAUSTED: Failed to allocate request for 20.0GiB (1B) on device": 20 << 30,
		"PJRT error (code=8): no room": 0,
	} {
		if got, ok := OutOfMemory(errors.New(text)); !ok || got != want {
			t.Errorf("%q: %d, %v", text, got, ok)
		}
	}
	for _, err := range []error{nil, errors.New("PJRT error (code=3): invalid argument")} {
		if _, ok := OutOfMemory(err); ok {
			t.Errorf("%v is taken for the end of memory", err)
		}
	}
}

// fingerprintOf runs a small program that prints the fingerprint.
func fingerprintOf(t *testing.T, env ...string) map[string]any {
	cmd := exec.Command("go", "run", "./testdata/fingerprint", Go)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, ok := strings.CutSuffix(strings.TrimSpace(string(out)), " <nil>")
	f := map[string]any{}
	if err := json.Unmarshal([]byte(text), &f); !ok || err != nil || strings.Contains(text, "\n") {
		t.Fatalf("not one line of JSON: %s", out)
	}
	return f
}

func TestFingerprint(t *testing.T) {
	f := fingerprintOf(t)
	for module, key := range map[string]string{"github.com/gomlx/gomlx": "gomlx", "github.com/gomlx/compute": "compute"} {
		want, err := exec.Command("go", "list", "-m", "-f", "{{.Version}}", module).Output()
		if err != nil {
			t.Fatal(err)
		}
		if f[key] != strings.TrimSpace(string(want)) {
			t.Errorf("%s is %q, want %s", key, f[key], want)
		}
	}
	if f["arch"] != runtime.GOARCH || f["simd"] != SIMD() || f["backend"] != Go || f["precision"] != "float32" {
		t.Errorf("the fingerprint is %v", f)
	}
	if got := fingerprintOf(t, "GOMAXPROCS=1"); got["simd"] != f["simd"] || len(got) != len(f) {
		t.Errorf("the number of processors changed it to %v", got)
	}
	if got := fingerprintOf(t, "GOMLX_SIMD_AVX512=disabled", "GOMLX_SIMD_AVX2=No"); got["simd"] != "none" {
		t.Errorf("with vectors off it says %q", got["simd"])
	}
	if got := fingerprintOf(t, "GOMLX_DOT_MATMUL=0"); got["simd"] != "generic" {
		t.Errorf("with kernels off it says %q", got["simd"])
	}
}

func TestCompiler(t *testing.T) {
	for v, want := range map[string]string{"go1.26.8": "go1.26", "go1.27rc1": "go1.27", "go1.26.8 X:simd": "go1.26", "devel go1.28-abc": "devel go1.28-abc"} {
		if got := compiler(v); got != want {
			t.Errorf("%q is cut to %q, want %q", v, got, want)
		}
	}
}

func TestTry(t *testing.T) {
	boom := errors.New("boom")
	if err := Try(func() error { panic(boom) }); !errors.Is(err, boom) || strings.Contains(err.Error(), "\n") {
		t.Errorf("a panic with an error gave %v", err)
	}
	if err := Try(func() error { panic("text") }); err == nil || err.Error() != "gomlx: text" {
		t.Errorf("a panic with text gave %v", err)
	}
	var m map[string]int
	if err := Try(func() error { m["x"] = 1; return nil }); err == nil || !strings.Contains(err.Error(), "mlx_test.go") {
		t.Errorf("a mistake of ours lost its stack: %v", err)
	}
	if err := Try(func() error { return boom }); err != boom {
		t.Errorf("an error became %v", err)
	}
	s, _ := Open(Go)
	err := Try(func() error {
		_, err := graph.CallOnceN(s.Backend, func(a, b *graph.Node) *graph.Node { return graph.MatMul(a, b) }, Zeros(2, 3), Zeros(4, 5))
		return err
	})
	if err == nil {
		t.Error("a product that does not fit is no error")
	}
}

func TestBytes(t *testing.T) {
	values := []float32{1, -2, float32(math.Copysign(0, -1)), math.MaxFloat32, float32(math.Inf(1)), math.SmallestNonzeroFloat32}
	x := Tensor(values, 2, 3)
	raw, err := Bytes(x)
	if err != nil || len(raw) != 24 {
		t.Fatal(len(raw), err)
	}
	y, err := FromBytes("F32", []int{2, 3}, raw)
	if err != nil {
		t.Fatal(err)
	}
	back, err := Values(y)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range values {
		if math.Float32bits(v) != math.Float32bits(back[i]) {
			t.Errorf("number %d became %g, was %g", i, back[i], v)
		}
	}
	back[0] = 7
	if err := View(y, func(v []float32) {
		if v[0] != 1 || len(v) != 6 {
			t.Errorf("the view is %v", v)
		}
	}); err != nil {
		t.Error(err)
	}
	for dtype, size := range map[string]int{"F64": 8, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1} {
		want := bytes.Repeat([]byte{1}, 3*size)
		z, err := FromBytes(dtype, []int{3}, want)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Bytes(z); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %v became %v, %v", dtype, want, got, err)
		}
	}
	if _, err := FromBytes("F32", []int{2, 3}, raw[1:]); err == nil {
		t.Error("23 bytes make six numbers")
	}
	if _, err := FromBytes("F8", []int{1}, raw[:1]); err == nil {
		t.Error("there are tensors of type F8")
	}
}
