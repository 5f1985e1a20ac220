"""Makes ONNX files as torch exports them, with what torch computes: make.py DIRECTORY [NAME..] (torch 2.15.0, transformers 5.23.0, onnxscript 0.7.2)

NAME.onnx and NAME.json: inputs and outputs by name, as lists.
"""
import json
import pathlib
import sys

import onnx
import torch
import transformers as t
from torch import nn


def models():
    yield "mlp", nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 8, bias=False), nn.Tanh(), nn.Linear(8, 3)), {"x": torch.randn(4, 6)}, {}, {}
    yield "cnn", nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 6, 3, stride=2, groups=2), nn.GELU(), nn.Flatten(), nn.Dropout(0.5), nn.Linear(6 * 3 * 2, 5), nn.Softmax(1)
    ), {"image": torch.randn(3, 2, 14, 10)}, {}, {}
    yield "pooled", nn.Sequential(nn.Conv2d(3, 4, 1), nn.SiLU(), nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)), {"image": torch.randn(2, 3, 8, 6)}, {}, {}
    small = dict(vocab_size=40, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24, max_position_embeddings=12)
    ids = torch.randint(3, 40, (3, 10))
    mask = torch.ones(3, 10, dtype=torch.long)
    for row, n in enumerate([10, 6, 3]):
        mask[row, n:], ids[row, n:] = 0, 0
    feed = {"input_ids": ids, "attention_mask": mask}
    axes = {k: {0: "batch", 1: "sequence"} for k in feed}
    yield "bert_eager", t.BertForSequenceClassification(t.BertConfig(**small, num_labels=3, attn_implementation="eager")), feed, axes, {}
    yield "bert_sdpa", t.BertForTokenClassification(t.BertConfig(**small, num_labels=5)), feed, axes, {}
    distil = dict(vocab_size=40, dim=16, n_layers=2, n_heads=4, hidden_dim=24, max_position_embeddings=12)
    yield "distilbert", t.DistilBertForSequenceClassification(t.DistilBertConfig(**distil, num_labels=4)), feed, axes, {}
    yield "bert_old", t.BertForSequenceClassification(t.BertConfig(**small, num_labels=2, hidden_act="gelu_new", attn_implementation="eager")), feed, axes, {"opset_version": 14}
    tokens = {"input_ids": ids}
    gpt = dict(vocab_size=40, n_positions=12, n_embd=16, n_layer=2, n_head=2)
    llama = {**small, "num_key_value_heads": 2}
    yield "gpt2", Logits(t.GPT2LMHeadModel(t.GPT2Config(**gpt, use_cache=False))), feed, axes, {}
    yield "gpt2_dynamo", Logits(t.GPT2LMHeadModel(t.GPT2Config(**gpt, use_cache=False))), feed, axes, {"dynamo": True}
    yield "llama", Logits(t.LlamaForCausalLM(t.LlamaConfig(**llama, use_cache=False))), feed, axes, {}
    yield "llama_dynamo", Logits(t.LlamaForCausalLM(t.LlamaConfig(**llama, use_cache=False))), feed, axes, {"dynamo": True}
    yield "roberta", Logits(t.RobertaForSequenceClassification(t.RobertaConfig(**small, num_labels=3, pad_token_id=0))), feed, axes, {}
    yield "lstm", Recurrent(nn.LSTM), tokens, {"input_ids": {0: "batch"}}, {}
    yield "gru_dynamo", Recurrent(nn.GRU), tokens, {"input_ids": {0: "batch"}}, {"dynamo": True}
    yield "encoder_dynamo", Encoder(), tokens, {"input_ids": {0: "batch"}}, {"dynamo": True}


class Logits(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, input_ids, attention_mask):
        return self.inner(input_ids=input_ids, attention_mask=attention_mask, return_dict=False)[0]


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.embed, self.inner, self.out = nn.Embedding(40, 8), kind(8, 6, batch_first=True, bidirectional=True), nn.Linear(12, 3)

    def forward(self, input_ids):
        return self.out(self.inner(self.embed(input_ids))[0])


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.inner, self.out = nn.Embedding(40, 16), nn.TransformerEncoderLayer(16, 2, 24, batch_first=True, activation="gelu"), nn.Linear(16, 3)

    def forward(self, input_ids):
        return self.out(self.inner(self.embed(input_ids)).mean(1))


def main(directory, *only):
    for number, (name, model, feed, axes, how) in enumerate(models()):
        if only and name not in only:
            continue
        model.eval()
        g = torch.Generator().manual_seed(number)
        with torch.no_grad():
            for key, p in list(model.named_parameters()) + list(model.named_buffers()):
                if p.is_floating_point() and "inv_freq" not in key:
                    noise = torch.randn(p.shape, generator=g) * 0.2
                    p.copy_(noise.abs() + 0.5 if "var" in key else noise + (1 if key.endswith("weight") and p.dim() == 1 else 0))
            if hasattr(model, "config"):
                model.config.return_dict = False
            out = model(**feed) if hasattr(model, "config") else model(*feed.values())
        outs = list(out) if isinstance(out, (tuple, list)) else [out]
        names = [f"output{i}" for i in range(len(outs))]
        axes = dict(axes) or {k: {0: "batch"} for k in feed}
        path = pathlib.Path(directory) / f"{name}.onnx"
        if how.get("dynamo"):
            shapes = {k: {0: torch.export.Dim("batch")} for k in feed}
            torch.onnx.export(model, (), str(path), kwargs=feed, output_names=names, dynamic_shapes=shapes, dynamo=True, external_data=False, verbose=False)
            file = onnx.load(path)
            for part in [file.graph, *file.graph.node, *file.graph.value_info, *file.graph.initializer]:
                del part.metadata_props[:]  # where in Python each came from, most of the file
            onnx.save(file, path)
        else:
            torch.onnx.export(model, tuple(feed.values()), str(path), input_names=list(feed), output_names=names, dynamic_axes=axes, dynamo=False, **{"opset_version": 18, **how})
        flat = lambda x: dict(shape=list(x.shape), values=x.flatten().tolist())
        path.with_suffix(".json").write_text(json.dumps(dict(inputs={k: flat(v) for k, v in feed.items()}, outputs=dict(zip(names, map(flat, outs))))))


main(*sys.argv[1:])
