# tokenizers_train.py CORPUS OUT MODEL SIZE: the tokenizers library trains a tokenizer on the lines of a file. MODEL is wordpiece, bpe, unigram or sentencepiece-unigram,
# sentencepiece-bpe (by the sentencepiece library; OUT.model and, as it was trained, what it encodes the corpus to in OUT.json).
import json
import sys

corpus, out, model, size = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
lines = open(corpus, encoding="utf-8", newline="\n").read().split("\n")

if model.startswith("sentencepiece"):
    import sentencepiece

    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(lines), model_prefix=out, vocab_size=size, model_type=model.split("-")[1],
                                             byte_fallback=model.endswith("bpe"), hard_vocab_limit=False, minloglevel=2, num_threads=1)
    p = sentencepiece.SentencePieceProcessor(model_file=out + ".model")
    json.dump([p.encode(s) for s in lines], open(out + ".json", "w"))
    sys.exit()

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

if model == "wordpiece":
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer(lowercase=False)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(vocab_size=size, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], show_progress=False)
elif model == "bpe":
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.post_processor = processors.ByteLevel(trim_offsets=True, add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=size, min_frequency=2, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False,
                                  special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
else:
    t = Tokenizer(models.Unigram())
    t.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(" ", " ")])
    t.pre_tokenizer = pre_tokenizers.Metaspace()
    t.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=size, special_tokens=["<unk>", "<s>", "</s>"], unk_token="<unk>", show_progress=False)
t.train_from_iterator(lines, trainer)
if model == "wordpiece":
    t.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
                                                     special_tokens=[("[CLS]", t.token_to_id("[CLS]")), ("[SEP]", t.token_to_id("[SEP]"))])
t.save(out)
