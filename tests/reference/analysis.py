# SPDX-License-Identifier: Apache-2.0
"""What `kvlab analyze` measures, in float64 NumPy on the transformer of transformer.py -> tests/golden/analysis.json.

One case per model: a seeded prompt, redrawn until no choice of tokens hangs on rounding (as method_goldens.py: relative gaps at
every cut above 1e-6). Per case: the mean attention of each layer's tokens under two observation windows (0: all rows), the
overlap matrix and the recall for some numbers of top tokens, and per method and layer the distance of the last token's normed
hidden state and logits from the full run. Probabilities are those of whole softmax rows, not made from log-sum-exps.

Run: python analysis.py   (numpy, torch, safetensors)
"""

import math

import numpy as np

import golden_io
import methods
from method_goldens import prompt
from transformer import Model, Run, softmax

N, WINDOWS, TOPS, GAP, N_SEEDS = 120, (8, 0), (1, 12, 24, 120), 1e-6, 200
CUTS = (("fastkv", "tsp_layer", 0.2), ("gemfilter", "layer", 0.2))


class Observer(methods.Method):
    """Keeps everything; notes per layer the probabilities of every row, averaged over heads: [n, n]."""

    def __init__(self, n):
        super().__init__({}, n)
        self.seen = []

    def after_attention(self, view):
        rows = np.arange(view.n)
        self.seen.append(np.mean([softmax(view.scores(head, rows))[0] for head in range(view.model.h)], axis=0))
        return None, None


class Ending(Run):
    """A run that remembers the last row's state behind the final norm."""

    def prefill(self, ids):
        true_logits, self.model.logits = self.model.logits, self.remember
        try:
            return super().prefill(ids)
        finally:
            self.model.logits = true_logits

    def remember(self, x):
        self.hidden = self.model.norm(x, self.model.w["model.norm.weight"])
        return self.model.head @ self.hidden


def top(method, mass, k):
    """The k heaviest tokens, and how clear the cut was (in method.margin)."""
    return set(method.top_k(mass, k).tolist())


def look(model, ids):
    """Per window: masses, recall and overlap. Last: the smallest relative gap."""
    observer = Observer(len(ids))
    Ending(model, observer, ids)
    out = []
    for window in WINDOWS:
        rows = slice(len(ids) - window, None) if window > 0 else slice(None)
        mass = [p[rows].sum(axis=0) for p in observer.seen]
        entry = {"window": window, "mass": [golden_io.digits(m, 9) for m in mass], "tops": []}
        for k in TOPS:
            recall = [sum(m[j] for j in top(observer, m, k)) / m.sum() for m in mass]
            n_keys = len(ids) - window
            sets = [top(observer, m[:n_keys], min(k, n_keys)) for m in mass]
            overlap = [[len(a & b) / min(k, n_keys) for b in sets] for a in sets]
            entry["tops"].append({"k": k, "recall": golden_io.digits(recall, 9),
                                  "overlap": [golden_io.digits(row, 9) for row in overlap]})
        out.append(entry)
    return out, observer.margin


def log_softmax(z):
    return z - z.max() - math.log(np.exp(z - z.max()).sum())


def distance(full, other):
    p, q = log_softmax(full.logits), log_softmax(other.logits)
    apart = full.hidden - other.hidden
    return {
        "hidden_l2": np.linalg.norm(apart) / np.linalg.norm(full.hidden),
        "hidden_squared": (apart ** 2).sum(),
        "hidden_cosine": full.hidden @ other.hidden / np.linalg.norm(full.hidden) / np.linalg.norm(other.hidden),
        "logits_l2": np.linalg.norm(full.logits - other.logits) / np.linalg.norm(full.logits),
        "logits_kl": (np.exp(p) * (p - q)).sum(),
        "same_top": float(np.argmax(full.logits) == np.argmax(other.logits)),
    }


def cut(model, ids):
    """Distances by method and layer, and the smallest relative gap."""
    full = Ending(model, methods.make("full", "fastkv", model, len(ids)), ids)
    out, margin = [], math.inf
    for name, param, rate in CUTS:
        for layer in range(model.n_layers):
            method = methods.make(name, "fastkv", model, len(ids), rate, **{param: layer})
            found = distance(full, Ending(model, method, ids))
            margin = min(margin, method.margin)
            out.append({"method": name, "layer": layer} | {key: golden_io.digits([x], 9)[0] for key, x in found.items()})
    return out, margin


def make_case(name):
    model = Model(golden_io.MODELS / name)
    for seed in range(N_SEEDS):
        ids = prompt(N, seed)
        windows, gap = look(model, ids)
        if gap <= GAP:
            continue
        cuts, cut_gap = cut(model, ids)
        if cut_gap > GAP:
            return {"model": name, "seed": seed, "min_gap": float(f"{min(gap, cut_gap):.2e}"), "ids": ids, "windows": windows,
                    "cuts": cuts}
    raise SystemExit(f"no stable prompt for {name}")


def main():
    cases = [make_case(name) for name in ("llama-tiny", "ministral-tiny")]
    golden_io.write_json(golden_io.GOLDEN / "analysis.json",
                         golden_io.header(__file__, "numpy", "torch", "safetensors") | {"cases": cases})


if __name__ == "__main__":
    main()
