# SPDX-License-Identifier: Apache-2.0
"""The list of golden cases: (model, method, profile, n, kv_rate, kv_budget, parameters given on top of the profile)."""

L, M, N = "llama-tiny", "mistral-tiny", "ministral-tiny"


def case(model, method, profile, n, rate=None, budget=None, **given):
    return {"model": model, "method": method, "profile": profile, "n": n, "kv_rate": rate, "kv_budget": budget, "given": given}


def full():
    return [case(L, "full", "paper", n) for n in (1, 7, 97, 256, 601)] + \
           [case(M, "full", "paper", n) for n in (40, 97, 256)] + [case(N, "full", "paper", 97)]


def streamingllm():
    out = []
    for profile in ("paper", "fastkv"):
        out += [case(L, "streamingllm", profile, n, rate=r) for n, r in ((97, 0.2), (256, 0.5), (601, 0.1))]
        out += [case(L, "streamingllm", profile, n, budget=c) for n, c in ((40, 64), (64, 64), (7, 5), (1, 16))]
        out += [case(M, "streamingllm", profile, n, rate=r) for n, r in ((97, 0.5), (256, 0.2))]
        out += [case(N, "streamingllm", profile, 97, rate=0.2)]
    return out + [case(L, "streamingllm", "paper", 97, rate=0.2, sinks=1)]


def h2o():
    out = []
    for layout in ("per_kv_head", "per_query_head"):
        for model, n, rate, budget in ((L, 97, 0.2, None), (L, 256, 0.1, None), (L, 40, None, 64), (L, 97, None, 33), (M, 97, 0.2, None)):
            out.append(case(model, "h2o", "paper", n, rate, budget, layout=layout))
        for model, n, rate in ((L, 97, 0.2), (L, 256, 0.1), (M, 40, 0.5)):
            out.append(case(model, "h2o", "fastkv", n, rate, layout=layout))
    return out + [
        case(L, "h2o", "paper", 601, 0.1), case(M, "h2o", "paper", 256, 0.2), case(N, "h2o", "paper", 97, 0.2),
        case(L, "h2o", "paper", 97, None, 97), case(L, "h2o", "paper", 1, None, 16),
        case(L, "h2o", "fastkv", 601, 0.1), case(L, "h2o", "fastkv", 7, None, 16), case(L, "h2o", "fastkv", 40, 0.2),
        case(L, "h2o", "fastkv", 256, 0.2, causal=True), case(L, "h2o", "paper", 97, 0.2, causal=False),
        {**case(M, "h2o", "fastkv", 256, 0.2), "note": "causal=false shows the future; the sliding window still hides the far past"}]


def snapkv():
    out = []
    for layout in ("per_kv_head", "per_query_head"):
        out += [case(L, "snapkv", "paper", n, rate=r, layout=layout) for n, r in ((256, 0.2), (97, 0.5), (601, 0.1))]
        out += [case(L, "snapkv", "fastkv", n, rate=r, layout=layout) for n, r in ((97, 0.2), (256, 0.1), (40, 0.2))]
        out += [case(M, "snapkv", "fastkv", 97, rate=0.2, layout=layout)]
        out += [case(L, "snapkv", "paper", 64, budget=64, layout=layout)]
    return out + [
        case(L, "snapkv", "paper", 7, budget=64), case(L, "snapkv", "fastkv", 1, budget=8), case(M, "snapkv", "paper", 256, rate=0.5),
        case(M, "snapkv", "paper", 601, rate=0.2), case(M, "snapkv", "fastkv", 601, budget=33), case(N, "snapkv", "fastkv", 256, rate=0.1), case(L, "snapkv", "fastkv", 601, rate=0.2),
        case(L, "snapkv", "paper", 256, budget=32), case(L, "snapkv", "paper", 256, rate=0.2, pool="average", kernel=5),
        case(L, "snapkv", "fastkv", 97, rate=0.2, kernel=1), case(L, "snapkv", "fastkv", 256, budget=100, window=33, kernel=13),
        case(L, "snapkv", "fastkv", 2000, rate=0.1)]


def gemfilter():
    return [
        case(L, "gemfilter", "paper", 97), case(L, "gemfilter", "paper", 2000), case(L, "gemfilter", "paper", 256, budget=100),
        case(L, "gemfilter", "paper", 601, rate=0.2), case(L, "gemfilter", "fastkv", 97, rate=0.1), case(L, "gemfilter", "fastkv", 256, rate=0.5),
        case(L, "gemfilter", "fastkv", 601, rate=0.1), case(L, "gemfilter", "fastkv", 7, rate=0.5), case(L, "gemfilter", "fastkv", 2, rate=0.5),
        case(L, "gemfilter", "fastkv", 97, budget=97), case(L, "gemfilter", "fastkv", 256, rate=0.2, layer=0),
        case(L, "gemfilter", "fastkv", 256, rate=0.2, layer=5), case(L, "gemfilter", "fastkv", 256, rate=0.2, pool="max", kernel=7),
        case(M, "gemfilter", "fastkv", 256, rate=0.5), case(M, "gemfilter", "fastkv", 601, rate=0.2), case(M, "gemfilter", "paper", 97),
        case(N, "gemfilter", "fastkv", 97, rate=0.5)]


def pyramidinfer():
    out = []
    for decode in ("intended", "as_coded", "off"):
        out += [case(L, "pyramidinfer", "paper", 256, p=0.9, recent_ratio=0.05, decode=decode),
                case(L, "pyramidinfer", "fastkv", 256, p=0.01, recent_ratio=0.01, decode=decode),
                case(L, "pyramidinfer", "paper", 601, p=0.01, recent_ratio=0.01, decode=decode)]
    for decode in ("intended", "as_coded"):
        out += [case(L, "pyramidinfer", "paper", 97, p=0.9, recent_ratio=0.2, decode=decode),
                case(L, "pyramidinfer", "paper", 97, p=0.3, recent_ratio=0.01, min_context=4, decode=decode),
                case(L, "pyramidinfer", "fastkv", 256, p=0.7, recent_ratio=0.1, decode=decode),
                case(L, "pyramidinfer", "fastkv", 40, p=0.01, recent_ratio=0.1, min_context=4, decode=decode),
                case(M, "pyramidinfer", "paper", 256, p=0.75, recent_ratio=0.05, decode=decode),
                case(M, "pyramidinfer", "fastkv", 601, p=0.01, recent_ratio=0.01, decode=decode)]
    return out + [
        case(L, "pyramidinfer", "paper", 601, p=0.9), case(L, "pyramidinfer", "fastkv", 601, p=0.3, recent_ratio=0.2),
        case(L, "pyramidinfer", "paper", 1, p=0.9), case(L, "pyramidinfer", "paper", 7, p=0.9, recent_ratio=0.2),
        case(L, "pyramidinfer", "paper", 256, p=0.5, recent_ratio=0.1, distance_weight=3.0), case(N, "pyramidinfer", "paper", 256, p=0.5, recent_ratio=0.05),
        case(L, "pyramidinfer", "fastkv", 2000, p=0.01, recent_ratio=0.01)]


def fastkv():
    out = []
    for profile in ("paper", "fastkv"):
        out += [case(L, "fastkv", profile, 256, rate=0.1), case(M, "fastkv", profile, 256, rate=0.2)]
    return out + [
        case(L, "fastkv", "fastkv", 97, rate=0.1), case(L, "fastkv", "fastkv", 97, rate=0.5), case(L, "fastkv", "fastkv", 40, rate=0.2),
        case(L, "fastkv", "fastkv", 256, rate=0.2), case(L, "fastkv", "fastkv", 256, rate=0.1, tsp_rate=0.5),
        case(L, "fastkv", "fastkv", 601, rate=0.1), case(L, "fastkv", "paper", 601, rate=0.2), case(L, "fastkv", "paper", 2000, rate=0.1),
        case(L, "fastkv", "fastkv", 97, rate=1.0, tsp_rate=1.0), case(L, "fastkv", "fastkv", 97, rate=0.2, tsp_rate=1.0),
        case(L, "fastkv", "fastkv", 97, rate=0.5, tsp_rate=0.3, tsp_layer=0), case(L, "fastkv", "fastkv", 256, rate=0.2, tsp_layer=4),
        case(L, "fastkv", "fastkv", 256, rate=0.2, tsp_layer=5), case(L, "fastkv", "fastkv", 256, rate=0.2, tsp_rate=0.3, window=12, pool="average", kernel=3),
        case(L, "fastkv", "fastkv", 256, budget=64, tsp_len=128), case(L, "fastkv", "fastkv", 601, budget=64, tsp_len=40),
        case(L, "fastkv", "fastkv", 601, budget=512, tsp_len=2048), case(L, "fastkv", "fastkv", 97, budget=97, tsp_len=97),
        case(L, "fastkv", "fastkv", 1, budget=16, tsp_len=32), case(L, "fastkv", "fastkv", 7, budget=512, tsp_len=2048),
        case(M, "fastkv", "fastkv", 601, rate=0.1), case(M, "fastkv", "fastkv", 256, rate=0.1), case(M, "fastkv", "fastkv", 601, budget=24, tsp_len=33), case(M, "fastkv", "fastkv", 256, budget=60, tsp_len=100),
        case(M, "fastkv", "fastkv", 2000, rate=0.1), case(N, "fastkv", "fastkv", 256, rate=0.1), case(N, "fastkv", "fastkv", 97, rate=0.2)]


def random():
    return [case(L, "random", "paper", 97, rate=0.5), case(L, "random", "fastkv", 256, rate=0.2, seed=7),
            case(L, "random", "paper", 40, budget=40), case(M, "random", "paper", 97, rate=0.2), case(N, "random", "fastkv", 64, budget=9)]


ALL = {f.__name__: f for f in (full, streamingllm, h2o, snapkv, gemfilter, pyramidinfer, fastkv, random)}
