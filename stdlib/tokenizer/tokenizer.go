// Package tokenizer is what the kinds of the family tokenizer share: an action that makes a tokenizer (package token), a directory as
// transformers reads it, and a summary of it.
package tokenizer

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/lang/schema"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/artifact/report"
	"mbuild.dev/mbuild/stdlib/token"
)

// SummaryMediaType is the media type of a Summary.
const SummaryMediaType = "application/vnd.mbuild.tokenizer.summary.v1+json"

// Summary says in short what a tokenizer is.
type Summary struct {
	Model         string            `json:"model"` // WordPiece, BPE, Unigram, WordLevel
	VocabSize     int               `json:"vocab_size"`
	MaxLength     int               `json:"max_length,omitempty"`
	SpecialTokens map[string]string `json:"special_tokens"` // by role; those without one by "special_<id>"
}

// Kind makes a kind of the family.
func Kind(typ string, table *schema.Kind, lower func(*planner.Lowering) hcl.Diagnostics, run func(context.Context, *executor.Job) error) *executor.Kind {
	return &executor.Kind{
		Kind: planner.Kind{
			Family: "tokenizer", Type: typ, Version: table.Version, Schema: table, Determinism: planner.Bitwise, Lower: lower,
			Outputs: []planner.Output{
				{Name: "vocab", Type: "tokenizer", MediaType: token.MediaType, Directory: true},
				{Name: "summary", Type: "summary", MediaType: SummaryMediaType},
			},
		},
		Runs: map[string]executor.Run{"": {Func: run}},
	}
}

// Emit emits the action of a tokenizer and binds what it makes.
func Emit(l *planner.Lowering, params map[string]any, inputs ...planner.Input) {
	a := l.Emit("", planner.Action{Params: params, Inputs: inputs, Outputs: []planner.OutputDecl{
		{Name: "vocab", MediaType: token.MediaType, Directory: true}, {Name: "summary", MediaType: SummaryMediaType}}})
	l.Bind("vocab", a, "vocab")
	l.Bind("summary", a, "summary")
}

// LowerTrained lowers a tokenizer that is trained on a dataset.
func LowerTrained(l *planner.Lowering) hcl.Diagnostics {
	if in, ok := l.Input("data", "data"); ok {
		Emit(l, l.Params("data"), in)
	}
	return l.Diagnostics()
}

// Finish writes the outputs of a job.
func Finish(job *executor.Job, t *token.Tokenizer) error {
	if err := t.Write(job.Out("vocab")); err != nil {
		return err
	}
	s := Summary{Model: t.Model(), VocabSize: t.VocabSize(), MaxLength: t.MaxLength, SpecialTokens: map[string]string{}}
	has := map[string]bool{}
	for role, text := range t.Roles {
		s.SpecialTokens[role], has[text] = text, true
	}
	for _, id := range t.SpecialIDs() {
		if text, _ := t.Token(int32(id)); !has[text] {
			s.SpecialTokens["special_"+strconv.Itoa(id)] = text
		}
	}
	job.Metrics["vocab_size"], job.Metrics["special_tokens"] = float64(t.VocabSize()), float64(len(t.SpecialIDs()))
	return report.Write(job.Out("summary"), s)
}

// Training is what the kinds that train have in common.
type Training struct {
	Columns   []string `json:"columns"`
	Split     string   `json:"split"`
	MaxLength int      `json:"max_length"`
}

// Train trains on the texts of a dataset and finishes the job.
func Train(ctx context.Context, job *executor.Job, tr Training, o token.TrainOptions) error {
	t, err := token.NewTrainer(o)
	if err != nil {
		return misfit("special_tokens", "Special token", "%v.", err)
	}
	texts, err := addTexts(ctx, job, tr, t)
	if err != nil {
		return err
	}
	tok, err := t.Train(ctx, func(n int) { job.Progress(int64(n), int64(o.VocabSize), nil) })
	var small *token.TooSmall
	if errors.As(err, &small) {
		return misfit("vocab_size", "Vocabulary too small", "vocab_size is %d, and special tokens and the characters of the texts are %d already. Raise it.", small.Size, small.Needed)
	}
	if err != nil {
		return err
	}
	if n := tok.VocabSize(); n < o.VocabSize {
		fmt.Fprintf(job.Log, "warning: the vocabulary has %d tokens, not %d: no more pairs of tokens occur %d times in %d texts\n", n, o.VocabSize, max(o.MinFrequency, 1), texts)
	}
	tok.MaxLength = tr.MaxLength
	job.Metrics["texts"] = float64(texts)
	return Finish(job, tok)
}

func misfit(attr, summary, format string, args ...any) error {
	return &executor.Failure{Code: "misfit", Attr: attr, Summary: summary, Detail: fmt.Sprintf(format, args...)}
}

// addTexts gives the texts of a dataset to a trainer, and says how many there were.
func addTexts(ctx context.Context, job *executor.Job, tr Training, t *token.Trainer) (int, error) {
	m, err := dataset.ReadManifest(job.In("data"))
	if err != nil {
		return 0, err
	}
	columns, err := Columns(m, tr.Columns, "data", "columns")
	if err != nil {
		return 0, err
	}
	d, release, err := dataset.Map(job.In("data"), m, tr.Split)
	var none *dataset.ErrNoSplit
	if errors.As(err, &none) {
		return 0, misfit("split", "No such split", "%v.", err)
	}
	if err != nil {
		return 0, err
	}
	defer release()
	texts := 0
	for _, c := range columns {
		col := d.Texts[c]
		for i := range col.Ends {
			if i%4096 == 0 && ctx.Err() != nil {
				return 0, ctx.Err()
			}
			if s := col.At(i); strings.TrimSpace(s) != "" {
				t.Add(s)
				texts++
			}
		}
	}
	if texts == 0 {
		return 0, &executor.Failure{Code: "empty-file", Attr: "data", Summary: "No text", Detail: fmt.Sprintf("Split %q of the dataset has no text in %s to learn a vocabulary from.", tr.Split, schema.Words(columns))}
	}
	return texts, nil
}

// Columns are the text columns of a dataset, the attribute data, that the attribute attr lists, or the only one where it lists none.
func Columns(m *dataset.Manifest, want []string, data, attr string) ([]string, error) {
	var have []string
	for _, c := range m.Columns {
		have = append(have, c.Name)
	}
	switch {
	case len(have) == 0:
		return nil, misfit(data, "No text", "The dataset has no column of text. List the columns under text in its block (dataset csv, jsonl, parquet), or take a dataset of kind text or conll.")
	case len(want) == 0 && len(have) > 1:
		return nil, misfit("", "Which text", "The dataset has %d columns of text, %s. Say in %s which to take.", len(have), schema.Words(have), attr)
	case len(want) == 0:
		return have, nil
	}
	for _, w := range want {
		found := false
		for _, h := range have {
			found = found || h == w
		}
		if !found {
			hint := ""
			if near := schema.Nearest(w, have); near != "" {
				hint = fmt.Sprintf("Did you mean %q? ", near)
			}
			return nil, &executor.Failure{Code: "unknown-column", Attr: attr, Summary: "Unknown column", Detail: fmt.Sprintf("The dataset has no column of text %q. %sIt has %s.", w, hint, schema.Words(have))}
		}
	}
	return want, nil
}
