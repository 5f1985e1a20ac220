package main

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"image"
	"image/color"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
)

// badInput is a project with something wrong in a file, and what mbuild says: which file, where in it, what was found, what is
// allowed, and what to do. Where nothing is wrong with a file that looks so, wants are what the log says of it.
type badInput struct {
	name  string
	files map[string]string // by path; "" takes a file away
	spec  string
	fine  bool     // mbuild does it
	wants []string // parts of what is printed, in order
}

// checkpoint are the files of a tiny BERT by transformers, with a vocabulary of 40 tokens and 12 positions, in a directory bert.
func checkpoint(t *testing.T, change map[string]any) map[string]string {
	t.Helper()
	dir := filepath.Join(repository(t), "stdlib/pretrained/testdata/bert_classification")
	weights, err := os.ReadFile(filepath.Join(dir, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]any
	if err := json.Unmarshal(raw, &config); err != nil {
		t.Fatal(err)
	}
	maps.Copy(config, change)
	if raw, err = json.Marshal(config); err != nil {
		t.Fatal(err)
	}
	return map[string]string{"bert/config.json": string(raw), "bert/model.safetensors": string(weights)}
}

// reheaded changes the header of a file of tensors as text, without its bytes of data.
func reheaded(t *testing.T, file string, change func(header string) string) string {
	t.Helper()
	n := binary.LittleEndian.Uint64([]byte(file))
	header := change(file[8 : 8+n])
	return string(binary.LittleEndian.AppendUint64(nil, uint64(len(header)))) + header + file[8+n:]
}

const (
	badModel = `
model "pretrained" "m" {
  files  = ["bert/config.json", "bert/model.safetensors"]
  length = 10
  head "classification" { outputs = 2 }
}
output "m" { value = model.pretrained.m.model }
`
	badTexts = `
dataset "jsonl" "d" {
  files      = ["train.jsonl"]
  test_files = ["test.jsonl"]
  text       = ["text"]
  label      = "y"
}
tokenizer "wordpiece" "w" {
  data       = dataset.jsonl.d.data
  vocab_size = 40
}
dataset "tokenized" "d" {
  from       = dataset.jsonl.d.data
  vocab      = tokenizer.wordpiece.w.vocab
  max_length = 10
}
`
	badTrain = badTexts + `
model "pretrained" "m" {
  files  = ["bert/config.json", "bert/model.safetensors"]
  length = 10
  head "classification" { outputs = 2 }
}
train "supervised" "m" {
  from   = model.pretrained.m.model
  data   = dataset.tokenized.d.data
  loss   = "cross_entropy"
  epochs = 1
  optimizer "adamw" {}
}
output "m" { value = train.supervised.m.model }
`
	badTokens = badTexts + `output "d" { value = dataset.tokenized.d.data }
`
	badConll = `
dataset "conll" "d" {
  files = ["d.conll"]
}
output "d" { value = dataset.conll.d.data }
`
	badIdx = `
dataset "idx" "d" {
  images = "images"
  labels = "labels"
}
output "d" { value = dataset.idx.d.data }
`
	badImages = `
dataset "images" "d" {
  files = fileset("img/**/*.*")
}
output "d" { value = dataset.images.d.data }
`
	badStep = `
dataset "synthetic" "d" {
  shape = "blobs"
  rows  = 120
}
model "layers" "m" {
  input "x" {
    shape = [2]
    scale = 1e9
  }
  layer "dense" "o" { units = 2 }
}
train "supervised" "t" {
  graph  = model.layers.m.graph
  data   = dataset.synthetic.d.data
  loss   = "cross_entropy"
  epochs = 1
  batch  = 1
  optimizer "adam" {}
  precision = "float16"
}
output "m" { value = train.supervised.t.model }
`
	badParquet = `
dataset "parquet" "d" {
  files = ["d.parquet"]
  text  = ["text"]
}
output "d" { value = dataset.parquet.d.data }
`
)

// jsonLines are rows of text and label.
func jsonLines(rows ...string) string {
	var b strings.Builder
	for i := 0; i < len(rows); i += 2 {
		text, _ := json.Marshal(rows[i])
		b.WriteString(`{"text": ` + string(text) + `, "y": "` + rows[i+1] + "\"}\n")
	}
	return b.String()
}

// idx is a file of an array of bytes.
func idx(data string, dims ...uint32) string {
	b := []byte{0, 0, 8, byte(len(dims))}
	for _, d := range dims {
		b = binary.BigEndian.AppendUint32(b, d)
	}
	return string(b) + data
}

// picture is an image in PNG.
func picture(t *testing.T, img image.Image) string {
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// packed is text in gzip.
func packed(t *testing.T, text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte(text))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestBadInput walks through what files can be that people give mbuild, against the program as it is run.
func TestBadInput(t *testing.T) {
	good := checkpoint(t, nil)
	weights := good["bert/model.safetensors"]
	model := func(weights string) map[string]string {
		return map[string]string{"bert/config.json": good["bert/config.json"], "bert/model.safetensors": weights}
	}
	with := func(a, b map[string]string) map[string]string {
		out := maps.Clone(a)
		maps.Copy(out, b)
		return out
	}
	texts := map[string]string{"train.jsonl": jsonLines("red blue", "a", "green", "b", "blue green red", "a", "white red", "b"), "test.jsonl": jsonLines("green blue", "a")}
	fixture := func(name string) string {
		b, err := os.ReadFile(filepath.Join(repository(t), "stdlib/dataset/parquet/testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	ts, meta, err := safetensors.Decode([]byte(weights))
	if err != nil {
		t.Fatal(err)
	}
	j := slices.IndexFunc(ts, func(t safetensors.Tensor) bool { return t.Name == "bert.encoder.layer.0.output.dense.bias" })
	whole := slices.Clone(ts)
	whole[j].DType, whole[j].Data = "I64", make([]byte, 8*whole[j].Shape[0])
	integers, err := safetensors.Encode(whole, meta)
	if err != nil {
		t.Fatal(err)
	}
	rows, labels := idx("abcdefghijklmnop", 4, 2, 2), idx("\x00\x01\x00\x01", 4)
	painted := image.NewRGBA64(image.Rect(0, 0, 8, 8))
	draw := func(img *image.RGBA64, v uint16) string {
		for i := range 64 {
			img.SetRGBA64(i%8, i/8, color.RGBA64{v * uint16(i), v, uint16(i), 0xffff})
		}
		return picture(t, img)
	}
	pets := map[string]string{"img/cats/young/1.png": draw(painted, 1), "img/cats/2.png": draw(painted, 300), "img/dogs/3.png": draw(painted, 700)}
	cmyk, err := os.ReadFile(filepath.Join(repository(t), "stdlib/dataset/images/testdata/cmyk.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	cat := pets["img/cats/2.png"]
	for _, c := range []badInput{
		{name: "idx cut off", files: map[string]string{"images": rows[:len(rows)-3], "labels": labels}, spec: badIdx, wants: []string{`Error: Truncated idx file`, `spec.mbuild.hcl:2,12-20, in dataset "idx" "d"`, `images ends in row 3; its header says 4 rows. Fetch the file again.`}},
		{name: "idx with an impossible header", files: map[string]string{"images": idx("", 4, 1<<31, 1<<31), "labels": labels}, spec: badIdx, wants: []string{`Error: Impossible idx header`, `spec.mbuild.hcl:2,12-20`, `The header of images gives dimension 1 the size 2147483648; a row must have at least 1 element and at most 16777216.`}},
		{name: "idx packed and cut off", files: map[string]string{"images": packed(t, rows)[:len(packed(t, rows))-4], "labels": labels}, spec: badIdx, wants: []string{`Error: Damaged gzip file`, `spec.mbuild.hcl:2,12-20, in dataset "idx" "d"`, `images: unexpected EOF. Fetch or pack the file again.`}},
		{name: "idx longer than its header", files: map[string]string{"images": rows + "q", "labels": labels}, spec: badIdx, wants: []string{`images goes on after the 4 rows that its header says. Fetch the file again.`}},
		{name: "idx of two shapes", files: map[string]string{"images": rows, "labels": labels, "more": idx("abcdefgh", 2, 4, 1), "few": idx("\x00\x01", 2)}, spec: strings.Replace(badIdx, "labels\"\n", "labels\"\n  test {\n    images = \"more\"\n    labels = \"few\"\n  }\n", 1), wants: []string{`Error: Files do not fit together`, `Rows of images and labels are "pixels" of shape [2 2 1]`, `those of more and few are "pixels" of shape [4 1 1]`}},
		{name: "an image cut off", files: with(pets, map[string]string{"img/cats/2.png": cat[:len(cat)/2]}), spec: badImages, wants: []string{`Error: Image not usable`, `spec.mbuild.hcl:2,11-32, in dataset "images" "d"`, `img/cats/2.png: it is damaged: png: invalid format: not enough pixel data. Save or fetch it again, or leave it out of files.`}},
		{name: "an image of another size", files: with(pets, map[string]string{"img/dogs/3.png": picture(t, image.NewGray(image.Rect(0, 0, 9, 8)))}), spec: badImages, wants: []string{`Error: Image of another size`, `img/dogs/3.png is 8 high and 9 wide, and img/cats/2.png is 8 and 8. Say how it is brought there: size = [height, width] and resize = "crop", "pad" or "stretch".`}},
		{name: "images of 16 bits, grey and CMYK", files: with(pets, map[string]string{"img/dogs/4.png": picture(t, image.NewGray16(image.Rect(0, 0, 8, 8))), "img/dogs/5.jpg": string(cmyk)}), spec: strings.Replace(badImages, "*.*\")\n", "*.*\")\n  size = [8, 8]\n  resize = \"pad\"\n", 1), fine: true, wants: []string{`rows 5`}},
		{name: "a batch larger than the data", files: nil, spec: strings.Replace(badStep, "batch  = 1", "batch  = 1000", 1), wants: []string{`spec.mbuild.hcl:17,12-16, in train "supervised" "t"`, `batch = 1000 is larger than the data set: its train split has 120 rows. Take a batch of at most that many.`}},
		{name: "more outputs than classes", files: nil, spec: strings.NewReplacer("units = 2", "units = 5", `precision = "float16"`, "", "scale = 1e9", "").Replace(badStep), wants: []string{`spec.mbuild.hcl:14,12-36, in train "supervised" "t"`, `the model gives 5 outputs, and the label "label" has 2 classes, "0", "1": it must give one for each.`}},
		{name: "float16 that overflows in every step", files: nil, spec: badStep, wants: []string{`Error: Training overflows float16`, `spec.mbuild.hcl:19,15-24, in train "supervised" "t"`, `float16 overflowed in 100 steps in a row, up to step 100 of epoch 1, whatever the scale of the loss: values in the model itself are beyond 65504. Use precision = "bfloat16", which has the range of float32, or scale the inputs. Nothing of this epoch is kept.`}},
		{name: "tensors cut off", files: model(weights[:len(weights)/2]), spec: badModel, wants: []string{`Error: Model cannot be read`, `spec.mbuild.hcl:2,12-58, in model "pretrained" "m"`, `model.safetensors: tensor "bert.encoder.layer.0.intermediate.dense.bias": F32[24] does not lie at bytes 8064 to 8160 of 8138. The file is damaged or cut off: fetch it again.`}},
		{name: "tensors cut off in the header", files: model(weights[:100]), spec: badModel, wants: []string{`model.safetensors: not a safetensors file, or one that is cut off: a header of 4272 bytes in a file of 100, and headers have at most 100000000. Fetch it again.`}},
		{name: "tensors empty", files: model(""), spec: badModel, wants: []string{`model.safetensors: not a safetensors file: it has 0 bytes, and the length of the header alone takes 8. Fetch it again.`}},
		{name: "tensors with an oversized header", files: model("\xff\xff\xff\xff\xff\xff\xff\x7f" + weights[8:]), spec: badModel, wants: []string{`model.safetensors: not a safetensors file, or one that is cut off: a header of 9223372036854775807 bytes in a file of 24836, and headers have at most 100000000. Fetch it again.`}},
		{name: "tensors that overlap", files: model(reheaded(t, weights, func(h string) string {
			return strings.Replace(h, `"data_offsets":[64,128]`, `"data_offsets":[60,124]`, 1)
		})), spec: badModel, wants: []string{`model.safetensors: safetensors data has a gap or overlap at byte `, `The file is damaged or cut off: fetch it again.`}},
		{name: "a tensor of a type for no weights", files: model(string(integers)), spec: badModel, wants: []string{`the tensor "bert.encoder.layer.0.output.dense.bias" in model.safetensors is of type I64; parameters are F32, F16 or BF16. Convert the checkpoint to one of them.`}},
		{name: "a tensor of no type", files: model(reheaded(t, weights, func(h string) string { return strings.Replace(h, `"F32"`, `"F33"`, 1) })), spec: badModel, wants: []string{`model.safetensors: safetensors header: tensor "bert.embeddings.LayerNorm.bias": unknown type "F33"; there are BF16, `, `, F32, `}},
		{name: "a tensor twice", files: model(reheaded(t, weights, func(h string) string {
			return strings.Replace(h, "bert.encoder.layer.1.output.dense.bias", "bert.encoder.layer.0.output.dense.bias", 1)
		})), spec: badModel, wants: []string{`model.safetensors: safetensors header: "bert.encoder.layer.0.output.dense.bias" comes twice.`}},
		{name: "config.json says another vocabulary", files: checkpoint(t, map[string]any{"vocab_size": 50}), spec: badModel, wants: []string{`the tensor "bert.embeddings.word_embeddings.weight" in model.safetensors has shape [40 16], and config.json makes it [50 16] (vocab_size = 50, hidden_size = 16). Is config.json that of another model, or a file of tensors missing? Take all files of one directory.`}},
		{name: "config.json says more blocks", files: checkpoint(t, map[string]any{"num_hidden_layers": 3}), spec: badModel, wants: []string{`the files lack tensors of a model of type "bert" with num_hidden_layers = 3: encoder.layer.2.attention.self.query.weight, `, ` more. Is config.json that of another model`}},
		{name: "config.json says fewer blocks", files: checkpoint(t, map[string]any{"num_hidden_layers": 1}), spec: badModel, wants: []string{`config.json says num_hidden_layers = 1, and the files have tensors of more: bert.encoder.layer.1.attention.output.LayerNorm.bias, `, ` more. Is config.json that of another model`}},
		{name: "config.json cut off", files: with(good, map[string]string{"bert/config.json": good["bert/config.json"][:50]}), spec: badModel, wants: []string{`config.json: unexpected end of JSON input, in a file of 50 bytes. It must be a JSON object, as transformers writes it: fetch it again.`}},
		{name: "tokenizer larger than the model", files: with(with(checkpoint(t, nil), texts), map[string]string{"train.jsonl": jsonLines("the quick brown fox jumps over lazy dogs", "a", "pack my box with five dozen liquor jugs", "b")}), spec: strings.Replace(badTrain, "vocab_size = 40", "vocab_size = 60", 1), wants: []string{`spec.mbuild.hcl:24,12-36, in train "supervised" "m"`, `the tokenizer of the dataset's sequence "text" has 58 tokens, and the model's input "input_ids" goes to an embedding of 40 rows. Take the tokenizer that belongs to the model, or a vocabulary of 58.`}},
		{name: "label unseen in training", files: with(texts, map[string]string{"test.jsonl": jsonLines("green blue", "c", "red", "c", "blue", "a")}), spec: badTokens, fine: true, wants: []string{`warning dataset.tokenized.d  split "test" has labels that no row of "train" has, so no model can learn them: c (2); row `}},
		{name: "label that classes does not name", files: texts, spec: strings.Replace(badTokens, `label      = "y"`, "label = \"y\"\nclasses = [\"a\", \"c\"]", 1), wants: []string{`spec.mbuild.hcl:6,`, `train.jsonl:2: found the class "b", and classes lists ["a" "c"]. Add it there, or correct the row.`}},
		{name: "empty texts", files: with(texts, map[string]string{"train.jsonl": texts["train.jsonl"] + jsonLines("", "a", "  \t ", "b")}), spec: badTokens, fine: true, wants: []string{`warning dataset.tokenized.d  2 rows have no token and are left out`, `built dataset.tokenized.d`, `rows 5`}},
		{name: "empty texts refused", files: with(texts, map[string]string{"train.jsonl": texts["train.jsonl"] + jsonLines("", "a")}), spec: strings.Replace(badTokens, "max_length = 10", "max_length = 10\nempty = \"error\"", 1), wants: []string{`spec.mbuild.hcl:15,`, `row 4 of split "train" has no token. Remove the row, or set empty = "skip" to leave such rows out.`}},
		{name: "only empty texts", files: map[string]string{"train.jsonl": jsonLines("", "a", "", "b"), "test.jsonl": jsonLines("", "a")}, spec: badTokens, wants: []string{`Error: No text`, `Split "train" of the dataset has no text in "text" to learn a vocabulary from.`}},
		{name: "a text of a megabyte", files: with(texts, map[string]string{"train.jsonl": texts["train.jsonl"] + jsonLines(strings.Repeat("red blue ", 1<<20/9), "a")}), spec: badTokens, fine: true, wants: []string{`warning dataset.tokenized.d  1 of 6 rows have more than max_length = 10 tokens and are cut`, `rows 6`}},
		{name: "a word of a megabyte", files: with(texts, map[string]string{"train.jsonl": texts["train.jsonl"] + jsonLines(strings.Repeat("red", 1<<20/3), "a")}), spec: badTokens, fine: true, wants: []string{`built dataset.tokenized.d`, `rows 6`}},
		{name: "a text of a megabyte refused", files: with(texts, map[string]string{"train.jsonl": texts["train.jsonl"] + jsonLines(strings.Repeat("red blue ", 1<<20/9), "a")}), spec: strings.Replace(badTokens, "max_length = 10", "max_length = 10\ntruncation = \"error\"", 1), wants: []string{`spec.mbuild.hcl:15,`, `row 4 of split "train" has 233016 tokens, and with 2 special tokens max_length = 10 has room for 8. Raise max_length, or choose what is cut with truncation.`}},
		{name: "invalid UTF-8 in JSON", files: with(texts, map[string]string{"train.jsonl": texts["train.jsonl"] + "{\"text\": \"caf\xe9\", \"y\": \"a\"}\n"}), spec: badTokens, fine: true, wants: []string{`warning dataset.jsonl.d  train.jsonl: 1 texts are not UTF-8, the first on line 5; what is damaged in them became U+FFFD. Save the file as UTF-8`, `rows 6`}},
		{name: "half a surrogate in JSON", files: with(texts, map[string]string{"train.jsonl": texts["train.jsonl"] + `{"text": "\ud83d", "y": "a"}` + "\n"}), spec: badTokens, fine: true, wants: []string{`warning dataset.tokenized.d  1 rows have no token and are left out`, `rows 5`}},
		{name: "NUL in JSON", files: with(texts, map[string]string{"train.jsonl": texts["train.jsonl"] + `{"text": "re\u0000d \u0000", "y": "a"}` + "\n"}), spec: badTokens, fine: true, wants: []string{`built dataset.tokenized.d`, `rows 6`}},
		{name: "NUL byte in JSON", files: with(texts, map[string]string{"train.jsonl": texts["train.jsonl"] + "{\"text\": \"re\x00d\", \"y\": \"a\"}\n"}), spec: badTokens, wants: []string{`spec.mbuild.hcl:2,16-31, in dataset "jsonl" "d"`, `train.jsonl:5:13: invalid character '\x00' in string literal. Each line is one JSON object`}},
		{name: "invalid UTF-8 in lines", files: map[string]string{"d.txt": "red\nbl\xffue\n"}, spec: "dataset \"text\" \"d\" { files = [\"d.txt\"] }\noutput \"d\" { value = dataset.text.d.data }\n", fine: true, wants: []string{`warning dataset.text.d  d.txt: 1 texts are not UTF-8, the first on line 2; what is damaged in them became U+FFFD. Save the file as UTF-8`, `rows 2`}},
		{name: "NUL in lines", files: map[string]string{"d.txt": "red\nbl\x00ue\n"}, spec: "dataset \"text\" \"d\" { files = [\"d.txt\"] }\noutput \"d\" { value = dataset.text.d.data }\n", fine: true, wants: []string{`built dataset.text.d`, `rows 2`}},
		{name: "conll with a column too few", files: map[string]string{"d.conll": "Ann B-PER\nruns O\n\nPaul\n"}, spec: badConll, wants: []string{`d.conll:4: found 1 columns ("Paul"), and columns lists 2 (token, tag). Correct the line, columns or delimiter.`}},
		{name: "conll with a column too many", files: map[string]string{"d.conll": "Ann NNP B-PER\n"}, spec: badConll, wants: []string{`d.conll:1: found 3 columns ("Ann NNP B-PER"), and columns lists 2 (token, tag). Correct the line, columns or delimiter.`}},
		{name: "conll with a tag of no scheme", files: map[string]string{"d.conll": "Ann B-PER\nruns PER\n"}, spec: badConll, wants: []string{`d.conll:2: "PER" is no tag of iob2: these are O, and B-, I- with a type after it, such as B-PER. Correct the tag, or say which scheme the file has; "none" takes any tag.`}},
		{name: "conll with an impossible tag", files: map[string]string{"d.conll": "Ann O\nLee I-PER\nruns O\n"}, spec: badConll, fine: true, wants: []string{`warning dataset.conll.d  d.conll: 1 tags could not follow the one before them, the first on line 2, and were taken for the beginning of an entity, or its end, as conlleval does; is scheme right? repair = "error" refuses such files`, `rows 1`}},
		{name: "conll with an impossible tag refused", files: map[string]string{"d.conll": "Ann O\nLee I-PER\nruns O\n"}, spec: strings.Replace(badConll, "files", "repair = \"error\"\n  files", 1), wants: []string{`spec.mbuild.hcl:2,12-19, in dataset "conll" "d"`, `d.conll:2: I-PER cannot stand here, after O, in iob2; it would have to be B-PER. Correct it, or set repair = "conlleval".`}},
		{name: "conll of invalid UTF-8", files: map[string]string{"d.conll": "Ann B-PER\nru\xffns O\n"}, spec: badConll, fine: true, wants: []string{`warning dataset.conll.d  d.conll: 1 texts are not UTF-8, the first on line 2`, `rows 1`}},
		{name: "sequences longer than the positions", files: with(good, texts), spec: strings.Replace(badTrain, "max_length = 10", "max_length = 64", 1), wants: []string{`spec.mbuild.hcl:24,12-36, in train "supervised" "m"`, `the model's input "input_ids" takes sequences of up to 10 positions, and the dataset's "input_ids" has up to 64. Lower max_length of the dataset, or raise the shape of the input.`}},
		{name: "a model longer than its positions", files: good, spec: strings.Replace(badModel, "length = 10", "length = 64", 1), wants: []string{`spec.mbuild.hcl:3,12-14, in model "pretrained" "m"`, `length does not fit: it is 64, and the model has positions for sequences of 1 to 12 (max_position_embeddings = 12). Lower it, and max_length of the data.`}},
		{name: "parquet with a nested column, list", files: map[string]string{"d.parquet": fixture("odd.parquet")}, spec: strings.Replace(badParquet, `"text"]`, `"list"]`, 1), wants: []string{`spec.mbuild.hcl:3,11-`, `"list"`}},
		{name: "parquet with a nested column, struct", files: map[string]string{"d.parquet": fixture("odd.parquet")}, spec: strings.Replace(badParquet, `"text"]`, `"struct"]`, 1), wants: []string{`spec.mbuild.hcl:3,11-`, `"struct"`}},
		{name: "parquet with a nested column, map", files: map[string]string{"d.parquet": fixture("odd.parquet")}, spec: strings.Replace(badParquet, `"text"]`, `"map"]`, 1), wants: []string{`spec.mbuild.hcl:3,11-`, `"map"`}},
		{name: "parquet without a column", files: map[string]string{"d.parquet": fixture("snappy.parquet")}, spec: badParquet, wants: []string{`spec.mbuild.hcl:3,11-19, in dataset "parquet" "d"`, `d.parquet has no column "text". It has "i8", "i16", `}},
		{name: "parquet cut off", files: map[string]string{"d.parquet": fixture("snappy.parquet")[:1000]}, spec: badParquet, wants: []string{`d.parquet: invalid magic footer of parquet file: `, `The file is damaged, cut off, encrypted, or no Parquet file.`}},
		{name: "parquet that is none", files: map[string]string{"d.parquet": "text\nred\n"}, spec: badParquet, wants: []string{`d.parquet: it has 9 bytes. The file is damaged, cut off, encrypted, or no Parquet file.`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := write(t, strings.TrimPrefix(c.spec, "\n"))
			for name, text := range c.files {
				p := filepath.Join(dir, name)
				if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			cmd := mbuild(t, dir, t.TempDir(), "apply", "-auto-approve", "-no-color")
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			err := cmd.Run()
			if (err == nil) != c.fine {
				t.Errorf("it ended with %v", err)
			}
			rest := out.String()
			for _, w := range c.wants {
				_, after, ok := strings.Cut(rest, w)
				if !ok {
					t.Errorf("it does not say, in this order: %s", w)
				}
				rest = after
			}
			if t.Failed() || testing.Verbose() {
				t.Logf("%v\n%s", err, out.String())
			}
		})
	}
}
