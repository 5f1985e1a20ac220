package runs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/cache/vfs"
	"mbuild.dev/mbuild/planner"
)

func create(t testing.TB, d Dir, h Header) *Writer {
	t.Helper()
	if h.Started.IsZero() {
		h.Started = time.Now()
	}
	w, err := d.Create(h)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func read(t testing.TB, d Dir, id string) *Run {
	t.Helper()
	r, err := d.Read(id)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// sample has every field set, and hostile ones among them.
func sampleActions() []Action {
	long := strings.Repeat("é", maxText)
	return []Action{
		{Addr: "a.b.c", Kind: "a.b/x", State: Built, Key: cache.Sum([]byte("key")), Start: 5 * time.Millisecond, Wall: time.Second, Queue: time.Microsecond,
			CPU: 900 * time.Millisecond, Slot: 3, Worker: "worker 12", Memory: 1 << 40, Store: 77, Log: cache.Sum([]byte("log")),
			Reason: planner.Reason{Code: "attribute", Path: "optimizer.lr", Before: 0.1, After: map[string]any{"$secret": "00"}}},
		{Addr: "a.b.c/gate[\"x y\"]", Kind: "a.b/x", State: Failed, Error: long, Deps: []int{0}, Reason: planner.Reason{Code: "input", From: "a.b.c.out"}},
		{Addr: "", State: Skipped, Error: "gate"},
		{Addr: "z", Kind: "other", State: Built, Deps: []int{0, 1}, Reason: planner.Reason{Code: "attribute", Before: strings.Repeat("x", 1000), After: []any{int64(1)}}},
	}
}

// TestRoundTrip: what is written is read back, with long texts cut at characters.
func TestRoundTrip(t *testing.T) {
	d := In(vfs.OS, t.TempDir())
	h := Header{Mbuild: "1", Args: []string{"apply"}, Spec: "sha256:0", Jobs: 2, Estimate: 1.5, Phases: []Phase{{"load", 0, 0.1}}, Planned: planner.Summary{Build: 4}}
	w := create(t, d, h)
	want := sampleActions()
	for i := range want {
		if n := w.Add(&want[i]); n != i {
			t.Errorf("number %d, want %d", n, i)
		}
	}
	end := End{Seconds: 2, Built: 2, Failed: 1, Skipped: 1, ExitCode: 1, Gates: []Gate{{Block: "g", Verdict: "pass"}}}
	if err := w.Close(end); err != nil {
		t.Fatal(err)
	}
	r := read(t, d, w.ID())
	if r.Damaged || r.Alive || r.Status() != "failed" || r.Mbuild != "1" || r.Jobs != 2 || r.Phases[0].Name != "load" || !reflect.DeepEqual(*r.End, end) {
		t.Errorf("%+v", r)
	}
	want[1].Error = want[1].Error[:len(r.Actions[1].Error)]
	if len(r.Actions[1].Error) < maxText-4 || !json.Valid([]byte(`"`+r.Actions[1].Error+`"`)) {
		t.Errorf("error of %d bytes", len(r.Actions[1].Error))
	}
	want[3].Reason.Before = r.Actions[3].Reason.Before
	if s, _ := want[3].Reason.Before.(string); !strings.HasSuffix(s, "…") || len(s) > maxShown+10 {
		t.Errorf("long value kept as %q", s)
	}
	if !reflect.DeepEqual(r.Actions, want) {
		t.Errorf("read\n%+v\nwant\n%+v", r.Actions, want)
	}
}

// TestKilled: a record without an end says what had finished and what was running; who still writes it is alive.
func TestKilled(t *testing.T) {
	d := In(vfs.OS, t.TempDir())
	w := create(t, d, Header{})
	w.Start("quick", 0, time.Millisecond)
	w.Add(&Action{Addr: "quick", State: Built})
	w.Start("slow", 1, 2*time.Millisecond)
	deadline := time.Now().Add(10 * time.Second)
	var r *Run
	for r = read(t, d, w.ID()); len(r.Actions) < 2 && time.Now().Before(deadline); r = read(t, d, w.ID()) {
		time.Sleep(10 * time.Millisecond)
	}
	if len(r.Actions) != 2 || r.Actions[0].Addr != "quick" || r.Actions[1].State != Running || r.Actions[1].Slot != 1 || r.Actions[1].Addr != "slow" {
		t.Fatalf("%+v", r.Actions)
	}
	if r.Status() != "running" {
		t.Errorf("status %s while it is written", r.Status())
	}
	w.f.Close() // as the end of the process does
	if r = read(t, d, w.ID()); r.Status() != "killed" {
		t.Errorf("status %s after its process", r.Status())
	}
}

// TestDamage cuts a record at every byte and flips every byte: what is read is a beginning of what was written, never anything else.
func TestDamage(t *testing.T) {
	d := In(vfs.OS, t.TempDir())
	w := create(t, d, Header{Mbuild: "1"})
	for i := range 4 {
		w.Add(&Action{Addr: fmt.Sprint("action", i), Kind: fmt.Sprint("kind", i%2), State: Built, Wall: time.Duration(i)})
		w.mu.Lock()
		w.flush()
		w.mu.Unlock()
	}
	if err := w.Close(End{Built: 4}); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(d.file(w.ID()))
	if err != nil {
		t.Fatal(err)
	}
	whole, err := decode(good)
	if err != nil || whole.Damaged {
		t.Fatal(err)
	}
	check := func(what string, at int, b []byte) int {
		r, err := decode(b)
		if err != nil {
			return 0
		}
		if len(r.Actions) > 4 || len(r.Actions) > 0 && !reflect.DeepEqual(r.Actions, whole.Actions[:len(r.Actions)]) || r.Mbuild != "1" {
			t.Fatalf("%s at %d reads as %+v", what, at, r)
		}
		if !r.Damaged && r.End == nil && what == "flipped" {
			t.Fatalf("flipped at %d goes unnoticed", at)
		}
		return len(r.Actions)
	}
	before := 0
	for i := range good {
		n := check("cut", i, good[:i])
		if n < before {
			t.Fatalf("a longer record, cut at %d, has less in it", i)
		}
		before = n
		b := slices.Clone(good)
		b[i] ^= 0x10
		check("flipped", i, b)
	}
}

func FuzzDecode(f *testing.F) {
	d := In(vfs.OS, f.TempDir())
	w := create(f, d, Header{})
	all := sampleActions()
	for i := range all {
		w.Add(&all[i])
	}
	w.Start("open", 0, 1)
	if err := w.Close(End{}); err != nil {
		f.Fatal(err)
	}
	b, err := os.ReadFile(d.file(w.ID()))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b[len(magic)+frameHead:])
	f.Fuzz(func(t *testing.T, payload []byte) {
		b := appendFrame([]byte(magic), payload) // past the checksum, where the parser is
		if r, err := decode(b); err == nil {
			r.CriticalPath()
			r.Trace()
		}
		search(b, []byte("a"))
	})
}

// TestDir: names of runs, their order when the clock goes back, and the bounds.
func TestDir(t *testing.T) {
	d := In(vfs.OS, t.TempDir())
	if _, err := d.Resolve("last"); err == nil || !strings.Contains(err.Error(), "no run is recorded") {
		t.Error(err)
	}
	now := time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC)
	var ids []string
	for _, at := range []time.Time{now, now, now.Add(-time.Hour), now.Add(time.Hour)} {
		w := create(t, d, Header{Started: at})
		if err := w.Close(End{}); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, w.ID())
	}
	if got, _ := d.IDs(); !slices.Equal(got, ids) || !strings.HasPrefix(ids[0], "20260102-030405.006-") {
		t.Errorf("%v, want %v", got, ids)
	}
	for name, want := range map[string]string{"last": ids[3], "last~0": ids[3], "last~3": ids[0], ids[1]: ids[1], ids[3][:len(ids[3])-1]: ids[3]} {
		if got, err := d.Resolve(name); got != want {
			t.Errorf("%s is %s (%v), want %s", name, got, err, want)
		}
	}
	for _, name := range []string{"last~4", "last~x", "2026", "nothing"} {
		if got, err := d.Resolve(name); err == nil {
			t.Errorf("%s is %s", name, got)
		}
	}
	for range maxRuns {
		if err := create(t, d, Header{}).Close(End{}); err != nil {
			t.Fatal(err)
		}
	}
	if got, _ := d.IDs(); len(got) != maxRuns || slices.Contains(got, ids[3]) {
		t.Errorf("%d runs are kept", len(got))
	}
	big := d.file("30000101-000000.000-big")
	if err := os.WriteFile(big, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(big, maxBytes+1); err != nil {
		t.Fatal(err)
	}
	w := create(t, d, Header{})
	if err := w.Close(End{}); err != nil {
		t.Fatal(err)
	}
	if got, _ := d.IDs(); len(got) != 2 || got[1] != w.ID() {
		t.Errorf("beside a record of the whole size there are %v", got)
	}
}

// TestFind: the executions of an address over all runs, the newest first; an address is not found by its beginning.
func TestFind(t *testing.T) {
	d := In(vfs.OS, t.TempDir())
	for i := range 3 {
		w := create(t, d, Header{Spec: fmt.Sprint(i)})
		w.Add(&Action{Addr: "a", Kind: "k", State: State(i % 2), Wall: time.Duration(i) * time.Second})
		w.Add(&Action{Addr: "ab", Kind: "l", State: Built})
		if err := w.Close(End{}); err != nil {
			t.Fatal(err)
		}
	}
	var walls []time.Duration
	if err := d.Find("a", func(f Found) bool {
		if f.Kind != "k" || f.Run == "" || f.At.IsZero() {
			t.Errorf("%+v", f)
		}
		walls = append(walls, f.Wall)
		return len(walls) < 2
	}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(walls, []time.Duration{2 * time.Second, time.Second}) {
		t.Error(walls)
	}
}

func run(actions ...Action) *Run { return &Run{Header: Header{ID: "r"}, Actions: actions} }

// TestCriticalPath follows dependencies, not the clock, and says how long each link waited.
func TestCriticalPath(t *testing.T) {
	const s = time.Second
	r := run(
		Action{Addr: "a", Start: 0, Wall: 2 * s},
		Action{Addr: "b", Start: 0, Wall: 5 * s},                        // longest alone
		Action{Addr: "c", Start: 3 * s, Wall: 4 * s, Deps: []int{0}},    // 2+4 behind a
		Action{Addr: "d", Start: 7 * s, Wall: 1 * s, Deps: []int{1, 2}}, // 6+1
		Action{Addr: "e", State: Skipped, Deps: []int{3}},
	)
	var got []string
	for _, l := range r.CriticalPath() {
		got = append(got, fmt.Sprint(l.Addr, " ", l.Wait))
	}
	if want := []string{"a 0s", "c 1s", "d 0s"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if p := run().CriticalPath(); len(p) != 0 {
		t.Error(p)
	}
	if slow := r.Slowest(2); slow[0].Addr != "b" || slow[1].Addr != "c" || len(slow) != 2 {
		t.Error(slow)
	}
}

// TestDiff lists what only one run had, other ends and other keys; of equal ones only the times.
func TestDiff(t *testing.T) {
	k1, k2 := cache.Sum([]byte("1")), cache.Sum([]byte("2"))
	x := run(Action{Addr: "same", Key: k1}, Action{Addr: "key", Key: k1}, Action{Addr: "gone"}, Action{Addr: "end", State: Failed})
	y := run(Action{Addr: "new"}, Action{Addr: "same", Key: k1}, Action{Addr: "key", Key: k2}, Action{Addr: "end"})
	var got []string
	for _, c := range Diff(x, y) {
		got = append(got, fmt.Sprint(c.Addr, " ", c.Before != nil, " ", c.After != nil))
	}
	if want := []string{"end true true", "gone true false", "key true true", "new false true"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if both := Both(x, y); len(both) != 2 || both[0].Addr != "key" || both[1].Addr != "same" {
		t.Error(both)
	}
}

// TestFull: a record ends to grow at its bound, and goes on to take failures.
func TestFull(t *testing.T) {
	d := In(vfs.OS, t.TempDir())
	w := create(t, d, Header{})
	w.Add(&Action{Addr: "first"})
	w.size = maxRecord + 1
	if n := w.Add(&Action{Addr: "dropped"}); n != -1 {
		t.Errorf("number %d", n)
	}
	w.Add(&Action{Addr: "failed", State: Failed})
	if err := w.Close(End{}); err != nil {
		t.Fatal(err)
	}
	r := read(t, d, w.ID())
	if len(r.Actions) != 2 || r.Actions[1].Addr != "failed" || r.End.Omitted != 1 {
		t.Errorf("%+v %+v", r.Actions, r.End)
	}
}

// layered is what an apply of the benchmark's work records.
func layered(w *Writer, n int) {
	worker := "in-process"
	for i := range n {
		a := Action{Addr: fmt.Sprintf("step.template.n%d_%d", i%10, i), Kind: "step.template", Key: cache.Sum([]byte{byte(i), byte(i >> 8), byte(i >> 16)}), Start: time.Duration(i) * 90 * time.Microsecond,
			Wall: 85 * time.Microsecond, Queue: 10 * time.Microsecond, Worker: worker, Store: 300, Reason: planner.Reason{Code: "input", Path: "b", From: fmt.Sprintf("step.template.n%d_%d.file", i%9, i)}}
		if i > 20 {
			a.Deps = []int{i - 7, i - 19}
		}
		w.Add(&a)
	}
}

// TestSize: a record of 100,000 executions stays below some 12 MB.
func TestSize(t *testing.T) {
	d := In(vfs.OS, t.TempDir())
	w := create(t, d, Header{})
	layered(w, 100_000)
	if err := w.Close(End{Built: 100_000}); err != nil {
		t.Fatal(err)
	}
	r := read(t, d, w.ID())
	if len(r.Actions) != 100_000 || r.Bytes > 12e6 {
		t.Errorf("%d executions in %d bytes", len(r.Actions), r.Bytes)
	}
}

func BenchmarkAdd(b *testing.B) {
	w := create(b, In(vfs.OS, b.TempDir()), Header{})
	a := Action{Addr: "step.template.n4_12345", Kind: "step.template", Key: cache.Sum(nil), Wall: 85 * time.Microsecond, Worker: "in-process", Store: 300,
		Reason: planner.Reason{Code: "input", Path: "b", From: "step.template.n3_12345.file"}, Deps: []int{0, 0}}
	for b.Loop() {
		w.size = 0
		w.Start(a.Addr, 0, 0)
		w.Add(&a)
	}
	if err := w.Close(End{}); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkFind looks an address up in the record of 100,000 executions.
func BenchmarkFind(b *testing.B) {
	d := In(vfs.OS, b.TempDir())
	w := create(b, d, Header{})
	layered(w, 100_000)
	if err := w.Close(End{}); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		n := 0
		if err := d.Find("step.template.n5_55555", func(Found) bool { n++; return true }); err != nil || n != 1 {
			b.Fatal(n, err)
		}
	}
}

// TestTrace holds the events against the rules of the Trace Event Format: known phases, names, microseconds that are numbers, a
// duration on complete events, ids, metadata with the arguments that its name asks for, and complete events of one thread that
// do not overlap.
func TestTrace(t *testing.T) {
	r := run(
		Action{Addr: "a", Kind: "k", Start: 100 * time.Microsecond, Wall: 50 * time.Microsecond, Slot: 0, CPU: time.Millisecond, Memory: 5, Worker: "w", Key: cache.Sum(nil)},
		Action{Addr: "b", Kind: "k", Start: 120 * time.Microsecond, Wall: 80 * time.Microsecond, Slot: 1, State: Failed, Error: "no \"good\""},
		Action{Addr: "c", Kind: "k", Start: 150 * time.Microsecond, Wall: 10 * time.Microsecond, Slot: 0, Deps: []int{0}, Reason: planner.Reason{Code: "attribute", Path: "x"}},
		Action{Addr: "s", State: Skipped},
		Action{Addr: "r", State: Running, Start: 160 * time.Microsecond, Slot: 0},
	)
	r.Started, r.Args = time.Now(), []string{"apply", "<&>"}
	r.Phases = []Phase{{"load", 0, 20e-6}, {"lower", 20e-6, 10e-6}, {"snapshot", 30e-6, 10e-6}, {"probe", 40e-6, 30e-6}}
	r.End = &End{Seconds: 300e-6, Interrupted: true}
	var out bytes.Buffer
	if err := WriteTrace(&out, r.Trace()); err != nil {
		t.Fatal(err)
	}
	CheckTrace(t, out.Bytes())
	var doc struct{ TraceEvents []Event }
	if err := json.Unmarshal(out.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	threads, complete, peak := map[int]string{}, map[string]Event{}, 0.0
	for _, e := range doc.TraceEvents {
		switch {
		case e.Name == "thread_name":
			threads[e.Tid], _ = e.Args["name"].(string)
		case e.Ph == "X":
			complete[e.Name] = e
		case e.Ph == "C":
			peak = max(peak, e.Args["actions"].(float64))
		}
	}
	if !reflect.DeepEqual(threads, map[int]string{0: "plan", 1: "slot 1", 2: "slot 2"}) {
		t.Errorf("threads %v", threads)
	}
	for name, want := range map[string][3]float64{"load": {0, 0, 20}, "probe": {0, 40, 30}, "a": {1, 100, 50}, "b": {2, 120, 80}, "c": {1, 150, 10}, "r": {1, 160, 140}} {
		e, ok := complete[name]
		if got := [3]float64{float64(e.Tid), e.Ts, *e.Dur}; !ok || got != want {
			t.Errorf("%s: thread, time and duration %v, want %v", name, got, want)
		}
	}
	if _, ok := complete["s"]; ok || peak != 2 {
		t.Errorf("a skipped action is in the trace, or %v ran at a time", peak)
	}
}

// CheckTrace reports what is wrong with a trace file.
func CheckTrace(t *testing.T, file []byte) {
	t.Helper()
	var doc struct {
		TraceEvents []map[string]any `json:"traceEvents"`
	}
	if err := json.Unmarshal(file, &doc); err != nil {
		t.Fatal(err)
	}
	type span struct{ from, to float64 }
	byThread := map[float64][]span{}
	for i, e := range doc.TraceEvents {
		name, _ := e["name"].(string)
		ph, _ := e["ph"].(string)
		ts, ok1 := e["ts"].(float64)
		_, ok2 := e["pid"].(float64)
		tid, ok3 := e["tid"].(float64)
		args, _ := e["args"].(map[string]any)
		if name == "" || !ok1 || !ok2 || !ok3 || ts < 0 {
			t.Errorf("event %d lacks name, ts, pid or tid: %v", i, e)
		}
		dur, hasDur := e["dur"].(float64)
		switch ph {
		case "X":
			if !hasDur || dur < 0 {
				t.Errorf("complete event %d without duration: %v", i, e)
			}
			byThread[tid] = append(byThread[tid], span{ts, ts + dur})
		case "M":
			want := map[string]string{"process_name": "name", "thread_name": "name", "thread_sort_index": "sort_index"}[name]
			if want == "" || args[want] == nil {
				t.Errorf("metadata event %d: %v", i, e)
			}
		case "C":
			for _, v := range args {
				if _, ok := v.(float64); !ok {
					t.Errorf("counter event %d: %v", i, e)
				}
			}
		case "i":
			if s, _ := e["s"].(string); !strings.Contains("gpt", s) || s == "" {
				t.Errorf("instant event %d without scope: %v", i, e)
			}
		default:
			t.Errorf("event %d of phase %q", i, ph)
		}
		if hasDur != (ph == "X") {
			t.Errorf("event %d: a duration belongs to complete events: %v", i, e)
		}
	}
	for tid, spans := range byThread {
		slices.SortFunc(spans, func(a, b span) int { return int(a.from*10 - b.from*10) })
		for i := 1; i < len(spans); i++ {
			if spans[i].from < spans[i-1].to-1e-6 {
				t.Errorf("thread %v: %v begins before %v has ended", tid, spans[i], spans[i-1])
			}
		}
	}
}
