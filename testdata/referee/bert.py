"""Referee of an exported encoder: ONNX Runtime, which mbuild shares no code with.

Usage: bert.py FLOAT.onnx INT8.onnx MANIFEST.json ROWS.safetensors FLOAT_PREDICTIONS.safetensors INT8_PREDICTIONS.safetensors
The float model gets each row by itself, as long as it is. The int8 model takes one scale for all that it is given, so it is given what
mbuild's is: all rows, which are fewer than go into one computation, padded to a length of the dataset. Prints one JSON object.
"""
import json
import sys

import numpy as np
import onnx
import onnxruntime
from safetensors.numpy import load_file

float_onnx, int8_onnx, manifest, rows, float_pred, int8_pred = sys.argv[1:]
sequence = json.load(open(manifest))["sequences"][0]
data = load_file(rows)
ends, ids = data["sequence/text/ends"], data["sequence/text/ids"]
texts = np.split(ids, ends[:-1])
longest = max(len(t) for t in texts)
length = min(n for n in sequence["lengths"] if n >= longest)
padded = np.full((len(texts), length), sequence.get("pad_id", 0), np.int64)
mask = np.zeros((len(texts), length), np.int64)
for i, t in enumerate(texts):
    padded[i, : len(t)], mask[i, : len(t)] = t, 1


def session(path):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]), sorted({n.op_type for n in model.graph.node})


def run(s, ids, mask):
    kinds = {i.name: np.int64 if "int64" in i.type else np.int32 for i in s.get_inputs()}
    return s.run(None, {"input_ids": ids.astype(kinds["input_ids"]), "attention_mask": mask.astype(kinds["attention_mask"])})[0]


out = {"rows": len(texts), "lengths": sorted({len(t) for t in texts})}
for name, path, pred in (("float", float_onnx, float_pred), ("int8", int8_onnx, int8_pred)):
    s, operators = session(path)
    if name == "float":
        theirs = np.concatenate([run(s, t[None], np.ones((1, len(t)))) for t in texts])
        alike = np.abs(run(s, padded, mask) - theirs).max()
        assert alike < 1e-5 * (1 + np.abs(theirs).max()), f"padding changes the result by {alike}"
    else:
        theirs = run(s, padded, mask)
    ours = load_file(pred)["output"]
    out[name] = {
        "max_diff": float(np.abs(theirs - ours).max()),
        "largest": float(np.abs(ours).max()),
        "agree": float((theirs.argmax(1) == ours.argmax(1)).mean()),
        "operators": operators,
    }
print(json.dumps(out))
