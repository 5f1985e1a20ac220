// Package bpe is the kind `tokenizer bpe`: a byte-level tokenizer, trained on text.
package bpe

import (
	"context"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/stdlib/token"
	"mbuild.dev/mbuild/stdlib/tokenizer"
)

// Kind is tokenizer.bpe.
var Kind = tokenizer.Kind("bpe", Schema, tokenizer.LowerTrained, run)

func run(ctx context.Context, job *executor.Job) error {
	var p struct {
		tokenizer.Training
		VocabSize    int      `json:"vocab_size"`
		MinFrequency int      `json:"min_frequency"`
		Normalize    string   `json:"normalize"`
		Template     string   `json:"template"`
		Special      []string `json:"special_tokens"`
	}
	if err := job.Bind(&p); err != nil {
		return err
	}
	o := token.TrainOptions{Model: "BPE", VocabSize: p.VocabSize, MinFrequency: p.MinFrequency, Template: p.Template, Special: p.Special}
	if p.Normalize != "none" {
		o.Normalize = p.Normalize
	}
	return tokenizer.Train(ctx, job, p.Training, o)
}
