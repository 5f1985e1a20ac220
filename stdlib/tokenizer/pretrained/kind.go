// Package pretrained is the kind `tokenizer pretrained`: a tokenizer that others made.
package pretrained

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/token"
	"mbuild.dev/mbuild/stdlib/tokenizer"
)

// Kind is tokenizer.pretrained.
var Kind = external(tokenizer.Kind("pretrained", Schema, lowerBlock, run))

func external(k *executor.Kind) *executor.Kind {
	k.External = true
	return k
}

// maxFile bounds a file of a tokenizer: the largest there are have some 50 MB.
const maxFile = 512 << 20

// settingsFiles are the files beside the tokenizer, by attribute; what the last says holds.
var settingsFiles = []string{"special_tokens_map", "config"}

func lowerBlock(l *planner.Lowering) hcl.Diagnostics {
	file, _ := l.Attr("file").(string)
	if l.Attr("lowercase") != nil && !strings.HasSuffix(file, ".txt") {
		l.Errorf("lowercase", "conflict", "Lower case of a tokenizer", "lowercase is for a vocab.txt, which says nothing of it; %q has its own normalizer. Remove lowercase.", path.Base(file))
	}
	inputs := []planner.Input{l.File("file", file, "file")}
	for _, attr := range settingsFiles {
		if f, ok := l.Attr(attr).(string); ok {
			inputs = append(inputs, l.File(attr, f, attr))
		}
	}
	params := l.Params("file", "config", "special_tokens_map")
	params["format"] = formatOf(file)
	tokenizer.Emit(l, params, inputs...)
	return l.Diagnostics()
}

// formatOf is the format of a file by its name.
func formatOf(name string) string {
	switch strings.ToLower(path.Ext(name)) {
	case ".txt":
		return "vocab"
	case ".model", ".spm":
		return "sentencepiece"
	}
	return "json"
}

func run(_ context.Context, job *executor.Job) error {
	settings := map[string]*token.Settings{}
	var lower *bool
	for _, name := range settingsFiles {
		if !job.Has(name) {
			continue
		}
		b, err := read(job.Inputs[name])
		if err != nil {
			return err
		}
		s, err := token.ReadSettings(b)
		if err != nil {
			return bad(name, "%s: %v.", job.Inputs[name].Display, err)
		}
		settings[name], lower = s, s.Lowercase
	}
	if v, ok := job.Params["lowercase"].(bool); ok {
		lower = &v
	}
	in := job.Inputs["file"]
	b, err := read(in)
	if err != nil {
		return err
	}
	t, err := open(b, job.Params["format"], lower)
	if err != nil {
		return bad("file", "%s.", inFile(in.Display, err))
	}
	for _, name := range settingsFiles {
		if s := settings[name]; s != nil {
			if err := t.Configure(s); err != nil {
				return bad(name, "%s: %v. Are the files of one model?", job.Inputs[name].Display, err)
			}
		}
	}
	return tokenizer.Finish(job, t)
}

// inFile puts the name of a file before an error, unless the error begins with it.
func inFile(display string, err error) string {
	if rest, ok := strings.CutPrefix(err.Error(), path.Base(display)); ok {
		return display + rest
	}
	return fmt.Sprintf("%s: %v", display, err)
}

func open(b []byte, format any, lower *bool) (*token.Tokenizer, error) {
	switch format {
	case "vocab":
		return token.FromVocab(b, lower == nil || *lower)
	case "sentencepiece":
		return token.ReadSentencePiece(b)
	}
	if bytes.HasPrefix(b, []byte("version https://git-lfs")) {
		return nil, errors.New("it is a pointer of Git LFS, not the file itself: run git lfs pull")
	}
	return token.Read(b)
}

func read(in executor.JobInput) ([]byte, error) {
	f, err := os.Open(in.Path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = bad("file", "%s has more than %d MB; it is no file of a tokenizer.", in.Display, maxFile>>20)
	}
	return b, err
}

func bad(attr, format string, args ...any) error {
	return &executor.Failure{Code: "bad-tokenizer", Attr: attr, Summary: "Tokenizer cannot be read", Detail: fmt.Sprintf(format, args...)}
}
