// Package stdlib is the table of all kinds: what `dataset csv`, `train supervised` and the rest are. A kind lives in a folder
// of its own, stdlib/<family>/<type>, and is here by one line.
package stdlib

import (
	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/stdlib/dataset/conll"
	"mbuild.dev/mbuild/stdlib/dataset/csv"
	"mbuild.dev/mbuild/stdlib/dataset/idx"
	"mbuild.dev/mbuild/stdlib/dataset/images"
	"mbuild.dev/mbuild/stdlib/dataset/jsonl"
	"mbuild.dev/mbuild/stdlib/dataset/npz"
	"mbuild.dev/mbuild/stdlib/dataset/parquet"
	"mbuild.dev/mbuild/stdlib/dataset/synthetic"
	"mbuild.dev/mbuild/stdlib/dataset/text"
	"mbuild.dev/mbuild/stdlib/dataset/tokenized"
	"mbuild.dev/mbuild/stdlib/eval/classification"
	languagemodel "mbuild.dev/mbuild/stdlib/eval/language_model"
	"mbuild.dev/mbuild/stdlib/eval/ranking"
	"mbuild.dev/mbuild/stdlib/eval/regression"
	"mbuild.dev/mbuild/stdlib/eval/similarity"
	"mbuild.dev/mbuild/stdlib/eval/tagging"
	"mbuild.dev/mbuild/stdlib/model/layers"
	modelonnx "mbuild.dev/mbuild/stdlib/model/onnx"
	"mbuild.dev/mbuild/stdlib/model/peft"
	"mbuild.dev/mbuild/stdlib/model/pretrained"
	"mbuild.dev/mbuild/stdlib/pass/cast"
	droplayers "mbuild.dev/mbuild/stdlib/pass/drop_layers"
	"mbuild.dev/mbuild/stdlib/pass/fold"
	"mbuild.dev/mbuild/stdlib/pass/merge"
	"mbuild.dev/mbuild/stdlib/pass/prune"
	prunechannels "mbuild.dev/mbuild/stdlib/pass/prune_channels"
	"mbuild.dev/mbuild/stdlib/pass/quantize"
	"mbuild.dev/mbuild/stdlib/step/exec"
	"mbuild.dev/mbuild/stdlib/step/template"
	hftokenizer "mbuild.dev/mbuild/stdlib/target/hf_tokenizer"
	"mbuild.dev/mbuild/stdlib/target/huggingface"
	"mbuild.dev/mbuild/stdlib/target/onnx"
	targetpeft "mbuild.dev/mbuild/stdlib/target/peft"
	"mbuild.dev/mbuild/stdlib/target/safetensors"
	"mbuild.dev/mbuild/stdlib/tokenizer/bpe"
	pretrainedtokenizer "mbuild.dev/mbuild/stdlib/tokenizer/pretrained"
	"mbuild.dev/mbuild/stdlib/tokenizer/wordpiece"
	"mbuild.dev/mbuild/stdlib/train/adapter"
	"mbuild.dev/mbuild/stdlib/train/distill"
	"mbuild.dev/mbuild/stdlib/train/lora"
	"mbuild.dev/mbuild/stdlib/train/pretrain"
	"mbuild.dev/mbuild/stdlib/train/supervised"
)

// Kinds is the table.
func Kinds() []*executor.Kind {
	return []*executor.Kind{
		csv.Kind,
		idx.Kind,
		images.Kind,
		npz.Kind,
		parquet.Kind,
		jsonl.Kind,
		text.Kind,
		conll.Kind,
		synthetic.Kind,
		wordpiece.Kind,
		bpe.Kind,
		pretrainedtokenizer.Kind,
		tokenized.Kind,
		layers.Kind,
		pretrained.Kind,
		modelonnx.Kind,
		peft.Kind,
		pretrain.Kind,
		supervised.Kind,
		lora.Kind,
		adapter.Kind,
		distill.Kind,
		prune.Kind,
		prunechannels.Kind,
		droplayers.Kind,
		fold.Kind,
		merge.Kind,
		quantize.Kind,
		cast.Kind,
		classification.Kind,
		regression.Kind,
		similarity.Kind,
		tagging.Kind,
		ranking.Kind,
		languagemodel.Kind,
		safetensors.Kind,
		onnx.Kind,
		hftokenizer.Kind,
		huggingface.Kind,
		targetpeft.Kind,
		template.Kind,
		exec.Kind,
	}
}
