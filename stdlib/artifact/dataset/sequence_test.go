package dataset

import (
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func sequences() (*Manifest, map[string]*Data) {
	mask := 4
	m := &Manifest{
		Inputs: []Input{
			{Name: "input_ids", Shape: []int{6}, DType: "I32", Sequence: "text", Part: PartIDs},
			{Name: "attention_mask", Shape: []int{6}, DType: "I32", Sequence: "text", Part: PartMask},
			{Name: "token_type_ids", Shape: []int{6}, DType: "I32", Sequence: "text", Part: PartTypes},
		},
		Sequences: []Sequence{{Name: "text", MaxLength: 6, Lengths: []int{2, 4, 6}, VocabSize: 10, PadID: 9, MaskID: &mask, Special: []int{1, 2, 9}, Tokenizer: "sha256:00"}},
		Label:     &Label{Name: "ner", Kind: "tags", Of: "text", Classes: []string{"O", "B-X"}, Scheme: "iob2"},
		Splits:    []Split{{"train", 3}},
	}
	return m, map[string]*Data{"train": {Rows: 3, Source: []int64{0, 1, 2}, Classes: []int32{NoLabel, 1, NoLabel, 0, NoLabel, 0, 1, NoLabel, NoLabel},
		Tokens: map[string]*Tokens{"text": {
			IDs:   []int32{1, 3, 1, 5, 6, 7, 8, 2, 1},
			Types: []int32{0, 0, 0, 0, 0, 1, 1, 1, 0},
			Words: []int32{-1, 0, -1, 0, 0, 1, 2, -1, -1},
			Ends:  []int64{2, 8, 9}}}}}
}

func TestSequences(t *testing.T) {
	m, splits := sequences()
	dir := write(t, m, splits)
	got, err := ReadManifest(dir)
	if err != nil || !reflect.DeepEqual(got, m) {
		t.Fatalf("%+v, %v", got, err)
	}
	d, err := Read(dir, got, "train")
	splits["train"].Of = got
	if err != nil || !reflect.DeepEqual(d, splits["train"]) {
		t.Fatalf("%+v, %v", d, err)
	}
	s, rows := &m.Sequences[0], []int{2, 0}
	if n := s.Padded(d, rows); n != 2 {
		t.Errorf("padded to %d", n)
	}
	if n := s.Padded(d, []int{1}); n != 6 {
		t.Errorf("padded to %d", n)
	}
	for i, want := range [][]int32{{1, 9, 9, 1, 3, 9}, {1, 0, 0, 1, 1, 0}, {0, 0, 0, 0, 0, 0}} {
		if v := m.Pad(d, &m.Inputs[i], rows, 3); !slices.Equal(v, want) {
			t.Errorf("%s: %v, want %v", m.Inputs[i].Name, v, want)
		}
	}
	if v := m.PadTags(d, rows, 2); !slices.Equal(v, []int32{NoLabel, NoLabel, NoLabel, 1}) {
		t.Errorf("tags %v", v)
	}
}

// TestSequenceErrors: whatever is wrong with a manifest or its tensors is told.
func TestSequenceErrors(t *testing.T) {
	for want, change := range map[string]func(*Manifest, *Data){
		"comes twice, or has no name":            func(m *Manifest, _ *Data) { m.Sequences = append(m.Sequences, m.Sequences[0]) },
		"max_length 0":                           func(m *Manifest, _ *Data) { m.Sequences[0].MaxLength = 0 },
		"pad_id 10":                              func(m *Manifest, _ *Data) { m.Sequences[0].PadID = 10 },
		"must rise, up to 6":                     func(m *Manifest, _ *Data) { m.Sequences[0].Lengths = []int{4, 4, 6} },
		"mask_id 10":                             func(m *Manifest, _ *Data) { n := 10; m.Sequences[0].MaskID = &n },
		"special tokens [3 2]":                   func(m *Manifest, _ *Data) { m.Sequences[0].Special = []int{3, 2} },
		"no input has the ids":                   func(m *Manifest, _ *Data) { m.Inputs = m.Inputs[1:] },
		"which is not there":                     func(m *Manifest, _ *Data) { m.Inputs[1].Sequence = "x" },
		"it must be I32[6]":                      func(m *Manifest, _ *Data) { m.Inputs[1].Shape = []int{7} },
		"part \"x\"":                             func(m *Manifest, _ *Data) { m.Inputs[1].Part = "x" },
		"two inputs are called":                  func(m *Manifest, _ *Data) { m.Inputs[1].Name = "input_ids" },
		"1 inputs of numbers, 1 sequences":       func(m *Manifest, _ *Data) { m.Inputs = append(m.Inputs, Input{Name: "x", Shape: []int{1}}) },
		"its ends do not reach the end":          func(_ *Manifest, d *Data) { d.Tokens["text"].Ends[2] = 8 },
		"row 1 has 0 tokens":                     func(_ *Manifest, d *Data) { d.Tokens["text"].Ends[1] = 2 },
		"row 1 has 7 tokens":                     func(_ *Manifest, d *Data) { d.Tokens["text"].Ends[0] = 1 },
		"token 3 has id 10":                      func(_ *Manifest, d *Data) { d.Tokens["text"].IDs[3] = 10 },
		"there are 9 tokens, 8 types":            func(_ *Manifest, d *Data) { d.Tokens["text"].Types = d.Tokens["text"].Types[1:] },
		"token 0 is of text 2":                   func(_ *Manifest, d *Data) { d.Tokens["text"].Types[0] = 2 },
		"token 0 is of word -2":                  func(_ *Manifest, d *Data) { d.Tokens["text"].Words[0] = -2 },
		"there are 8 tags for 9 tokens":          func(_ *Manifest, d *Data) { d.Classes = d.Classes[1:] },
		"is of class -1":                         func(_ *Manifest, d *Data) { d.Classes[1] = -1 },
		"which is no sequence and no column of ": func(m *Manifest, _ *Data) { m.Label.Of = "x" },
	} {
		m, splits := sequences()
		change(m, splits["train"])
		dir := t.TempDir()
		err := Write(dir, m, splits)
		if err == nil {
			_, err = Read(dir, m, "train")
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestByLength: an order by length is a permutation into batches that are padded less, and full but for the last.
func TestByLength(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	d := &Data{Tokens: map[string]*Tokens{"text": {}}}
	counts := make([]int, 129)
	for d.Rows = 0; d.Rows < 5000; d.Rows++ {
		// Sentences of natural text: about log-normal, a median of 22 tokens.
		n := min(128, max(3, int(math.Exp(3.1+0.6*rng.NormFloat64()))))
		counts[n]++
		s := d.Tokens["text"]
		s.IDs = append(s.IDs, make([]int32, n)...)
		s.Ends = append(s.Ends, int64(len(s.IDs)))
	}
	m := &Manifest{Sequences: []Sequence{{Name: "text", MaxLength: 128, Lengths: ChooseLengths(counts, 128, 16)}}}
	order := rng.Perm(d.Rows)
	before := slices.Clone(order)
	got := m.ByLength(d, order, 32)
	if !slices.Equal(order, before) {
		t.Error("the order given changed")
	}
	sorted := slices.Clone(got)
	slices.Sort(sorted)
	for i, r := range sorted {
		if i != r {
			t.Fatal("no permutation")
		}
	}
	if !slices.Equal(got, m.ByLength(d, order, 32)) {
		t.Error("not a function of its arguments")
	}
	plain, share := m.PaddingShare(d, order, 32), m.PaddingShare(d, got, 32)
	t.Logf("lengths %v: padding %.1f %%, without the order %.1f %%", m.Sequences[0].Lengths, 100*share, 100*plain)
	if share > 0.10 || plain < 0.3 {
		t.Errorf("padding is %.3f, without the order %.3f", share, plain)
	}
}

// TestChooseLengths holds the choice against all there are.
func TestChooseLengths(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		longest := 1 + rng.IntN(9)
		counts := make([]int, longest+1)
		for l := 1; l <= longest; l++ {
			counts[l] = rng.IntN(4) * rng.IntN(5)
		}
		n := 1 + rng.IntN(4)
		padding := func(lengths []int) (p int) {
			for l, c := range counts {
				if i, _ := slices.BinarySearch(lengths, l); l > 0 {
					p += c * (lengths[i] - l)
				}
			}
			return p
		}
		got := ChooseLengths(counts, longest, n)
		if len(got) > n || got[len(got)-1] != longest || !rises(got) || got[0] < 1 {
			t.Fatalf("%v of %v, at most %d", got, counts, n)
		}
		for set := 0; set < 1<<longest; set++ {
			var other []int
			for l := 1; l <= longest; l++ {
				if set>>(l-1)&1 == 1 {
					other = append(other, l)
				}
			}
			if len(other) > 0 && len(other) <= n && other[len(other)-1] == longest && padding(other) < padding(got) {
				t.Fatalf("%v of %v pads %d, and %v %d", got, counts, padding(got), other, padding(other))
			}
		}
	}
}

// FuzzRead: no bytes in the place of a dataset's files make reading panic.
func FuzzRead(f *testing.F) {
	m, splits := sequences()
	dir := f.TempDir()
	if err := Write(dir, m, splits); err != nil {
		f.Fatal(err)
	}
	manifest, _ := os.ReadFile(filepath.Join(dir, manifestFile))
	data, _ := os.ReadFile(filepath.Join(dir, "train"+suffix))
	f.Add(manifest, data)
	f.Fuzz(func(t *testing.T, manifest, data []byte) {
		dir := t.TempDir()
		os.WriteFile(filepath.Join(dir, manifestFile), manifest, 0o644)
		os.WriteFile(filepath.Join(dir, "train"+suffix), data, 0o644)
		m, err := ReadManifest(dir)
		if err != nil {
			return
		}
		d, err := Read(dir, m, "train")
		if err != nil || len(m.Sequences) == 0 {
			return
		}
		rows := make([]int, d.Rows)
		for i := range rows {
			rows[i] = i
		}
		if d.Rows > 1000 || len(rows) == 0 || m.Sequences[0].MaxLength > 1000 {
			return
		}
		for _, in := range m.Inputs {
			m.Pad(d, &in, m.ByLength(d, rows, 2), m.Sequence(in.Sequence).Padded(d, rows))
		}
	})
}
