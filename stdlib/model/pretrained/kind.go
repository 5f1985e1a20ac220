// Package pretrained is the kind `model pretrained`: a model that transformers has saved, read by package stdlib/pretrained.
package pretrained

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/graph"
	"mbuild.dev/mbuild/stdlib/pretrained"
)

// Kind is model.pretrained.
var Kind = &executor.Kind{
	Kind: planner.Kind{
		Family: "model", Type: "pretrained", Version: 1, Schema: Schema, Determinism: planner.Bitwise, External: true,
		Outputs: []planner.Output{
			{Name: "graph", Type: "graph", MediaType: graph.MediaType},
			{Name: "model", Type: "model", MediaType: bundle.MediaType, Directory: true},
		},
		Lower: lowerBlock,
	},
	Runs: map[string]executor.Run{"": {Func: run}},
}

// The names of files in a directory of transformers.
const (
	configFile = "config.json"
	indexFile  = "model.safetensors.index.json"
	suffix     = ".safetensors"
)

// lowerBlock picks the files that are read. The action knows them by their names without directory, which the index of shards speaks
// of; others of the directory, a tokenizer or a card, are no part of its key.
func lowerBlock(l *planner.Lowering) hcl.Diagnostics {
	files, _ := l.Attr("files").([]any)
	dir, config := "", -1
	for i, v := range files {
		if p := path.Clean(v.(string)); path.Base(p) == configFile {
			if config >= 0 {
				l.Errorf("files."+strconv.Itoa(i), "bad-model", "Two models", "There are %s and %s; a block reads one directory.", files[config], p)
				return l.Diagnostics()
			}
			dir, config = path.Dir(p), i
		}
	}
	if config < 0 {
		l.Errorf("files", "bad-model", "Model without config.json", "There is no config.json among %s. Name the files of a model's directory, for example fileset(\"minilm/*\").", some(files))
		return l.Diagnostics()
	}
	inputs := []planner.Input{l.File("config", files[config].(string), "files."+strconv.Itoa(config))}
	var weights []string
	var names []any
	at := map[string]string{}
	sharded := false
	for i, v := range files {
		p := path.Clean(v.(string))
		if path.Dir(p) != dir {
			continue
		}
		switch base := path.Base(p); {
		case base == indexFile:
			inputs = append(inputs, l.File("index", p, "files."+strconv.Itoa(i)))
			sharded = true
		case strings.HasSuffix(base, suffix) && at[base] == "":
			weights, at[base] = append(weights, base), "files."+strconv.Itoa(i)
		}
	}
	if len(weights) == 0 {
		l.Errorf("files", "bad-model", "Model without weights", "%s", noWeights(files, dir))
		return l.Diagnostics()
	}
	slices.Sort(weights)
	for i, base := range weights {
		inputs = append(inputs, l.File("weights"+strconv.Itoa(i), path.Join(dir, base), at[base]))
		names = append(names, base)
	}
	params := l.Params("files")
	if sharded {
		params["names"] = names
	}
	a := l.Emit("", planner.Action{Params: params, Inputs: inputs, Host: true, Outputs: []planner.OutputDecl{
		{Name: "graph", MediaType: graph.MediaType}, {Name: "model", MediaType: bundle.MediaType, Directory: true}}})
	l.Bind("graph", a, "graph")
	l.Bind("model", a, "model")
	if g := look(l, inputs, params); g != nil {
		l.Provide("graph", g)
		l.Provide("model", g)
	}
	return l.Diagnostics()
}

// look makes the graph while planning, of config.json and the headers of the weights, so that what does not fit the model is told
// before anything runs; nil where the files cannot be looked at.
func look(l *planner.Lowering, inputs []planner.Input, attrs map[string]any) *graph.Graph {
	files, ok := l.Look(inputs...)
	if !ok {
		return nil
	}
	var p params
	var config, index []byte
	text, err := json.Marshal(attrs)
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	paths := map[string]string{}
	for i, in := range inputs {
		switch {
		case err != nil:
		case in.Name == "config":
			config, err = readSmall(files[i])
		case in.Name == "index":
			index, err = readSmall(files[i])
		default:
			paths[path.Base(in.File)] = files[i]
		}
	}
	if err != nil {
		return nil // the run says what is wrong
	}
	g, err := open(&p, config, paths, index, pretrained.Graph)
	if f := failure(err); f != nil {
		l.Errorf(f.Attr, f.Code, f.Summary, "%s", f.Detail)
		return nil
	}
	return g
}

// most bounds what is read of a configuration or an index.
const most = 64 << 20

func readSmall(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && len(b) > most {
		err = fmt.Errorf("%s has more than %d MB", path.Base(file), most>>20)
	}
	return b, err
}

// noWeights says what to do about a directory without safetensors.
func noWeights(files []any, dir string) string {
	for _, v := range files {
		base := path.Base(path.Clean(v.(string)))
		if strings.HasPrefix(base, "pytorch_model") && strings.HasSuffix(base, ".bin") {
			return fmt.Sprintf("There is %s, but no .safetensors file. The former is a pickle, a program that Python runs to read it, and mbuild does not. Convert it once, with transformers: "+
				"python -c \"from transformers import AutoModel as M; M.from_pretrained('%s').save_pretrained('%s')\" (for a model with a head, its architecture from config.json in the place of AutoModel).", base, dir, dir)
		}
	}
	return fmt.Sprintf("There is no .safetensors file beside %s among %s.", configFile, some(files))
}

// some names files, the first ten of many.
func some(files []any) string {
	var names []string
	for _, f := range files[:min(len(files), 10)] {
		names = append(names, f.(string))
	}
	text := strings.Join(names, ", ")
	if more := len(files) - len(names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// params are those of the action.
type params struct {
	Names      []string `json:"names"`
	Length     int      `json:"length"`
	TokenTypes bool     `json:"token_types"`
	Seed       int64    `json:"seed"`
	Head       *struct {
		Type      string   `json:"type"`
		Outputs   int      `json:"outputs"`
		Pool      string   `json:"pool"`
		Normalize bool     `json:"normalize"`
		Dropout   *float64 `json:"dropout"`
	} `json:"head"`
}

func run(_ context.Context, job *executor.Job) error {
	var p params
	if err := job.Bind(&p); err != nil {
		return err
	}
	paths := map[string]string{}
	for i := 0; job.Has("weights" + strconv.Itoa(i)); i++ {
		in := job.Inputs["weights"+strconv.Itoa(i)]
		name := path.Base(in.Display)
		if i < len(p.Names) {
			name = p.Names[i]
		}
		paths[name] = in.Path
	}
	var index []byte
	if job.Has("index") {
		var err error
		if index, err = os.ReadFile(job.In("index")); err != nil {
			return err
		}
	}
	config, err := os.ReadFile(job.In("config"))
	if err != nil {
		return err
	}
	l, err := open(&p, config, paths, index, pretrained.Load)
	if f := failure(err); f != nil {
		return f
	}
	if len(l.New) > 0 {
		fmt.Fprintf(job.Log, "new, for the files have nothing for them: %s\n", strings.Join(l.New, ", "))
	}
	if len(l.Left) > 0 {
		fmt.Fprintf(job.Log, "left, for the model has no use for them: %s\n", strings.Join(l.Left, ", "))
	}
	job.Metrics["parameters"], job.Metrics["flops"] = float64(l.Model.Info.Parameters), float64(l.Model.Info.FLOPs)
	enc, err := l.Model.Graph.Encode()
	if err != nil {
		return err
	}
	if err := os.WriteFile(job.Out("graph"), enc, 0o644); err != nil {
		return err
	}
	return bundle.Write(job.Out("model"), l.Model)
}

// failure is what an error of reading means for the block.
func failure(err error) *executor.Failure {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pretrained.ErrLength):
		return &executor.Failure{Code: "misfit", Summary: "Longer than the model", Attr: "length", Detail: sentence(err)}
	}
	return &executor.Failure{Code: "bad-model", Summary: "Model cannot be read", Attr: "files", Detail: sentence(err)}
}

// open opens a checkpoint and makes of it what read does.
func open[T any](p *params, config []byte, paths map[string]string, index []byte, read func(*pretrained.Config, *pretrained.Checkpoint, pretrained.Options) (*T, error)) (*T, error) {
	c, err := pretrained.ReadConfig(config)
	if err != nil {
		return nil, err
	}
	ckpt, err := pretrained.Open(paths, index)
	if err != nil {
		return nil, err
	}
	defer ckpt.Close()
	o := pretrained.Options{Length: p.Length, TokenTypes: p.TokenTypes, Seed: p.Seed}
	if h := p.Head; h != nil {
		o.Head = &pretrained.Head{Kind: h.Type, Outputs: h.Outputs, Pool: h.Pool, Normalize: h.Normalize, Dropout: h.Dropout}
	}
	return read(c, ckpt, o)
}

// sentence makes errors that stand on lines of their own one text.
func sentence(err error) string {
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		return err.Error() + "."
	}
	return strings.ReplaceAll(err.Error(), "\n", ".\n") + "."
}
