# SPDX-License-Identifier: Apache-2.0
"""Every method and profile of METHODS.md in float64 NumPy, on the engine of transformer.py.

`make(name, profile, n, kv_rate, kv_budget, **overrides)` gives the method with all its parameters resolved (`.params`).
Each cut notes how clear it was in `.margin`, the smallest relative gap between the last kept and the first dropped score
value (exactly equal values, as max-pooling makes them, are no gap: ties go to the lower index).
"""

import math

import numpy as np

from transformer import visible


class Method:
    """Keeps everything; the others override what they need."""
    wants_restart, restarted = False, None
    positions_in_cache = False

    def __init__(self, params, cap):
        self.params, self.cap, self.margin = params, cap, math.inf
        self.__dict__.update(params)

    def begin(self, model, n):
        self.model, self.n = model, n
        per_query_head = self.params.get("layout") == "per_query_head"
        self.n_stored = model.h if per_query_head else model.hk

    def after_attention(self, view):
        """Indices kept per stored head (None: all), indices that go on to the next layer (None: all)."""
        return None, None

    def before_decode(self, layer, cache):
        pass

    def after_decode(self, layer, cache, probs, q, lse, pos):
        pass

    def top_k(self, scores, k, signed=False):
        """Indices of the k largest, ascending; ties to the lower index. signed: gaps are relative to the largest |score|."""
        order = np.argsort(-scores, kind="stable")
        if 0 < k < len(scores):
            s = scores[order]
            last, first = s[k - 1], s[k]
            pairs = [(last, first)]
            if last == first:                # the cut is inside a plateau: its neighbours must be clear of it
                above, below = s[s > last], s[s < last]
                pairs = [(a, last) for a in above[-1:]] + [(last, b) for b in below[:1]]
            for high, low in pairs:
                scale = np.abs(s).max() if signed else high
                self.margin = min(self.margin, float((high - low) / scale))
        return np.sort(order[:k])

    def layout_scores(self, per_query_head):
        """[h, m] -> one row per stored head."""
        if self.n_stored == self.model.h:
            return per_query_head
        return group_sum(per_query_head, self.model.group)

    def with_tail(self, rows, k, tail_start, n):
        """Top-k of every row, and all of tail_start..n-1."""
        tail = np.arange(tail_start, n)
        return [np.concatenate([self.top_k(row, k), tail]) for row in rows]


def group_sum(x, group):
    """Sum of each `group` neighbouring rows, always in the same order."""
    out = x[0::group].copy()
    for i in range(1, group):
        out += x[i::group]
    return out


def pool_max(x, kernel):
    """Along the last axis, stride 1, as long as before; beyond the ends is nothing."""
    pad = np.full(x.shape[:-1] + (kernel // 2,), -np.inf)
    wide = np.concatenate([pad, x, pad], axis=-1)
    return np.max([wide[..., i:i + x.shape[-1]] for i in range(kernel)], axis=0)


def pool_average(x, kernel):
    """As pool_max; beyond the ends are zeros, and they count."""
    pad = np.zeros(x.shape[:-1] + (kernel // 2,))
    wide = np.concatenate([pad, x, pad], axis=-1)
    return sum(wide[..., i:i + x.shape[-1]] for i in range(kernel)) / kernel


POOL = {"max": pool_max, "average": pool_average}


class RandomSet(Method):
    """The cap largest of seeded uniform numbers, the same for all heads: SplitMix64's finalizer, as kernels/fill_random.h says."""

    @staticmethod
    def uniform(seed, index):
        z = (seed + (index + 1) * 0x9E3779B97F4A7C15) % 2**64
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % 2**64
        return 2 * ((((z ^ (z >> 31)) >> 40) + 0.5) / 2**24) - 1

    def after_attention(self, view):
        if view.n <= self.cap:
            return None, None
        scores = np.array([self.uniform(self.seed * 4096 + view.layer, j) for j in range(view.n)])
        return [self.top_k(scores, self.cap, signed=True)] * self.n_stored, None


class StreamingLLM(Method):
    """Sinks and the most recent. Profile `paper`: positions inside the cache, eviction goes on."""

    def __init__(self, params, cap, rolling):
        super().__init__(params, cap)
        self.rolling = self.positions_in_cache = rolling

    def after_attention(self, view):
        if view.n <= self.cap:
            return None, None
        keep = np.concatenate([np.arange(self.sinks), np.arange(view.n - (self.cap - self.sinks), view.n)])
        return [keep] * self.n_stored, None

    def before_decode(self, layer, cache):
        excess = cache.length() - (self.cap - 1)
        if self.rolling and excess > 0:
            for s in range(self.n_stored):
                cache.drop(s, np.arange(self.sinks, self.sinks + excess))


class H2O(Method):
    """Accumulated probability. Profile `paper`: accumulation and eviction go on while decoding."""

    def __init__(self, params, cap, rolling):
        super().__init__(params, cap)
        self.rolling, self.running = rolling, []

    def after_attention(self, view):
        if self.causal:
            mass = view.mass(0)
        else:                                # only the last `recent` x `recent` block has a causal mask
            rows = np.arange(view.n)
            mass = np.empty((self.model.h, view.n))
            for head in range(self.model.h):
                s = view.scores(head, rows, causal_from=view.n - self.recent)
                p = np.exp(s - s.max(axis=1, keepdims=True))
                mass[head] = (p / p.sum(axis=1, keepdims=True)).sum(axis=0)
        scores = self.layout_scores(mass)
        keep = None
        if view.n > self.cap:
            tail = view.n - self.recent
            keep = self.with_tail(scores[:, :tail], self.cap - self.recent, tail, view.n)
        self.running.append([scores[s] if keep is None else scores[s][keep[s]] for s in range(self.n_stored)])
        return keep, None

    def after_decode(self, layer, cache, probs, q, lse, pos):
        if not self.rolling:
            return
        running = self.running[layer]
        for s in range(self.n_stored):
            mine = [p for head, p in enumerate(probs) if cache.stored(head) == s]
            running[s] = np.append(running[s], 0.0)
            for p in mine:
                running[s] = running[s] + p
            while len(running[s]) > self.cap:
                older = running[s][:len(running[s]) - self.recent]
                stay = self.top_k(older, len(older) - 1)
                out = np.setdiff1d(np.arange(len(older)), stay)
                running[s] = np.delete(running[s], out)
                cache.drop(s, out)


class SnapKV(Method):
    """Mass of the last `window` rows, pooled; per query head, or summed over each KV group."""

    def pooled(self, view):
        """[h, n - window]"""
        observed = view.n - self.window
        return POOL[self.pool](view.mass(observed)[:, :observed], self.kernel)

    def after_attention(self, view):
        if view.n <= self.cap:
            return None, None
        scores = self.layout_scores(self.pooled(view))
        return self.with_tail(scores, self.cap - self.window, view.n - self.window, view.n), None


class FastKV(SnapKV):
    """SnapKV's scores summed over each KV group; after layer `tsp_layer` only the tokens with the highest sums go on."""

    def __init__(self, params, cap, kv_rate):
        super().__init__(params, cap)
        self.kv_rate = kv_rate

    def after_attention(self, view):
        tsp_rate, tsp_len = self.params.get("tsp_rate"), self.params.get("tsp_len")
        cap = self.cap
        if self.kv_rate is not None:
            rate = self.kv_rate if view.layer <= self.tsp_layer else self.kv_rate / tsp_rate
            cap = math.floor(view.n * rate)
        keep = forward = None
        is_tsp = view.layer == self.tsp_layer
        go_on = view.n if not is_tsp else min(view.n, tsp_len) if tsp_len else math.floor(view.n * tsp_rate)
        if view.n > cap or go_on < view.n:
            scores = group_sum(self.pooled(view), self.model.group)
            tail = view.n - self.window
            if view.n > cap:
                assert cap >= self.window, "cap below the window"
                keep = self.with_tail(scores, cap - self.window, tail, view.n)
            if go_on < view.n:
                assert go_on >= self.window, "TSP length below the window"
                forward = self.with_tail([group_sum(scores, self.model.hk)[0]], go_on - self.window, tail, view.n)[0]
        return keep, forward


class GemFilter(Method):
    """Pass 1 up to layer `layer` picks tokens by the last row's raw logits; pass 2 is a prefill of these."""

    def after_attention(self, view):
        if self.restarted is None and view.layer == self.layer:
            scores = POOL[self.pool](view.raw_logits(view.n - 1), self.kernel)
            total = group_sum(scores, self.model.h)[0]
            self.restarted = self.top_k(total, min(self.cap, view.n), signed=True)
            self.wants_restart = True
        return None, None


class PyramidInfer(Method):
    """Fewer tokens reach each next layer; blocks of 16 are thinned while decoding."""
    SINKS, BLOCK = 4, 16

    def begin(self, model, n):
        super().begin(model, n)
        self.recent = math.floor(n * self.recent_ratio)
        self.past, self.rows, self.seen = {}, {}, {}
        self.weights = np.linspace(1.0, self.distance_weight, 1 + self.recent) if self.recent > 0 else np.ones(1)

    @staticmethod
    def ratio(layer, n_layers, p):
        return (1 - p) * (math.cos(math.pi * layer / n_layers) + 1) / 2 + p

    @staticmethod
    def n_kept(context, ratio, min_context):
        kept = math.floor(context * ratio)
        return kept if kept > min_context else context

    def after_attention(self, view):
        first = view.n - 1 - self.recent                     # first of the last 1 + R rows
        self.past[view.layer], self.seen[view.layer] = view.n, self.n
        self.rows[view.layer] = [(view.q[:, i], view.lse[:, i], view.pos[i]) for i in range(max(first, 0), view.n)]
        if view.layer == self.model.n_layers - 1:
            return None, None
        kept = self.n_kept(first, self.ratio(view.layer, self.model.n_layers, self.p), self.min_context)
        if kept >= first:
            return None, None
        scores = view.mass(first, self.weights)[:, :first].mean(axis=0) / (1 + self.recent)
        chosen = self.top_k(scores[self.SINKS:], kept - self.SINKS) + self.SINKS
        return None, np.concatenate([np.arange(self.SINKS), chosen, np.arange(first, view.n)])

    def after_decode(self, layer, cache, probs, q, lse, pos):
        self.rows[layer] = (self.rows[layer] + [(q, lse, pos)])[-(1 + self.recent):]
        self.seen[layer] += 1
        counted = self.seen[layer] if self.decode == "as_coded" else cache.length()
        if self.decode == "off" or counted - self.recent - self.past[layer] < self.BLOCK:
            return
        end = cache.length() - (1 + self.recent)
        start = max(end - self.BLOCK, 0)
        size = end - start
        if size > 0:
            gen_ratio = self.ratio(layer, self.model.n_layers, self.gen_decay)
            stay = max(int(size * 0.9 * gen_ratio), 1)
            chosen = self.top_k(self.block_scores(layer, cache, start, end), stay)
            out = start + np.setdiff1d(np.arange(size), chosen)
            for s in range(self.n_stored):
                cache.drop(s, out)
        self.past[layer] = cache.length() - self.recent

    def block_scores(self, layer, cache, start, end):
        """Mean over rows and heads of the weighted probabilities that the last 1 + R rows gave the block."""
        total = np.zeros(end - start)
        for head in range(self.model.h):
            s = cache.stored(head)
            pos = cache.pos[s][start:end]
            keys = self.model.rotate(cache.k[s][start:end], pos)
            for weight, (q, lse, row_pos) in zip(self.weights, self.rows[layer]):
                p = np.exp(keys @ q[head] / np.sqrt(self.model.e) - lse[head])
                total += weight * np.where(visible([row_pos], pos, self.model.window[layer])[0], p, 0.0)
        return total / (self.model.h * (1 + self.recent))


def make(name, profile, model, n, kv_rate=None, kv_budget=None, **given):
    """The method with profile defaults, overridden by `given`; `.params` holds all by the names of METHODS.md."""
    paper = profile == "paper"
    cap = kv_budget if kv_budget is not None else math.floor(n * kv_rate) if kv_rate is not None else None
    middle = model.n_layers // 2 - 1

    def resolve(**defaults):
        assert set(given) <= set(defaults), (name, given)
        return {**defaults, **given}

    def at_least(limit, what):
        assert n <= cap or cap >= limit, f"usage error: cap {cap} is below {what}"

    if name == "full":
        return Method(resolve(), n)
    if name == "random":
        at_least(1, "one token")
        return RandomSet(resolve(seed=0), cap)
    if name == "streamingllm":
        params = resolve(sinks=4)
        at_least(params["sinks"] + 1, "the sinks")
        return StreamingLLM(params, cap, rolling=paper)
    if name == "h2o":
        params = resolve(recent=cap // 2 if paper else 8, causal=paper, layout="per_kv_head" if paper else "per_query_head")
        at_least(params["recent"], "recent")
        return H2O(params, cap, rolling=paper)
    if name == "snapkv":
        params = resolve(window=32 if paper else 8, pool="max", kernel=7, layout="per_kv_head" if paper else "per_query_head")
        at_least(params["window"], "the window")
        return SnapKV(params, cap)
    if name == "gemfilter":
        return GemFilter(resolve(layer=middle, pool="average", kernel=5), 1024 if cap is None and paper else cap)
    if name == "pyramidinfer":
        params = resolve(p=0.9 if paper else 0.7, recent_ratio=0.2, distance_weight=1.2, min_context=64,
                         gen_decay=0.1 if paper else 1.0, decode="intended")
        return PyramidInfer(params, None)
    if name == "fastkv":
        own = {"tsp_len": 2048} if kv_budget is not None else {"tsp_rate": 0.2}
        params = resolve(window=8, pool="max", kernel=7, tsp_layer=middle, **own)
        at_least(params["window"], "the window")
        return FastKV(params, cap, kv_rate if kv_budget is None else None)
    raise ValueError(name)
