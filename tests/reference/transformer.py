# SPDX-License-Identifier: Apache-2.0
"""A LLaMA/Mistral/Ministral transformer in float64 NumPy, with a cache that may hold other entries in every layer and head.

Written from the definition, for short prompts. Keys are cached without rotation and rotated where they are used, so that
an entry's rotation position may differ from its place in the prompt. Shapes: h query heads, hk KV heads, e head size.
"""

import copy
import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file


class Model:
    def __init__(self, folder):
        folder = Path(folder)
        c = json.loads((folder / "config.json").read_text())
        raw = {}
        for file in sorted(folder.glob("*.safetensors")):
            raw.update(load_file(file))
        self.use({name: t.to(torch.float64).numpy() for name, t in raw.items()})
        self.n_layers, self.h, self.hk = c["num_hidden_layers"], c["num_attention_heads"], c["num_key_value_heads"]
        self.e = c.get("head_dim") or c["hidden_size"] // self.h
        self.group, self.eps = self.h // self.hk, c["rms_norm_eps"]
        self.window = []                      # per layer: sliding window in positions, or None
        for layer in range(self.n_layers):
            kind = c["layer_types"][layer] if "layer_types" in c else "sliding_attention"
            self.window.append(c.get("sliding_window") if kind == "sliding_attention" else None)
        self.frequencies = rope_frequencies(c, self.e)

    def use(self, weights):
        self.w = weights
        self.embedding = self.w["model.embed_tokens.weight"]
        self.head = self.w.get("lm_head.weight", self.embedding)

    def perturbed(self, seed, relative):
        """The same model, every weight multiplied by 1 + relative * a standard normal number."""
        other, rng = copy.copy(self), np.random.default_rng(seed)
        other.use({name: w * (1.0 + relative * rng.standard_normal(w.shape)) for name, w in self.w.items()})
        return other

    def layer(self, i, name):
        return self.w[f"model.layers.{i}.{name}.weight"]

    def norm(self, x, weight):
        return weight * x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + self.eps)

    def qkv(self, i, x):
        """x [n, hidden] -> q [h, n, e], k and v [hk, n, e], not rotated."""
        y = self.norm(x, self.layer(i, "input_layernorm"))

        def heads(name, count):
            return (y @ self.layer(i, "self_attn." + name).T).reshape(len(x), count, self.e).swapaxes(0, 1)

        return heads("q_proj", self.h), heads("k_proj", self.hk), heads("v_proj", self.hk)

    def rotate(self, x, pos):
        """x [..., n, e] at positions pos [n]; pairs are (i, i + e/2)."""
        angle = np.asarray(pos, dtype=np.float64)[:, None] * self.frequencies
        cos, sin = np.cos(angle), np.sin(angle)
        a, b = x[..., :self.e // 2], x[..., self.e // 2:]
        return np.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)

    def after_attention(self, i, x, o):
        """Residual, output projection and MLP; o [h, n, e]."""
        x = x + o.swapaxes(0, 1).reshape(len(x), -1) @ self.layer(i, "self_attn.o_proj").T
        y = self.norm(x, self.layer(i, "post_attention_layernorm"))
        gate = y @ self.layer(i, "mlp.gate_proj").T
        up = y @ self.layer(i, "mlp.up_proj").T
        return x + (gate / (1.0 + np.exp(-gate)) * up) @ self.layer(i, "mlp.down_proj").T

    def logits(self, x):
        """x [hidden] -> logits of one token."""
        return self.head @ self.norm(x, self.w["model.norm.weight"])


def rope_frequencies(config, e):
    """One per rotated pair; with llama3 scaling where the config asks for it."""
    p = config.get("rope_parameters") or config.get("rope_scaling") or {}
    theta = p.get("rope_theta", config.get("rope_theta"))
    f = theta ** (-np.arange(0, e, 2) / e)
    if p.get("rope_type", "default") == "default":
        return f
    assert p["rope_type"] == "llama3"
    turns = p["original_max_position_embeddings"] * f / (2 * np.pi)      # in the original context
    low, high = p["low_freq_factor"], p["high_freq_factor"]
    smooth = np.clip((turns - low) / (high - low), 0.0, 1.0)
    return f * smooth + f / p["factor"] * (1.0 - smooth)


def visible(pos_q, pos_k, window):
    """[nq, nk]: the sliding window counts positions; causality is the caller's."""
    if window is None:
        return np.ones((len(pos_q), len(pos_k)), dtype=bool)
    return np.asarray(pos_q)[:, None] - np.asarray(pos_k)[None, :] < window


def softmax(s):
    """Rows of s (hidden = -inf) -> probabilities, log-sum-exp."""
    top = s.max(axis=-1, keepdims=True)
    p = np.exp(s - top)
    total = p.sum(axis=-1, keepdims=True)
    return p / total, (top + np.log(total))[..., 0]


class View:
    """Layer `layer` of a prefill, after its attention, as a method sees it: n tokens at positions pos, rotated q and k, lse."""

    def __init__(self, model, layer, pos, q, k, v):
        self.model, self.layer, self.pos, self.n = model, layer, pos, len(pos)
        self.window = model.window[layer]
        self.q, self.k = model.rotate(q, pos), model.rotate(k, pos)
        self.o, self.lse = np.empty_like(q), np.empty((model.h, self.n))
        for head in range(model.h):
            p, self.lse[head] = softmax(self.scores(head, np.arange(self.n)))
            self.o[head] = p @ v[head // model.group]

    def scores(self, head, rows, causal_from=0):
        """Scaled q.k of the rows, hidden ones -inf; only keys at or after `causal_from` are hidden for lying in the future."""
        s = self.q[head, rows] @ self.k[head // self.model.group].T / np.sqrt(self.model.e)
        column = np.arange(self.n)
        future = (column[None, :] > rows[:, None]) & (column[None, :] >= causal_from) & (rows[:, None] >= causal_from)
        return np.where(future | ~visible(self.pos[rows], self.pos, self.window), -np.inf, s)

    def mass(self, first_row, weights=None):
        """[h, n]: weighted sum of the probabilities of rows first_row..n-1, from the log-sum-exps of the attention."""
        rows = np.arange(first_row, self.n)
        weights = np.ones(len(rows)) if weights is None else weights
        out = np.zeros((self.model.h, self.n))
        for head in range(self.model.h):
            p = np.exp(self.scores(head, rows) - self.lse[head, rows][:, None])
            out[head] = (weights[:, None] * p).sum(axis=0)
        return out

    def raw_logits(self, row):
        """[h, n]: q.k of one row over all keys, neither scaled nor masked."""
        return np.stack([self.k[head // self.model.group] @ self.q[head, row] for head in range(self.model.h)])


class LayerCache:
    """Per stored head (hk, or h where every query head has its own): keys (not rotated), values, positions."""

    def __init__(self, model, k, v, pos, keep, n_stored):
        source = [s if n_stored == model.hk else s // model.group for s in range(n_stored)]
        keep = [np.arange(len(pos))] * n_stored if keep is None else keep
        self.model, self.n_stored = model, n_stored
        self.k = [k[source[s]][keep[s]] for s in range(n_stored)]
        self.v = [v[source[s]][keep[s]] for s in range(n_stored)]
        self.pos = [pos[keep[s]] for s in range(n_stored)]
        self.n_prefill = len(self.pos[0])

    def stored(self, head):
        return head if self.n_stored == self.model.h else head // self.model.group

    def length(self):
        return len(self.pos[0])

    def append(self, k, v, pos):
        for s in range(self.n_stored):
            source = s if self.n_stored == self.model.hk else s // self.model.group
            self.k[s] = np.concatenate([self.k[s], k[source]])
            self.v[s] = np.concatenate([self.v[s], v[source]])
            self.pos[s] = np.append(self.pos[s], pos)

    def drop(self, s, indices):
        self.k[s], self.v[s], self.pos[s] = (np.delete(a, indices, axis=0) for a in (self.k[s], self.v[s], self.pos[s]))

    def attend(self, q, pos, window, positions_in_cache):
        """q [h, 1, e] of the newest entry, not rotated -> o [h, 1, e], probabilities per query head, rotated q [h, e], lse [h]."""
        out, probs, rotated, lse = np.empty_like(q), [], [], []
        for head in range(self.model.h):
            s = self.stored(head)
            rope = np.arange(len(self.pos[s])) if positions_in_cache else self.pos[s]
            rq = self.model.rotate(q[head], rope[-1:])
            score = rq @ self.model.rotate(self.k[s], rope).T / np.sqrt(self.model.e)
            p, l = softmax(np.where(visible([pos], self.pos[s], window), score, -np.inf))
            out[head] = p @ self.v[s]
            probs.append(p[0])
            rotated.append(rq[0])
            lse.append(l[0])
        return out, probs, np.array(rotated), np.array(lse)


class Run:
    """One prompt through one method: prefill at once, then greedy decoding."""

    def __init__(self, model, method, ids):
        self.model, self.method = model, method
        self.n = len(ids)
        self.restart = None
        method.begin(model, self.n)
        if not self.prefill(ids):
            self.restart = method.restarted          # GemFilter: indices of the kept tokens
            assert self.prefill([ids[i] for i in self.restart])
        self.kept_after_prefill = self.kept()

    def prefill(self, ids):
        """False if the method asks for a second pass."""
        x, pos = self.model.embedding[ids], np.arange(len(ids))
        self.caches, self.n_in, self.forward = [], [], []
        for layer in range(self.model.n_layers):
            q, k, v = self.model.qkv(layer, x)
            view = View(self.model, layer, pos, q, k, v)
            keep, forward = self.method.after_attention(view)
            if self.method.wants_restart:
                self.method.wants_restart = False
                return False
            self.caches.append(LayerCache(self.model, k, v, pos, keep, self.method.n_stored))
            self.n_in.append(len(pos))
            x = self.model.after_attention(layer, x, view.o)
            self.forward.append(None)
            if forward is not None and len(forward) < len(pos):
                x, pos = x[forward], pos[forward]
                self.forward[-1] = pos
        self.next_pos = len(ids)
        self.logits = self.model.logits(x[-1])
        return True

    def step(self, token):
        """Feed one generated token; the next logits."""
        x, pos = self.model.embedding[[token]], self.next_pos
        self.next_pos += 1
        for layer, cache in enumerate(self.caches):
            q, k, v = self.model.qkv(layer, x)
            self.method.before_decode(layer, cache)
            cache.append(k, v, pos)
            o, probs, rq, lse = cache.attend(q, pos, self.model.window[layer], self.method.positions_in_cache)
            self.method.after_decode(layer, cache, probs, rq, lse, pos)
            x = self.model.after_attention(layer, x, o)
        return self.model.logits(x[0])

    def kept(self):
        """Per layer, per stored head: positions in the prompt; generated tokens are n, n+1, ..."""
        def original(pos):
            if self.restart is None:
                return [int(p) for p in pos]
            m = len(self.restart)
            return [int(self.restart[p]) if p < m else self.n + int(p) - m for p in pos]

        return [[original(p) for p in cache.pos] for cache in self.caches]
