# SPDX-License-Identifier: Apache-2.0
"""Times Hugging Face transformers on a randomly initialised LLaMA, as `kvlab bench random:PRESET --method full` times ours.

    python peer_transformers.py llama-3.1-8b --context 8k,32k,128k [-o peers.jsonl]

Same boundary: prefill from ids on the device to the first logits (of the last position only) with the cache in place; decode per token
after the first, the sampled id brought to the host, with transformers' own growing DynamicCache; synchronized at both ends; seeded
random ids; warm-ups before the samples. One JSON line a context and attention (sdpa; flash_attention_2 where its package is there), with
the fields of harness/record.h that apply and `engine` besides. Packages: torch, transformers. Runs on a GPU, else on the CPU.
"""

import argparse
import importlib.util
import inspect
import json
import platform
import statistics
import sys
import time
from datetime import datetime, timezone

import torch
import transformers
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM

LLAMA3_ROPE = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
               "original_max_position_embeddings": 8192}
# As core/presets.c has them.
PRESETS = {
    "llama-3.1-8b": dict(num_hidden_layers=32, hidden_size=4096, num_attention_heads=32, num_key_value_heads=8, head_dim=128,
                         intermediate_size=14336, vocab_size=128256, max_position_embeddings=131072, rope_theta=5e5,
                         rope_scaling=LLAMA3_ROPE, tie_word_embeddings=False),
    "smollm2-135m": dict(num_hidden_layers=30, hidden_size=576, num_attention_heads=9, num_key_value_heads=3, head_dim=64,
                         intermediate_size=1536, vocab_size=49152, max_position_embeddings=8192, rope_theta=1e5,
                         tie_word_embeddings=True),
    "tiny-llama": dict(num_hidden_layers=6, hidden_size=96, num_attention_heads=6, num_key_value_heads=2, head_dim=16,
                       intermediate_size=160, vocab_size=320, max_position_embeddings=8192, rope_theta=1e4,
                       tie_word_embeddings=True),
}
UNITS = {"k": 1024, "m": 1024 * 1024}


def count(text):
    return int(text[:-1]) * UNITS[text[-1].lower()] if text[-1].lower() in UNITS else int(text)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("preset", choices=PRESETS)
    parser.add_argument("--context", default="8k,32k,128k", help="prompt tokens")
    parser.add_argument("--new-tokens", type=int, default=32)
    parser.add_argument("--samples", type=int, default=10)
    parser.add_argument("--warmup", type=int, default=2)
    parser.add_argument("--time-limit", type=float, help="seconds a context, with at least two samples")
    parser.add_argument("--dtype", choices=["bf16", "f32"], default="bf16")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", help="the records' file, added to (default: standard output)")
    return parser.parse_args()


def make_model(args, attention, n_positions):
    shape = dict(PRESETS[args.preset])
    shape["max_position_embeddings"] = max(shape["max_position_embeddings"], n_positions)
    config = LlamaConfig(attn_implementation=attention, **shape)
    torch.manual_seed(args.seed)
    torch.set_default_dtype(torch.bfloat16 if args.dtype == "bf16" else torch.float32)
    with torch.device(args.device):
        return LlamaForCausalLM(config).eval()


def synchronize(device):
    if device == "cuda":
        torch.cuda.synchronize()


def now_ns(device):
    synchronize(device)
    return time.perf_counter_ns()


def forward_arguments(model, cache):
    """The cache, and the head for the last position only: both arguments' names have changed over time."""
    names = inspect.signature(model.forward).parameters
    keep = {name: 1 for name in ("logits_to_keep", "num_logits_to_keep") if name in names}
    return {"cache" if "cache" in names else "past_key_values": cache, "use_cache": True, **keep}


@torch.inference_mode()
def run_once(model, ids, n_new, device):
    """One prefill and n_new steps: (prefill, decode per token, end to end) in ns."""
    cache = DynamicCache()
    more = forward_arguments(model, cache)
    start = now_ns(device)
    logits = model(ids, **more).logits
    prefilled = now_ns(device)
    for _ in range(n_new):
        token = int(logits[0, -1].argmax())
        logits = model(torch.tensor([[token]], device=device), **more).logits
    end = now_ns(device)
    assert cache.get_seq_length() == ids.shape[1] + n_new and torch.isfinite(logits).all()
    return prefilled - start, (end - prefilled) / max(n_new, 1), end - start


def measure(model, ids, args):
    """Samples behind the warm-ups, fewer where the time is up."""
    samples, begun = [], time.monotonic()
    for i in range(-args.warmup, args.samples):
        sample = run_once(model, ids, args.new_tokens, args.device)
        if i >= 0:
            samples.append(sample)
        if args.time_limit and time.monotonic() - begun > args.time_limit and len(samples) >= 2:
            break
    return samples


def quantile(values, q):
    """Linear between the sorted values, as harness/statistics.c."""
    values = sorted(values)
    at = q * (len(values) - 1)
    low = int(at)
    high = min(low + 1, len(values) - 1)
    return values[low] + (at - low) * (values[high] - values[low])


def times(prefix, values):
    return {f"{prefix}_median_ns": statistics.median(values), f"{prefix}_p05_ns": quantile(values, 0.05),
            f"{prefix}_p95_ns": quantile(values, 0.95), f"{prefix}_samples_ns": values}


def describe(model, args, attention):
    config, on_gpu = model.config, args.device == "cuda"
    n_weights = sum(p.numel() * p.element_size() for p in model.parameters())
    return {"schema": 1, "kind": "bench", "engine": f"transformers {transformers.__version__} {attention}",
            "time_utc": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"), "argv": sys.argv,
            "cpu": None if on_gpu else platform.processor() or platform.machine(),
            "gpu": torch.cuda.get_device_name() if on_gpu else None, "driver": f"torch {torch.__version__}",
            "threads": None if on_gpu else torch.get_num_threads(), "backend": f"transformers-{attention}", "dtype": args.dtype,
            "model": args.preset, "model_source": f"random:{args.preset}", "architecture": "llama",
            "n_layer": config.num_hidden_layers, "n_embd": config.hidden_size, "n_head": config.num_attention_heads,
            "n_kv": config.num_key_value_heads, "head_size": config.head_dim, "n_ff": config.intermediate_size,
            "n_vocab": config.vocab_size, "weight_bytes": n_weights, "method": "full", "profile": None, "kv_rate": None,
            "kv_budget": None, "params": {}, "seed": args.seed, "new_tokens": args.new_tokens, "warmups": args.warmup,
            "phases": ["prefill", "decode", "e2e"], "copy_cache": True}  # DynamicCache grows by torch.cat


def record_of(model, context, args, attention):
    record = dict(describe(model, args, attention), context=context, n_samples=args.samples)
    generator = torch.Generator().manual_seed(args.seed)
    ids = torch.randint(model.config.vocab_size, (1, context), generator=generator).to(args.device)
    if args.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    try:
        samples = measure(model, ids, args)
    except torch.OutOfMemoryError as error:
        return dict(record, status="oom", reason=str(error).split("\n")[0])
    for prefix, values in zip(("prefill", "decode_token", "e2e"), zip(*samples)):
        record.update(times(prefix, list(values)))
    record["peak_bytes"] = torch.cuda.max_memory_allocated() if args.device == "cuda" else None
    return dict(record, status="ok", reason=None, n_scored=len(samples))


def main():
    args = parse()
    contexts = [count(text) for text in args.context.split(",")]
    has_flash = args.device == "cuda" and importlib.util.find_spec("flash_attn") is not None
    for attention in ["sdpa"] + ["flash_attention_2"] * has_flash:
        model = make_model(args, attention, max(contexts) + args.new_tokens)
        for context in contexts:
            line = json.dumps(record_of(model, context, args, attention))
            with open(args.output, "a") if args.output else open(1, "w", closefd=False) as out:
                print(line, file=out, flush=True)
        del model


if __name__ == "__main__":
    main()
