"""Writes the archives beside it and what is in them as JSON: row-major float32 values of each array. NumPy 2.4.6."""
import json
import os
import numpy as np

os.chdir(os.path.dirname(os.path.abspath(__file__)))
rng = np.random.default_rng(7)
arrays, want = {}, {}
for t in ["<f2", "<f4", "<f8", ">f4", ">f2", "i1", "<i2", ">i2", "<i4", "<i8", ">i8", "u1", "<u2", "<u4", "<u8", "?"]:
    a = rng.integers(-100, 100, (5, 2, 3))
    if np.dtype(t).kind in "ub":
        a = abs(a)
    if np.dtype(t).kind == "f":
        a = a / 7
    a = a.astype(t)
    for order in "CF":
        name = np.dtype(t).str.strip("|").replace("<", "le_").replace(">", "be_") + "_" + order
        arrays[name] = np.asarray(a, order=order)
        want[name] = [float(x) for x in a.astype(np.float32).ravel()]
arrays["half"] = np.array([[0.0], [6e-8], [-6.1e-5], [65504], [1.5]], dtype="<f2")
want["half"] = [float(x) for x in arrays["half"].astype(np.float32).ravel()]
arrays["wide_F"] = np.asfortranarray(rng.integers(0, 200, (5, 4, 3, 2)).astype("<i4"))
want["wide_F"] = [float(x) for x in arrays["wide_F"].ravel()]
arrays["column"] = np.array([2, 0, 1, 1, 0], dtype="<i8")
arrays["names"] = np.array(["cat", "dög", "cat", "a b", "dög"])
arrays["bytes"] = np.array([b"x", b"yy", b"x", b"x", b"yy"])
arrays["numbers"] = np.array([[0.5], [1.5], [-2], [3], [4]])
arrays["objects"] = np.array([1, "a", None, 2, 3], dtype=object)
arrays["structs"] = np.zeros(5, dtype=[("a", "<f4"), ("b", "<i4")])
arrays["nan"] = np.array([0, 1, np.nan, 3, 4], dtype="<f4")
arrays["four"] = np.zeros((4, 2))
arrays["none"] = np.zeros((0, 2))
arrays["scalar"] = np.float32(1)
arrays["complex"] = np.zeros(5, dtype="c16")
arrays["times"] = np.zeros(5, dtype="M8[s]")
np.savez_compressed("cases.npz", **arrays)
np.savez("stored.npz", x=arrays["le_f4_C"], y=arrays["column"])
with open("version2.npz", "wb") as f:
    import io, zipfile
    z = zipfile.ZipFile(f, "w")
    for v in [(2, 0), (3, 0)]:
        b = io.BytesIO()
        np.lib.format.write_array(b, arrays["le_f4_F"], version=v)
        z.writestr(f"v{v[0]}.npy", b.getvalue())
    z.close()
with open("want.json", "w") as f:
    json.dump(want, f)
