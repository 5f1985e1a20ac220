"""Writes the tables beside it and what is in them as JSON. PyArrow 26.0.1."""
import datetime
import decimal
import json
import os
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

os.chdir(os.path.dirname(os.path.abspath(__file__)))
rng = np.random.default_rng(8)
n = 200
types = {"i8": pa.int8(), "i16": pa.int16(), "i32": pa.int32(), "i64": pa.int64(), "u8": pa.uint8(), "u16": pa.uint16(), "u32": pa.uint32(),
         "u64": pa.uint64(), "f32": pa.float32(), "f64": pa.float64(), "b": pa.bool_()}
cols, want = {}, {}
for k, t in types.items():
    v = rng.integers(0 if k[0] in "ub" else -100, 2 if k == "b" else 100, n)
    if k == "u32":
        v = v + 2**31
    if k == "u64":
        v = [int(x) + 2**63 for x in v]
    if k[0] == "f":
        v = v / 7
    cols[k] = pa.array([bool(x) if k == "b" else x for x in v], type=t)
    want[k] = [float(np.float32(float(x))) for x in cols[k].to_pylist()]
words = ["yes", "nö", "", "a\0b", "日本"]
cols["s"] = pa.array([words[i % 5] for i in range(n)])
cols["large"] = pa.array([f"line {i} " + "x" * (i % 50) for i in range(n)], type=pa.large_string())
cols["dict"] = pa.array([words[i % 2] for i in range(n)]).dictionary_encode()
for k in ["s", "large", "dict"]:
    want[k] = cols[k].to_pylist()
for name, kw in {"snappy": dict(compression="snappy", row_group_size=70), "zstd": dict(compression="zstd", use_dictionary=False, data_page_version="2.0", data_page_size=500),
                 "none": dict(compression="none", data_page_size=300), "gzip": dict(compression="gzip", column_encoding={"i64": "DELTA_BINARY_PACKED", "large": "DELTA_BYTE_ARRAY", "f64": "BYTE_STREAM_SPLIT"}, use_dictionary=["s"])}.items():
    pq.write_table(pa.table(cols), name + ".parquet", **kw)
odd = {
    "x": pa.array([1.5, None, 3.5]), "y": pa.array(["a", "b", None]), "ok": pa.array([1, 2, 3]), "nan": pa.array([0, float("nan"), 1]),
    "list": pa.array([[1], [2, 3], []]), "struct": pa.array([{"a": 1}] * 3), "date": pa.array([datetime.date(2020, 1, 1)] * 3),
    "time": pa.array([datetime.datetime(2020, 1, 1)] * 3), "dec": pa.array([decimal.Decimal("1.50")] * 3), "half": pa.array(np.array([1, 2, 3], dtype=np.float16)),
    "fixed": pa.array([b"abc"] * 3, type=pa.binary(3)), "bin": pa.array([b"ab", b"\xff\xfe", b""]), "map": pa.array([[("k", 1)]] * 3, type=pa.map_(pa.string(), pa.int64())),
}
pq.write_table(pa.table(odd), "odd.parquet")
pq.write_table(pa.table({"x": pa.array([], type=pa.float64())}), "empty.parquet")
with open("want.json", "w") as f:
    json.dump(want, f)
