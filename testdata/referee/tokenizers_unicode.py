# tokenizers_unicode.py REQUEST: the tokenizers library normalizes and cuts texts. REQUEST is a JSON file: {"texts": [...], "normalizers": [...], "pre_tokenizers": [...]},
# where parts are as in tokenizer.json. Prints {"normalizers": [[text, ...], ...], "pre_tokenizers": [[[word, ...], ...], ...]}.
import json
import sys

from tokenizers import Tokenizer

request = json.load(open(sys.argv[1], encoding="utf-8"))


def tokenizer(**parts):
    file = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None, "pre_tokenizer": None, "post_processor": None,
            "decoder": None, "model": {"type": "WordLevel", "vocab": {"[UNK]": 0}, "unk_token": "[UNK]"}}
    return Tokenizer.from_str(json.dumps({**file, **parts}))


out = {"normalizers": [], "pre_tokenizers": []}
for n in request["normalizers"]:
    t = tokenizer(normalizer=n)
    out["normalizers"].append([t.normalizer.normalize_str(s) for s in request["texts"]])
for p in request["pre_tokenizers"]:
    t = tokenizer(pre_tokenizer=p)
    out["pre_tokenizers"].append([[w for w, _ in t.pre_tokenizer.pre_tokenize_str(s)] for s in request["texts"]])
json.dump(out, sys.stdout)
