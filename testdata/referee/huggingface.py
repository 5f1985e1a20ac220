"""What transformers makes of a directory: huggingface.py DIRECTORY TEXT

Prints JSON: the type of the model, the class of the tokenizer, the ids of the text; with torch, the outputs of the model for them.
"""
import json
import sys

import transformers

directory, text = sys.argv[1:]
config = transformers.AutoConfig.from_pretrained(directory)
tokenizer = transformers.AutoTokenizer.from_pretrained(directory)
out = dict(model_type=config.model_type, tokenizer=type(tokenizer).__name__, ids=tokenizer(text)["input_ids"])
if transformers.utils.is_torch_available():
    import torch

    model, info = getattr(transformers, config.architectures[0]).from_pretrained(directory, output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"], info
    with torch.no_grad():
        out["logits"] = model.eval()(**tokenizer(text, return_tensors="pt")).logits[0].tolist()
json.dump(out, sys.stdout)
