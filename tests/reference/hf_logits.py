# SPDX-License-Identifier: Apache-2.0
"""Last-token logits of the tiny models by Hugging Face transformers (float32, eager attention) -> tests/golden/logits.json.

Run after make_models.py and make_gguf.py: python hf_logits.py
(torch, transformers, gguf, tokenizers; versions are in the output)
bfloat16 weights are widened to float32 first; GGUF weights are dequantized by the gguf package.
"""

import random

import torch
from transformers import AutoModelForCausalLM

import golden_io
import gguf_model

LENGTHS = {"llama-tiny": [1, 2, 17, 64, 200, 333], "mistral-tiny": [1, 2, 17, 48, 49, 64, 200, 333],
           "ministral-tiny": [1, 2, 17, 40, 41, 64, 333], "llama-tiny-bf16": [1, 17, 200], "gguf": [1, 17, 100]}


def prompt(n, seed):
    rng = random.Random(seed)
    return [rng.randrange(3, 320) for _ in range(n)]


def main():
    torch.set_num_threads(1)
    cases = []
    for path in sorted(golden_io.MODELS.iterdir()):
        if path.suffix == ".gguf":
            model, lengths = gguf_model.llama(path), LENGTHS["gguf"]
        elif path.is_dir():
            model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, attn_implementation="eager").eval()
            lengths = LENGTHS[path.name]
        else:
            continue
        for n in lengths:
            ids = prompt(n, seed=1000 + n)
            with torch.no_grad():
                logits = model(torch.tensor([ids])).logits[0, -1]
            cases.append({"model": path.name, "ids": ids, "logits": golden_io.digits(logits, 9)})
            print(path.name, n, "std %.2f max %.2f argmax %d (last id %d)" % (logits.std(), logits.max(), logits.argmax(), ids[-1]))
    golden_io.write_json(golden_io.GOLDEN / "logits.json",
                         {**golden_io.header(__file__, "torch", "transformers", "gguf", "tokenizers"), "cases": cases})


if __name__ == "__main__":
    main()
