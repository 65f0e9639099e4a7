# SPDX-License-Identifier: Apache-2.0
"""What every method keeps, forwards and answers on the tiny models -> tests/golden/methods_METHOD.json.

One case: a seeded prompt of n tokens, prefill, 48 greedy tokens (47 of them fed back). Prompts are redrawn with the next
seed until the answer does not hang on rounding:
  - at every top-k cut the gap between the last kept and the first dropped different score exceeds 1e-6 of the score
    (GemFilter's raw logits: of the largest), exactly equal scores excepted (`min_gap` is the smallest gap met);
  - the top-1/top-2 gap in logits exceeds 1e-4 of the top one at every step (`min_logit_gap`);
  - two copies of the model with every weight changed by a relative 1e-6 (normal, seeded) give the same kept entries and ids.
For GemFilter kept lists are positions in the original prompt; the layers are those of the second pass.

Run: python method_goldens.py [METHOD..]   all, or some, methods;  python method_goldens.py --check   only the self-checks:
full equals transformers in double precision to 1e-6 and logits.json to float32's rounding, and the identities of METHODS.md.
(numpy, torch, safetensors; transformers for the check)
"""

import argparse
import json
import math
import random
from pathlib import Path

import numpy as np

import golden_io
import method_cases
import methods
from transformer import Model, Run

N_NEW, SCORE_GAP, LOGIT_GAP, N_SEEDS = 48, 1e-6, 1e-4, 60
PERTURBATION = 1e-6


def prompt(n, seed):
    rng = random.Random(f"{n}/{seed}")
    return [rng.randrange(3, 320) for _ in range(n)]


def answer(model, case, ids):
    """Run, greedy ids, smallest relative logit gap."""
    method = methods.make(case["method"], case["profile"], model, len(ids), case["kv_rate"], case["kv_budget"], **case["given"])
    run = Run(model, method, ids)
    run.first_logits, logits, out, gap = run.logits, run.logits, [], math.inf
    while True:
        second, top = np.sort(logits)[-2:]
        gap = min(gap, (top - second) / abs(top))
        out.append(int(np.argmax(logits)))
        if len(out) == N_NEW:
            return run, out, gap
        logits = run.step(out[-1])


def outcome(run, ids):
    forward = [None if f is None else f.tolist() for f in run.forward]
    return ids, run.kept_after_prefill, run.kept(), forward


def one_list(heads):
    """A list per stored head, or a single one if all are the same."""
    return heads[:1] if all(h == heads[0] for h in heads) else heads


def make_case(models, case):
    """Golden entry and prompt of the first seed that passes."""
    model, *others = models[case["model"]]
    for seed in range(N_SEEDS):
        ids = prompt(case["n"], seed)
        run, out, logit_gap = answer(model, case, ids)
        if run.method.margin <= SCORE_GAP or logit_gap <= LOGIT_GAP:
            continue
        if all(outcome(*answer(o, case, ids)[:2]) == outcome(run, out) for o in others):
            break
    else:
        raise SystemExit(f"no stable prompt for {case}")
    name = f"n{case['n']}_s{seed}"
    layers = [{"n_in": n_in, "kept": one_list(kept), "forward": None if f is None else f.tolist()}
              for n_in, kept, f in zip(run.n_in, run.kept_after_prefill, run.forward)]
    entry = {k: case[k] for k in ("model", "method", "profile")}
    entry |= {"prompt": name, "n": case["n"], "params": run.method.params, "kv_rate": case["kv_rate"], "kv_budget": case["kv_budget"],
              "min_gap": None if math.isinf(run.method.margin) else float(f"{run.method.margin:.2e}"),
              "min_logit_gap": float(f"{logit_gap:.2e}"), "heads_stored": run.method.n_stored, "layers": layers}
    if "note" in case:
        entry["note"] = case["note"]
    if run.restart is not None:
        entry["restart"] = {"layer": run.method.layer, "kept": run.restart.tolist()}
    entry |= {"logits": golden_io.digits(run.first_logits, 8), "decode_ids": out,
              "kept_end": [one_list(kept) for kept in run.kept()]}
    print(case["model"], case["method"], case["profile"], name, case["given"], case["kv_rate"], case["kv_budget"],
          "gap %.1e logit gap %.1e, %d different ids" % (run.method.margin, logit_gap, len(set(out))), flush=True)
    return entry, name, ids


def write(method, models):
    cases, prompts = [], {}
    for case in method_cases.ALL[method]():
        entry, name, ids = make_case(models, case)
        prompts[name] = ids
        cases.append(entry)
    golden_io.write_json(golden_io.GOLDEN / f"methods_{method}.json", {
        **golden_io.header(__file__, "numpy", "torch", "safetensors"), "prompts": prompts, "cases": cases})


def check(models):
    check_full(models)
    check_identities(models["llama-tiny"][0])
    check_pyramid()


def check_full(models):
    """Float32 golden logits to 1e-5 of the largest (its own rounding), transformers in double precision to 1e-6."""
    in_double = {name: hf_in_double(name) for name in models}
    worst32, worst64 = 0.0, 0.0
    for c in json.loads((golden_io.GOLDEN / "logits.json").read_text())["cases"]:
        if c["model"] not in models:
            continue
        model = models[c["model"]][0]
        ours = Run(model, methods.make("full", "paper", model, len(c["ids"])), c["ids"]).logits
        worst32 = max(worst32, np.abs(ours - c["logits"]).max() / np.abs(ours).max())
        worst64 = max(worst64, np.abs(ours - in_double[c["model"]](c["ids"])).max())
    print("full against logits.json: %.1e of the largest; against transformers in double: %.1e" % (worst32, worst64))
    assert worst32 < 1e-5 and worst64 < 1e-6


def hf_in_double(name):
    """ids -> last logits by transformers, whose own detours through float32 (norm, rotation, softmax) are made double too."""
    import torch
    from unittest import mock
    from transformers import AutoModelForCausalLM
    hf = AutoModelForCausalLM.from_pretrained(golden_io.MODELS / name, dtype=torch.float64, attn_implementation="eager")

    def logits(ids):
        with mock.patch.object(torch, "float32", torch.float64), mock.patch.object(torch, "float", torch.float64), \
                mock.patch.object(torch.Tensor, "float", torch.Tensor.double), torch.no_grad():
            hf.model.rotary_emb = type(hf.model.rotary_emb)(hf.config)
            out = hf(torch.tensor([ids])).logits[0, -1].numpy()
        assert out.dtype == np.float64
        return out

    return logits


def check_identities(model):
    def run(name, n, **options):
        return Run(model, methods.make(name, "fastkv", model, n, **options), prompt(n, 0))

    n = 97
    base, same = run("full", n), run("fastkv", n, kv_rate=1.0, tsp_rate=1.0)
    assert np.array_equal(base.logits, same.logits) and base.kept() == same.kept()
    a, b = run("fastkv", n, kv_rate=0.2, tsp_rate=1.0), run("snapkv", n, kv_rate=0.2, layout="per_kv_head")
    assert a.kept() == b.kept()
    assert run("h2o", n, kv_rate=0.2, causal=True).kept() != run("h2o", n, kv_rate=0.2, causal=False).kept()
    tsp = run("fastkv", n, kv_rate=0.1)
    half = model.n_layers // 2
    assert sum(tsp.n_in) == half * n + half * math.floor(0.2 * n)
    ids = prompt(n, 0)
    assert np.allclose(run("full", n).step(7), Run(model, methods.make("full", "paper", model, n + 1), ids + [7]).logits, rtol=0, atol=1e-9)
    print("identities 1, 2, 3, 5 hold; a decode step equals a longer prefill")


def check_pyramid():
    """Mean KV kept over layers at n = 7950, as METHODS.md states it."""
    P, n = methods.PyramidInfer, 7950
    for p, recent, n_layers, percent in ((0.9, 0.2, 32, 76.6), (0.7, 0.2, 32, 59.6), (0.3, 0.2, 32, 49.9), (0.01, 0.01, 32, 34.0), (0.75, 0.2, 36, 60.2)):
        rest, here, total = 1 + math.floor(n * recent), n, 0
        for layer in range(n_layers):
            total += here
            here = P.n_kept(here - rest, P.ratio(layer, n_layers, p), 64) + rest
        assert abs(100 * total / n_layers / n - percent) < 0.051, (p, total)
    print("PyramidInfer's mean shares hold")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("methods", nargs="*", metavar="METHOD", help=", ".join(method_cases.ALL))
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    models = {}
    for name in ("llama-tiny", "mistral-tiny", "ministral-tiny"):
        model = Model(Path(golden_io.MODELS) / name)
        models[name] = [model] + [model.perturbed(seed, PERTURBATION) for seed in (1, 2)]
    check(models)
    if not args.check:
        for method in args.methods or method_cases.ALL:
            write(method, models)


if __name__ == "__main__":
    main()
