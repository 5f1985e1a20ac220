"""Makes ONNX files as torch exports them, with what torch computes: make.py DIRECTORY (torch 2.15.0, transformers 5.23.0)

NAME.onnx and NAME.json: inputs and outputs by name, as lists.
"""
import json
import pathlib
import sys

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


def main(directory):
    for number, (name, model, feed, axes, how) in enumerate(models()):
        model.eval()
        g = torch.Generator().manual_seed(number)
        with torch.no_grad():
            for key, p in list(model.named_parameters()) + list(model.named_buffers()):
                if p.is_floating_point():
                    noise = torch.randn(p.shape, generator=g) * 0.2
                    p.copy_(noise.abs() + 0.5 if "var" in key else noise + (1 if key.endswith("weight") and p.dim() == 1 else 0))
            if hasattr(model, "config"):
                model.config.return_dict = False
            out = model(**feed) if hasattr(model, "config") else model(*feed.values())
        outs = list(out) if isinstance(out, (tuple, list)) else [out]
        names = [f"output{i}" for i in range(len(outs))]
        axes = dict(axes) or {k: {0: "batch"} for k in feed}
        path = pathlib.Path(directory) / f"{name}.onnx"
        torch.onnx.export(model, tuple(feed.values()), str(path), input_names=list(feed), output_names=names, dynamic_axes=axes, dynamo=False, **{"opset_version": 18, **how})
        flat = lambda x: dict(shape=list(x.shape), values=x.flatten().tolist())
        path.with_suffix(".json").write_text(json.dumps(dict(inputs={k: flat(v) for k, v in feed.items()}, outputs=dict(zip(names, map(flat, outs))))))


main(sys.argv[1])
