# tokenizers_encode.py REQUEST: the tokenizers library encodes texts. REQUEST is a JSON file: {"file": tokenizer.json, "texts": [...], "pairs": [[a, b], ...],
# "words": [[...], ...]}. Prints {"texts": [{"ids", "offsets", "types", "decoded", "raw"}, ...], "pairs": ..., "words": ...}.
import json
import sys

from tokenizers import Tokenizer

request = json.load(open(sys.argv[1], encoding="utf-8"))
t = Tokenizer.from_file(request["file"])
t.no_padding()
t.no_truncation()


def show(e):
    return {"ids": e.ids, "offsets": e.offsets, "types": e.type_ids, "words": [-1 if w is None else w for w in e.word_ids],
            "decoded": t.decode(e.ids, skip_special_tokens=True), "raw": t.decode(e.ids, skip_special_tokens=False)}


json.dump({
    "texts": [show(t.encode(s)) for s in request.get("texts") or []],
    "pairs": [show(t.encode(a, b)) for a, b in request.get("pairs") or []],
    "words": [show(t.encode(w, is_pretokenized=True)) for w in request.get("words") or []],
    "vocab_size": t.get_vocab_size(with_added_tokens=True),
}, sys.stdout)
