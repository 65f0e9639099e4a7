# SPDX-License-Identifier: Apache-2.0
"""Greedy continuations of a real small model, SmolLM2-135M-Instruct Q4_1 -> tests/golden/smollm2_greedy.json.

All tensors dequantized to float32 by the gguf package, run by transformers (eager attention), five raw prompts without
template and without BOS, 64 tokens each, not stopped at end of sequence. Per kind of prompt the first text is taken whose
top-1/top-2 gap in logits exceeds 1e-3 at every step; `min_gap` is the smallest one met.
Run: python smollm2_greedy.py SmolLM2-135M-Instruct.Q4_1.gguf   (torch, transformers, gguf, tokenizers)
"""

import argparse
import hashlib
from pathlib import Path

import torch

import golden_io
import gguf_model

N_NEW, GAP = 64, 1e-3
PROMPTS = [
    ["The capital of France is Paris. The city lies on the river Seine and is known for",
     "Water boils at a lower temperature on a mountain, because the air pressure there is"],
    ["def fibonacci(n):\n    \"\"\"Return the n-th Fibonacci number.\"\"\"\n    if n < 2:\n",
     "int sum(const int *x, int n)\n{\n    int s = 0;\n    for (int i = 0; i < n; i++) {\n"],
    ["Shopping list:\n1. Apples\n2. Bread\n3. Milk\n4.", "Planets in order: 1. Mercury\n2. Venus\n3. Earth\n4."],
    ["Once upon a time, in a small village at the edge of a dark forest, there lived an old clockmaker who",
     "The lighthouse keeper had not spoken to anyone for 40 days when, one morning, a small boat"],
    ["Question: Why is the sky blue during the day and red at sunset?\nAnswer:",
     "Q: How many legs do 3 spiders and 12 ants have together?\nA:"],
]


def greedy(model, ids):
    """64 tokens, the smallest top-1/top-2 gap, and the logits after the prompt."""
    with torch.no_grad():
        step = model(torch.tensor([ids]), use_cache=True)
        first, out, gaps = step.logits[0, -1], [], []
        while True:
            top = torch.topk(step.logits[0, -1], 2)
            gaps.append(float(top.values[0] - top.values[1]))
            out.append(int(top.indices[0]))
            if len(out) == N_NEW:
                return out, min(gaps), first
            step = model(torch.tensor([out[-1:]]), past_key_values=step.past_key_values, use_cache=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("gguf")
    path = parser.parse_args().gguf
    torch.set_num_threads(1)
    model, tok = gguf_model.llama(path), gguf_model.tokenizer(path)
    cases = []
    for texts in PROMPTS:
        for text in texts:
            prompt_ids = tok.encode(text).ids
            ids, gap, first = greedy(model, prompt_ids)
            print(repr(text[:40]), "min gap", gap, repr(tok.decode(ids)[:80]), flush=True)
            if gap > GAP:
                break
        else:
            raise SystemExit("no prompt of this kind has a clear winner at every step")
        cases.append({"prompt": text, "prompt_ids": prompt_ids, "ids": ids, "text": tok.decode(ids, skip_special_tokens=False),
                      "min_gap": gap, "first_logits_head": golden_io.digits(first[:16], 9)})
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    golden_io.write_json(golden_io.GOLDEN / "smollm2_greedy.json", {
        **golden_io.header(__file__, "torch", "transformers", "gguf", "tokenizers"),
        "model_file": Path(path).name, "model_sha256": digest, "cases": cases})


if __name__ == "__main__":
    main()
