"""SnapKV's kept tokens by kvlab and by kvpress, on the same prompts and the small real model.

usage: kvpress_snapkv.py KVLAB MODEL.gguf TEXT_FILE      (packages: torch transformers gguf accelerate kvpress)

kvpress (NVIDIA) averages over rows and over the query heads of a group where we sum, and pools by the mean: the order is the
same with `pool=average` and `layout=per_kv_head`. Its hook is not used (it follows one version of transformers); its scores
are, at every layer, from the same hidden states. A list that differs is printed with how near to the cut its tokens lie."""
import json
import os
import subprocess
import sys
import tempfile

import torch
from kvpress import SnapKVPress
from transformers import AutoModelForCausalLM

CASES = [(2500, 0.2, 32, 7), (5000, 0.1, 64, 5), (9000, 0.3, 16, 5), (4001, 0.5, 8, 7)]  # characters, rate, window, kernel


def kept_by_kvlab(program, model, text, rate, window, kernel):
    with tempfile.TemporaryDirectory() as folder:
        prompt, kept = os.path.join(folder, "prompt.txt"), os.path.join(folder, "kept.json")
        with open(prompt, "w") as file:
            file.write(text)
        settings = ["layout=per_kv_head", "pool=average", f"kernel={kernel}", f"window={window}"]
        command = [program, "generate", model, "--raw", "--json", "--dtype", "f32", "--method", "snapkv", "--prompt", "@" + prompt,
                   "--kv-rate", str(rate), "--new-tokens", "1", "--kept", kept]
        for setting in settings:
            command += ["--set", "snapkv." + setting]
        ids = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["prompt_ids"]
        with open(kept) as file:
            return ids, json.load(file)["layers"]


def scores_by_kvpress(model, ids, rate, window, kernel):
    press = SnapKVPress(compression_ratio=1 - rate, window_size=window, kernel_size=kernel)
    scores = []

    def note(module, args, kwargs, output):
        hidden = kwargs["hidden_states"] if "hidden_states" in kwargs else args[0]
        keys = kwargs["past_key_values"].layers[module.layer_idx].keys
        scores.append(press.score(module, hidden, keys, keys, None, kwargs)[0])

    hooks = [layer.self_attn.register_forward_hook(note, with_kwargs=True) for layer in model.model.layers]
    with torch.no_grad():
        model(torch.tensor([ids]), use_cache=True)
    for hook in hooks:
        hook.remove()
    return scores


def main():
    program, path, text = sys.argv[1:4]
    with open(text) as file:
        text = file.read()
    folder, name = os.path.split(path)
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32, attn_implementation="eager").eval()
    n_lists = n_different = 0
    for n_characters, rate, window, kernel in CASES:
        ids, layers = kept_by_kvlab(program, path, text[:n_characters], rate, window, kernel)
        for layer, scores in zip(layers, scores_by_kvpress(model, ids, rate, window, kernel), strict=True):
            for ours, row in zip(layer["kept"], scores.tolist(), strict=True):
                ranked = sorted(range(len(row)), key=lambda i: (-row[i], i))[:len(ours)]
                n_lists += 1
                if set(ours) != set(ranked):
                    n_different += 1
                    cut = row[ranked[-1]]
                    far = max(abs(row[i] - cut) / cut for i in set(ours) ^ set(ranked))
                    print(f"n={len(ids)} layer {layer['layer']}: tokens at most {far:.1e} of the cut's score away differ")
    print(f"{n_lists - n_different} of {n_lists} lists are equal")


main()
