"""Referee of an exported convolutional network: ONNX Runtime, which mbuild shares no code with.

Usage: fashion.py FLOAT.onnx INT8.onnx ROWS.safetensors FLOAT_PREDICTIONS.safetensors INT8_PREDICTIONS.safetensors CHUNK
Rows are given CHUNK at a time, for a model that is quantised as it goes takes one scale for all that it is given. Prints one JSON object.
"""
import json
import sys

import numpy as np
import onnx
import onnxruntime
from safetensors.numpy import load_file

float_onnx, int8_onnx, rows, float_pred, int8_pred, chunk = sys.argv[1:]
data = load_file(rows)
x, label = data["pixels"].astype(np.float32), data["label"]
out = {"rows": int(len(label))}
for name, path, pred in (("float", float_onnx, float_pred), ("int8", int8_onnx, int8_pred)):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    n = int(chunk)
    theirs = np.concatenate([session.run(None, {session.get_inputs()[0].name: x[i:i + n]})[0] for i in range(0, len(x), n)])
    ours = load_file(pred)["output"]
    out[name] = {
        "max_diff": float(np.abs(theirs - ours).max()),
        "largest": float(np.abs(ours).max()),
        "agree": float((theirs.argmax(1) == ours.argmax(1)).mean()),
        "operators": sorted({n.op_type for n in model.graph.node}),
    }
print(json.dumps(out))
