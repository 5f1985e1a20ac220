// Package wordpiece is the kind `tokenizer wordpiece`: the tokenizer of BERT, trained on text.
package wordpiece

import (
	"context"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/stdlib/token"
	"mbuild.dev/mbuild/stdlib/tokenizer"
)

// Kind is tokenizer.wordpiece.
var Kind = tokenizer.Kind("wordpiece", Schema, tokenizer.LowerTrained, run)

func run(ctx context.Context, job *executor.Job) error {
	var p struct {
		tokenizer.Training
		VocabSize     int      `json:"vocab_size"`
		MinFrequency  int      `json:"min_frequency"`
		LimitAlphabet int      `json:"limit_alphabet"`
		Lowercase     bool     `json:"lowercase"`
		StripAccents  *bool    `json:"strip_accents"`
		SplitChinese  bool     `json:"split_chinese"`
		Special       []string `json:"special_tokens"`
	}
	if err := job.Bind(&p); err != nil {
		return err
	}
	o := token.TrainOptions{Model: "WordPiece", VocabSize: p.VocabSize, MinFrequency: p.MinFrequency, LimitAlphabet: p.LimitAlphabet,
		Lowercase: p.Lowercase, StripAccents: p.Lowercase, Han: p.SplitChinese, Special: p.Special}
	if p.StripAccents != nil {
		o.StripAccents = *p.StripAccents
	}
	return tokenizer.Train(ctx, job, p.Training, o)
}
