"""Referee of the safetensors codec: the format's own library.

Usage: safetensors_files.py OURS THEIRS
Reads OURS, writes the same tensors and metadata to THEIRS, and prints one JSON object: what it read.
"""
import json
import sys

from safetensors import safe_open
from safetensors.numpy import load_file, save_file

ours, theirs = sys.argv[1:]
tensors = load_file(ours)
with safe_open(ours, framework="np") as f:
    metadata = f.metadata()
save_file(tensors, theirs, metadata=metadata)
print(json.dumps({
    "metadata": metadata,
    "tensors": {k: {"dtype": str(v.dtype), "shape": list(v.shape), "values": v.astype("float64").ravel().tolist()} for k, v in tensors.items()},
}))
