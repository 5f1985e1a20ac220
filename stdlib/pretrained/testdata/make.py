"""Makes the models of this directory: tiny, of random weights, with what the transformers library computes of them.

Usage: make.py DIRECTORY   (transformers 5.23.0, torch 2.15.0)
For each model a directory NAME with config.json and model.safetensors (or shards with an index), and expected.json: input ids, mask and
token types of three rows, padded on the right, and the outputs by name, each with its shape.
"""
import json
import pathlib
import sys

import torch
import transformers as t

LENGTH, VOCABULARY = 10, 40


def models():
    bert = dict(vocab_size=VOCABULARY, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24, max_position_embeddings=12)
    yield "bert", t.BertModel(t.BertConfig(**bert)), {}
    yield "bert_classification", t.BertForSequenceClassification(t.BertConfig(**bert, num_labels=3, hidden_act="gelu_new", layer_norm_eps=1e-5)), {}
    yield "bert_tagging", t.BertForTokenClassification(t.BertConfig(**bert, num_labels=5)), dict(max_shard_size="6KB")
    yield "bert_masked", t.BertForMaskedLM(t.BertConfig(**bert, hidden_act="relu")), {}
    yield "bert_half", t.BertForSequenceClassification(t.BertConfig(**bert)), dict(half=True)
    distil = dict(vocab_size=VOCABULARY, dim=16, n_layers=2, n_heads=4, hidden_dim=24, max_position_embeddings=12)
    yield "distilbert", t.DistilBertModel(t.DistilBertConfig(**distil)), {}
    yield "distilbert_classification", t.DistilBertForSequenceClassification(t.DistilBertConfig(**distil, num_labels=4)), {}
    yield "distilbert_masked", t.DistilBertForMaskedLM(t.DistilBertConfig(**distil)), {}
    roberta = dict(vocab_size=VOCABULARY, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24, max_position_embeddings=14, type_vocab_size=1, pad_token_id=1,
                   bos_token_id=0, eos_token_id=2, layer_norm_eps=1e-5)
    yield "roberta", t.RobertaModel(t.RobertaConfig(**roberta)), {}
    yield "roberta_classification", t.RobertaForSequenceClassification(t.RobertaConfig(**roberta, num_labels=3)), {}
    yield "roberta_masked", t.RobertaForMaskedLM(t.RobertaConfig(**roberta)), {}
    yield "xlm_roberta_tagging", t.XLMRobertaForTokenClassification(t.XLMRobertaConfig(**roberta, num_labels=3)), {}
    gpt = dict(vocab_size=VOCABULARY, n_embd=16, n_layer=2, n_head=2, n_positions=12, bos_token_id=0, eos_token_id=0, pad_token_id=0)
    yield "gpt2", t.GPT2Model(t.GPT2Config(**gpt)), {}
    yield "gpt2_language_model", t.GPT2LMHeadModel(t.GPT2Config(**gpt, n_inner=24)), {}
    yield "gpt2_untied", t.GPT2LMHeadModel(t.GPT2Config(**gpt, tie_word_embeddings=False)), {}
    yield "gpt2_classification", t.GPT2ForSequenceClassification(t.GPT2Config(**gpt, num_labels=3)), {}
    yield "gpt2_tagging", t.GPT2ForTokenClassification(t.GPT2Config(**gpt, num_labels=3)), {}
    yield "distilbert_tagging", t.DistilBertForTokenClassification(t.DistilBertConfig(**distil, num_labels=3)), {}
    yield "roberta_tagging", t.RobertaForTokenClassification(t.RobertaConfig(**roberta, num_labels=2)), {}


def main(directory):
    for number, (name, model, how) in enumerate(models()):
        model.eval()
        g = torch.Generator().manual_seed(number)
        with torch.no_grad():
            for key, p in model.named_parameters():
                noise = torch.randn(p.shape, generator=g) * 0.2
                norm = key.endswith("weight") and p.dim() == 1
                p.copy_(noise + 1 if norm else noise)
        if how.pop("half", False):
            model = model.half().float()  # weights that 16 bits have
        pad = model.config.pad_token_id
        ids = torch.randint(3, VOCABULARY, (3, LENGTH), generator=g)
        mask = torch.ones(3, LENGTH, dtype=torch.long)
        for row, n in enumerate([LENGTH, 6, 3]):
            mask[row, n:], ids[row, n:] = 0, pad
        feed = dict(input_ids=ids, attention_mask=mask)
        types = None
        if model.config.model_type == "bert":
            types = torch.randint(0, 2, (3, LENGTH), generator=g) * mask
            feed["token_type_ids"] = types
        with torch.no_grad():
            runs = {"": model(**feed)}
            if types is not None:
                feed.pop("token_type_ids")
                runs["without_types/"] = model(**feed)
        outputs = {}
        for prefix, out in runs.items():
            for key in ("last_hidden_state", "pooler_output", "logits"):
                v = getattr(out, key, None)
                if v is not None:
                    outputs[prefix + key] = dict(shape=list(v.shape), values=[float(f"{x:.7g}") for x in v.flatten().tolist()])
        d = pathlib.Path(directory) / name
        if name == "bert_half":
            model = model.half()
        model.save_pretrained(d, **how)
        for extra in ("generation_config.json",):
            (d / extra).unlink(missing_ok=True)
        expected = dict(input_ids=ids.tolist(), attention_mask=mask.tolist(), token_type_ids=types.tolist() if types is not None else None, outputs=outputs)
        (d / "expected.json").write_text(json.dumps(expected, separators=(",", ":")) + "\n")


main(sys.argv[1])
