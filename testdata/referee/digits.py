"""Referee of exported models: ONNX Runtime and the safetensors library, which mbuild shares no code with.

Usage: digits.py FLOAT.onnx INT8.onnx WEIGHTS.safetensors ROWS.safetensors FLOAT_PREDICTIONS.safetensors INT8_PREDICTIONS.safetensors
Prints one JSON object.
"""
import json
import sys

import numpy as np
import onnx
import onnxruntime
from safetensors.numpy import load_file

float_onnx, int8_onnx, weights, rows, float_pred, int8_pred = sys.argv[1:]
data = load_file(rows)
x, label = data["features"], data["label"]
out = {"rows": int(len(label))}
for name, path, pred in (("float", float_onnx, float_pred), ("int8", int8_onnx, int8_pred)):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    theirs = session.run(None, {session.get_inputs()[0].name: x})[0]
    ours = load_file(pred)["output"]
    out[name] = {
        "max_diff": float(np.abs(theirs - ours).max()),
        "their_accuracy": float((theirs.argmax(1) == label).mean()),
        "our_accuracy": float((ours.argmax(1) == label).mean()),
        "operators": sorted({n.op_type for n in model.graph.node}),
        "one_row": float(np.abs(session.run(None, {session.get_inputs()[0].name: x[:1]})[0] - ours[:1]).max()),
    }
tensors = load_file(weights)
h = x / 16
for layer in ("hidden1", "hidden2", "logits"):
    h = h @ tensors[layer + ".weight"] + tensors[layer + ".bias"]
    if layer != "logits":
        h = np.maximum(h, 0)
out["safetensors"] = {"names": sorted(tensors), "max_diff": float(np.abs(h - load_file(float_pred)["output"]).max())}
print(json.dumps(out))
