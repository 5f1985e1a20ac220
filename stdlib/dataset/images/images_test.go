package images

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"mbuild.dev/mbuild/stdlib/dataset/shard/shardtest"
)

func encode(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// grey is a grey image of one value.
func grey(t testing.TB, h, w int, v byte) []byte {
	img := image.NewGray(image.Rect(0, 0, w, h))
	for i := range img.Pix {
		img.Pix[i] = v
	}
	return encode(t, img)
}

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const spec = `dataset "images" "a" {
  files = fileset("*/*.png")
`

func pets(t testing.TB) map[string][]byte {
	return map[string][]byte{"dog/a.png": grey(t, 2, 2, 10), "cat/b.png": grey(t, 2, 2, 20), "cat/c.png": grey(t, 2, 2, 30)}
}

// values maps the first sample of each row to its class.
func values(t testing.TB, r *shardtest.Result, split string) map[float32]string {
	d := r.Read(t, split)
	out := map[float32]string{}
	for i := range d.Rows {
		out[d.Features[i*d.Width]] = r.M.Label.Classes[d.Classes[i]]
	}
	return out
}

func TestDirectories(t *testing.T) {
	r, err := shardtest.Build(t, Kind, spec+"channels = 1\n}\n", pets(t))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := values(t, r, "train"), (map[float32]string{10: "dog", 20: "cat", 30: "cat"}); !reflect.DeepEqual(got, want) {
		t.Errorf("%v", got)
	}
	if in := r.M.Inputs[0]; in.DType != "U8" || !reflect.DeepEqual(in.Shape, []int{2, 2, 1}) || !reflect.DeepEqual(r.M.Label.Classes, []string{"cat", "dog"}) {
		t.Errorf("%+v", r.M)
	}
	// Rows are numbered by the order of the files: cat/b, cat/c, dog/a.
	d := r.Read(t, "train")
	for i, s := range d.Source {
		if want := []float32{20, 30, 10}[s]; d.Features[i*4] != want {
			t.Errorf("row %d is %g, want %g", s, d.Features[i*4], want)
		}
	}
}

func TestTable(t *testing.T) {
	files := pets(t)
	files["tables/labels.csv"] = []byte("kind,path\nb,../dog/a.png\na,cat/b.png\n\"a\",../cat/c.png\n")
	spec := spec + "channels = 1\nlabels = \"tables/labels.csv\"\nlabel_column = \"kind\"\n}\n"
	r, err := shardtest.Build(t, Kind, spec, files)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := values(t, r, "train"), (map[float32]string{10: "b", 20: "a", 30: "a"}); !reflect.DeepEqual(got, want) {
		t.Errorf("%v", got)
	}
	for want, table := range map[string]string{
		"has no column \"path\". It has":           "kind,file\n",
		"labels.csv:2: there is no label":          "kind,path\n,dog/a.png\n",
		"labels.csv:2: \"x.png\" is not among":     "kind,path\na,x.png\n",
		"labels.csv:3: \"cat/b.png\" is there twi": "kind,path\na,cat/b.png\na,cat/b.png\n",
		"has no line for it":                       "kind,path\na,cat/b.png\n",
		"the line has 1 cells":                     "kind,path\na\n",
		"Malformed CSV":                            "kind,path\n\"a\n",
	} {
		files["tables/labels.csv"] = []byte(table)
		if _, err := shardtest.Build(t, Kind, spec, files); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
}

// TestConversions: what the schema says of channels, depth, CMYK and transparency.
func TestConversions(t *testing.T) {
	colour := image.NewRGBA(image.Rect(0, 0, 1, 1))
	colour.SetRGBA(0, 0, color.RGBA{200, 100, 50, 255})
	clear := image.NewNRGBA(image.Rect(0, 0, 1, 1))
	clear.SetNRGBA(0, 0, color.NRGBA{200, 100, 50, 64})
	palette := image.NewPaletted(image.Rect(0, 0, 1, 1), color.Palette{color.NRGBA{1, 2, 3, 255}})
	for _, c := range []struct {
		name     string
		file     []byte
		channels int
		alpha    string
		want     []byte
	}{
		{"grey to colour", grey(t, 1, 1, 7), 3, "error", []byte{7, 7, 7}},
		{"grey to alpha", grey(t, 1, 1, 7), 4, "error", []byte{7, 7, 7, 255}},
		{"colour", encode(t, colour), 3, "error", []byte{200, 100, 50}},
		{"colour to grey", encode(t, colour), 1, "error", []byte{124}}, // 0.299 200 + 0.587 100 + 0.114 50 = 124.2
		{"palette", encode(t, palette), 3, "error", []byte{1, 2, 3}},
		{"alpha kept", encode(t, clear), 4, "error", []byte{200, 100, 50, 64}},
		{"alpha dropped", encode(t, clear), 3, "drop", []byte{200, 100, 50}},
		{"on black", encode(t, clear), 3, "black", []byte{50, 25, 13}},
		{"on white", encode(t, clear), 3, "white", []byte{241, 216, 204}},
		{"16 bits", fixture(t, "sixteen.png"), 1, "error", []byte{0, 0, 255, 1, 1, 156}},
	} {
		img, err := decode(c.file)
		if err != nil {
			t.Fatal(c.name, err)
		}
		r, err := convert(img, c.channels, c.alpha)
		if err != nil || !bytes.Equal(r.pix, c.want) {
			t.Errorf("%s: %v %v, want %v", c.name, r, err, c.want)
		}
	}
	img, err := decode(fixture(t, "cmyk.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := convert(img, 3, "error")
	if _, ok := img.(*image.CMYK); !ok || err != nil {
		t.Fatalf("%T, %v", img, err)
	}
	near := func(got []byte, want ...byte) bool {
		for i := range want {
			if d := int(got[i]) - int(want[i]); d < -3 || d > 3 {
				return false
			}
		}
		return true
	}
	if !near(r.pix[:3], 255, 255, 255) || !near(r.pix[15*3:16*3], 0, 255, 0) {
		t.Errorf("CMYK white is %v, green %v", r.pix[:3], r.pix[15*3:16*3])
	}
}

// TestPillow: scaling and grey are Pillow's, bit for bit (testdata/make.py).
func TestPillow(t *testing.T) {
	photo, err := load("testdata/photo.png", 3, "error")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("testdata/resized_*.png")
	if err != nil || len(files) != 6 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		want, err := load(f, 3, "error")
		if err != nil {
			t.Fatal(err)
		}
		if got := resize(photo, want.h, want.w, "stretch"); !bytes.Equal(got.pix, want.pix) {
			t.Errorf("%s: not what Pillow makes of it", f)
		}
	}
	one, err := load("testdata/photo.png", 1, "error")
	if err != nil {
		t.Fatal(err)
	}
	want, err := load("testdata/grey.png", 1, "error")
	if err != nil || !bytes.Equal(one.pix, want.pix) {
		t.Errorf("grey differs from Pillow's: %v", err)
	}
}

// TestPixels holds what Go's decoder makes of a JPEG: when this fails after an update of Go, the kind's version must be raised.
func TestPixels(t *testing.T) {
	r, err := load("testdata/photo.jpg", 3, "error")
	if err != nil {
		t.Fatal(err)
	}
	if sum := fmt.Sprintf("%x", sha256.Sum256(r.pix)); sum != "813c9769cd84fd324cac69132194fdebc68576136ad8ad017817b7ade66a90e5" {
		t.Errorf("the pixels are %s", sum)
	}
}

func TestResizeModes(t *testing.T) {
	r := &raster{w: 4, h: 2, channels: 1, pix: []byte{10, 20, 30, 40, 10, 20, 30, 40}}
	for _, c := range []struct {
		mode string
		h, w int
		want []byte
	}{
		{"crop", 2, 2, []byte{20, 30, 20, 30}},
		{"pad", 4, 4, []byte{0, 0, 0, 0, 10, 20, 30, 40, 10, 20, 30, 40, 0, 0, 0, 0}},
		{"pad", 2, 6, []byte{0, 10, 20, 30, 40, 0, 0, 10, 20, 30, 40, 0}},
		{"crop", 1, 4, []byte{10, 20, 30, 40}},
		{"stretch", 1, 1, []byte{25}},
		{"pad", 1, 1, []byte{25}},
	} {
		if got := resize(r, c.h, c.w, c.mode); !bytes.Equal(got.pix, c.want) || got.h != c.h || got.w != c.w {
			t.Errorf("%s to %d x %d: %v, want %v", c.mode, c.h, c.w, got.pix, c.want)
		}
	}
}

// sized writes the same height and width into the header of an image, at a place, and corrects the checksum of a PNG.
func sized(b []byte, at int, size uint32) []byte {
	b = bytes.Clone(b)
	if at != 16 {
		binary.BigEndian.PutUint32(b[at:], size<<16|size)
		return b
	}
	binary.BigEndian.PutUint32(b[at:], size)
	binary.BigEndian.PutUint32(b[at+4:], size)
	binary.BigEndian.PutUint32(b[29:], crc32.ChecksumIEEE(b[12:29]))
	return b
}

// TestFlat: images that compress as well as can be are not taken for damaged ones.
func TestFlat(t *testing.T) {
	rect := image.Rect(0, 0, 3000, 3000)
	for name, img := range map[string]image.Image{"grey": image.NewGray(rect), "two colours": image.NewPaletted(rect, color.Palette{color.Black, color.White}), "16 bits": image.NewNRGBA64(rect)} {
		b := encode(t, img)
		if got, err := decode(b); err != nil || got.Bounds() != rect {
			t.Errorf("%s in %d bytes: %v", name, len(b), err)
		}
	}
	var j bytes.Buffer
	if err := jpeg.Encode(&j, image.NewYCbCr(rect, image.YCbCrSubsampleRatio420), &jpeg.Options{Quality: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := decode(j.Bytes()); err != nil {
		t.Errorf("JPEG in %d bytes: %v", j.Len(), err)
	}
}

func TestErrors(t *testing.T) {
	clear := image.NewNRGBA(image.Rect(0, 0, 2, 2))
	good := grey(t, 2, 2, 1)
	flipped := bytes.Clone(good)
	flipped[len(flipped)-20] ^= 0x40
	var j bytes.Buffer
	if err := jpeg.Encode(&j, image.NewGray(image.Rect(0, 0, 32, 32)), nil); err != nil {
		t.Fatal(err)
	}
	huge := bytes.Clone(good)
	copy(huge[16:], []byte{0, 1, 0, 0, 0, 1, 0, 0})
	for _, c := range []struct {
		name, more, want string
		file             []byte
	}{
		{"empty", "", "cat/x.png: it is empty", nil},
		{"text", "", "neither PNG nor JPEG: it begins with 68 65", []byte("hello")},
		{"gif", "", "neither PNG nor JPEG", fixture(t, "frames.gif")},
		{"cut", "", "cat/x.png: it is damaged", good[:len(good)-14]},
		{"flipped", "", "cat/x.png: it is damaged", flipped},
		{"cut jpeg", "", "cat/x.png: it is damaged", j.Bytes()[:j.Len()/2]},
		{"huge", "", "damaged", huge},
		{"no room", "", "its header says 8000 x 8000 pixels, which 75 bytes cannot hold", sized(good, 16, 8000)},
		{"no room in jpeg", "", "its header says 8000 x 8000 pixels, which", sized(j.Bytes(), bytes.Index(j.Bytes(), []byte{0xff, 0xc0})+5, 8000)},
		{"animated", "", "cat/x.png: it is animated", fixture(t, "animated.png")},
		{"transparent", "", "cat/x.png has transparent pixels. Say what they are", encode(t, clear)},
		{"size", "", "3 high and 2 wide, and cat/b.png is 2 and 2", grey(t, 3, 2, 1)},
		{"stated size", "size = [2, 2]\n", "cat/x.png is 3 high and 2 wide, and size says 2 and 2", grey(t, 3, 2, 1)},
		{"size of one", "size = [2]\n", "size has 1 numbers", good},
		{"resize to what", "resize = \"pad\"\n", "size must say to what", good},
		{"classes", "classes = [\"dog\", \"cow\"]\n", "found the class \"cat\", and classes lists", good},
	} {
		files := pets(t)
		files["cat/x.png"] = c.file
		_, err := shardtest.Build(t, Kind, spec+c.more+"}\n", files)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v\nwant %s", c.name, err, c.want)
		}
	}
	if _, err := shardtest.Build(t, Kind, "dataset \"images\" \"a\" {\n files = [\"x.png\"]\n}\n", map[string][]byte{"x.png": good}); err == nil || !strings.Contains(err.Error(), "is in no directory") {
		t.Error(err)
	}
}

// TestGroups: a new file changes the parameters and files of one group only, and each image is in one group.
func TestGroups(t *testing.T) {
	files := map[string][]byte{}
	for i := range 700 {
		files[fmt.Sprintf("%c/%03d.png", 'a'+i%2, i)] = grey(t, 1, 1, byte(i))
	}
	spec := spec + "channels = 1\nleaks = \"ignore\"\n}\n"
	before, err := shardtest.Build(t, Kind, spec, files)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(before.Actions); n != 5 {
		t.Errorf("%d actions for 700 files; there should be 4 groups and the join", n)
	}
	d := before.Read(t, "train")
	seen := map[int64]bool{}
	for i, s := range d.Source {
		seen[s] = true
		if name := before.M.Label.Classes[d.Classes[i]]; d.Rows != 700 || name == "" {
			t.Fatal(d.Rows, name)
		}
	}
	if len(seen) != 700 {
		t.Errorf("%d of 700 rows", len(seen))
	}
	files["a/new.png"] = grey(t, 1, 1, 0)
	after, err := shardtest.Build(t, Kind, spec, files)
	if err != nil {
		t.Fatal(err)
	}
	changed := 0
	for i, k := range before.Keys {
		if after.Keys[i] != k {
			changed++
		}
	}
	if changed != 2 {
		t.Errorf("%d actions changed; one group and the join should", changed)
	}
}

// FuzzDecode: no bytes make the decoder panic, or give an image that is not what it says.
func FuzzDecode(f *testing.F) {
	for _, name := range []string{"photo.png", "photo.jpg", "cmyk.jpg", "animated.png", "sixteen.png", "grey.png"} {
		f.Add(fixture(f, name), 3)
	}
	f.Fuzz(func(t *testing.T, b []byte, channels int) {
		img, err := decode(b)
		if err != nil || channels != 1 && channels != 3 && channels != 4 || img.Bounds().Dx()*img.Bounds().Dy() > 1<<16 {
			return
		}
		r, err := convert(img, channels, "white")
		if err != nil || len(r.pix) != r.w*r.h*channels {
			t.Fatal(err, len(r.pix))
		}
		if s := resize(r, 3, 5, "crop"); len(s.pix) != 15*channels {
			t.Fatal(len(s.pix))
		}
	})
}
