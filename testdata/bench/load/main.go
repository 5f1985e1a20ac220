// Command load measures how soon, and in how much memory, a checkpoint gives its first result: for a directory of a BERT, such as
// that which stdlib/pretrained/testdata/minilm.sh fetches, it prints
//
//	bundle     a process that maps a model of mbuild's store, puts it on the Go backend, and computes 128 positions of one text
//	directory  the same from the checkpoint itself, whose matrices are turned round
//	apply      mbuild apply of an evaluation of eight texts, all else cached: program, plan, worker, and the report stored
//
// each as the smallest and the median of some rounds, in seconds from the start of the process to the result, and the largest resident
// memory of the process that computes, also in shares of the weights.
//
//	GOEXPERIMENT=simd go build -o /tmp/mbuild ./cmd/mbuild
//	GOEXPERIMENT=simd go run ./testdata/bench/load -mbuild /tmp/mbuild -rounds 5 DIRECTORY
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	lower "mbuild.dev/mbuild/stdlib/graph/mlx"
	"mbuild.dev/mbuild/stdlib/pretrained"
)

const length = 128

func main() {
	rounds := flag.Int("rounds", 5, "rounds of each")
	program := flag.String("mbuild", "", "built mbuild, for apply")
	child := flag.String("child", "", "what this process measures, for itself")
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	var err error
	if *child != "" {
		err = forward(*child, flag.Arg(0))
	} else {
		err = measure(flag.Arg(0), *program, *rounds)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// load reads a model from a bundle or a directory of transformers, with vectors of texts as its output.
func load(kind, dir string) (*bundle.Model, error) {
	if kind == "bundle" {
		return bundle.Map(dir)
	}
	config, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		return nil, err
	}
	c, err := pretrained.ReadConfig(config)
	if err != nil {
		return nil, err
	}
	ckpt, err := pretrained.Open(map[string]string{"model.safetensors": filepath.Join(dir, "model.safetensors")}, nil)
	if err != nil {
		return nil, err
	}
	defer ckpt.Close()
	l, err := pretrained.Load(c, ckpt, pretrained.Options{Length: length, Head: &pretrained.Head{Kind: "embedding", Pool: "mean"}})
	if err != nil {
		return nil, err
	}
	return l.Model, nil
}

// forward computes one text and prints when that was done, and how much memory it took.
func forward(kind, dir string) error {
	m, err := load(kind, dir)
	if err != nil {
		return err
	}
	weights := m.Count().Bytes
	if kind == "bundle" { // counting has looked at all of it
		m.Close()
		if m, err = load(kind, dir); err != nil {
			return err
		}
	}
	s, err := mlx.Open(mlx.Go)
	if err != nil {
		return err
	}
	p, err := lower.Load(s, m)
	if err != nil {
		return err
	}
	ids, mask := make([]float32, length), make([]float32, length)
	for i := range ids {
		ids[i], mask[i] = float32(1000+i), 1
	}
	out, err := p.Forward(1, map[string][]float32{"input_ids": ids, "attention_mask": mask})
	if err != nil {
		return err
	}
	end := time.Now()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	if err != nil {
		return err
	}
	fmt.Println(end.UnixNano(), kb*1024, weights, out[0][0])
	return nil
}

// figures are those of one way, by round.
type figures struct {
	seconds []float64
	memory  []int64
}

func (f *figures) print(name string, weights int64) {
	slices.Sort(f.seconds)
	slices.Sort(f.memory)
	worst := f.memory[len(f.memory)-1]
	fmt.Printf("%-10s %.2f s  %.2f s  %4d MB  %.2f of the weights\n", name, f.seconds[0], f.seconds[len(f.seconds)/2], worst>>20, float64(worst)/float64(weights))
}

func measure(dir, program string, rounds int) error {
	scratch, err := os.MkdirTemp("", "load")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	m, err := load("directory", dir)
	if err != nil {
		return err
	}
	weights := m.Count().Bytes
	model := filepath.Join(scratch, "model")
	if err := os.Mkdir(model, 0o755); err != nil {
		return err
	}
	if err := bundle.Write(model, m); err != nil {
		return err
	}
	fmt.Printf("%d bytes of weights; smallest and median time, largest memory, of %d rounds\n", weights, rounds)
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for _, way := range [][2]string{{"bundle", model}, {"directory", dir}} {
		var f figures
		for range rounds {
			begin := time.Now()
			out, err := exec.Command(self, "-child", way[0], way[1]).Output()
			if err != nil {
				return fmt.Errorf("%s: %w", way[0], err)
			}
			var end, memory, size int64
			if _, err := fmt.Sscan(string(out), &end, &memory, &size); err != nil {
				return err
			}
			f.seconds, f.memory = append(f.seconds, time.Unix(0, end).Sub(begin).Seconds()), append(f.memory, memory)
		}
		f.print(way[0], weights)
	}
	if program == "" {
		return nil
	}
	f, err := apply(scratch, dir, program, rounds)
	if err == nil {
		f.print("apply", weights)
	}
	return err
}

const spec = `
variable "text" {
  type    = string
  default = "0"
}
dataset "jsonl" "texts" {
  files = ["texts${var.text}.jsonl"]
  text  = ["text"]
  label = "y"
}
tokenizer "pretrained" "words" { file = "minilm/tokenizer.json" }
dataset "tokenized" "texts" {
  from  = dataset.jsonl.texts.data
  vocab = tokenizer.pretrained.words.vocab
}
model "pretrained" "bert" {
  files  = ["minilm/config.json", "minilm/model.safetensors"]
  length = 128
  head "classification" { outputs = 2 }
}
eval "classification" "texts" {
  from  = model.pretrained.bert.model
  data  = dataset.tokenized.texts.data
  split = "train"
}
`

// apply evaluates eight texts that were not there before, once for each round.
func apply(scratch, dir, program string, rounds int) (*figures, error) {
	project := filepath.Join(scratch, "project")
	if err := os.Mkdir(project, 0o755); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.Symlink(dir, filepath.Join(project, "minilm")); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(project, "spec.mbuild.hcl"), []byte(spec), 0o644); err != nil {
		return nil, err
	}
	f := &figures{}
	for round := range rounds + 1 {
		var texts strings.Builder
		for i := range 8 {
			fmt.Fprintf(&texts, "{\"text\": \"The quick brown fox jumps over %d lazy dogs.\", \"y\": \"%d\"}\n", 10*round+i, i%2)
		}
		if err := os.WriteFile(filepath.Join(project, fmt.Sprintf("texts%d.jsonl", round)), []byte(texts.String()), 0o644); err != nil {
			return nil, err
		}
		cmd := exec.Command(program, "-C", project, "apply", "-auto-approve", "-json", "-var", fmt.Sprintf("text=%d", round))
		cmd.Env = append(os.Environ(), "MBUILD_CACHE="+filepath.Join(scratch, "store"))
		begin := time.Now()
		out, err := cmd.CombinedOutput()
		if err != nil {
			return nil, fmt.Errorf("%w\n%s", err, out)
		}
		if round == 0 { // reads the model as well
			continue
		}
		f.seconds = append(f.seconds, time.Since(begin).Seconds())
		cmd = exec.Command(program, "-C", project, "log", "what-ran", "-json")
		cmd.Env = append(os.Environ(), "MBUILD_CACHE="+filepath.Join(scratch, "store"))
		if out, err = cmd.Output(); err != nil {
			return nil, err
		}
		memory, err := memoryOf(out)
		if err != nil {
			return nil, err
		}
		f.memory = append(f.memory, memory)
	}
	return f, nil
}

// memoryOf is the largest resident memory of the evaluation, as a document of log what-ran has it.
func memoryOf(doc []byte) (int64, error) {
	var log struct {
		Actions []struct {
			Kind   string `json:"kind"`
			Memory int64  `json:"memory_bytes"`
		} `json:"actions"`
	}
	if err := json.Unmarshal(doc, &log); err != nil {
		return 0, err
	}
	for _, a := range log.Actions {
		if strings.HasSuffix(a.Kind, "/evaluate") && a.Memory > 0 {
			return a.Memory, nil
		}
	}
	return 0, fmt.Errorf("log what-ran knows nothing of an evaluation:\n%s", doc)
}
