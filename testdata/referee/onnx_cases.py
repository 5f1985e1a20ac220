"""Referee of the ONNX lowering: the ONNX checker and ONNX Runtime, which mbuild shares no code with.

Usage: onnx_cases.py DIRECTORY
The directory has one directory a case: model.onnx, and for each number of rows N a pair in-N.safetensors (inputs by name) and
out-N.safetensors (outputs by name, as mbuild computes them). Prints one JSON object, by case.
"""
import json
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime
from safetensors.numpy import load_file

result = {}
for case in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    model = onnx.load(case / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(case / "model.onnx", providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    rows = {}
    for path in sorted(case.glob("in-*.safetensors")):
        ours = load_file(path.with_name(path.name.replace("in-", "out-")))
        theirs = dict(zip(names, session.run(names, load_file(path))))
        assert set(ours) == set(theirs), (case.name, set(ours), set(theirs))
        for name in names:
            assert ours[name].shape == theirs[name].shape, (case.name, name, ours[name].shape, theirs[name].shape)
            assert np.isfinite(theirs[name]).all() and np.isfinite(ours[name]).all(), (case.name, name)
        rows[path.stem[3:]] = {
            "max_diff": max(float(np.abs(ours[n] - theirs[n]).max()) for n in names),
            "max_value": max(float(np.abs(theirs[n]).max()) for n in names),
            "moved": max(float((np.abs(ours[n] - theirs[n]) > 1e-5 * np.maximum(1, np.abs(theirs[n]))).mean()) for n in names),
        }
    result[case.name] = {
        "rows": rows,
        "opset": [(o.domain, o.version) for o in model.opset_import],
        "metadata": {p.key: p.value for p in model.metadata_props},
        "dimensions": [i.shape for i in session.get_inputs()],
    }
print(json.dumps(result))
