# SPDX-License-Identifier: Apache-2.0
"""Tiny Hugging Face model folders with seeded random weights, under tests/golden/models/.

llama-tiny       LLaMA, GQA 3, tied embeddings, llama3 RoPE scaling that matters (original_max_position 64), one safetensors
mistral-tiny     Mistral, head size given and not hidden/heads, untied head, sliding window 48 in every layer, two shards
ministral-tiny   Ministral, sliding (40) and full layers mixed (`layer_types`), one KV head, head size 24, `rope_parameters`
llama-tiny-bf16  two layers, bfloat16, untied head

Query and key projections are drawn wider than the rest, so that attention is peaked.
Run: python make_models.py   (torch, safetensors, tokenizers; versions in models/versions.json)
"""

import json

import torch
from safetensors.torch import save_file

import golden_io
import tiny_tokenizer

BASE = {"vocab_size": tiny_tokenizer.VOCAB_SIZE, "hidden_act": "silu", "rms_norm_eps": 1e-5, "attention_bias": False,
        "bos_token_id": tiny_tokenizer.BOS, "eos_token_id": tiny_tokenizer.EOS, "pad_token_id": tiny_tokenizer.PAD,
        "max_position_embeddings": 8192, "initializer_range": 0.02}

MODELS = {
    "llama-tiny": (1, {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 96, "num_hidden_layers": 6,
        "num_attention_heads": 6, "num_key_value_heads": 2, "head_dim": 16, "intermediate_size": 160,
        "tie_word_embeddings": True, "rope_theta": 500000.0,
        "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                         "original_max_position_embeddings": 64},
        "torch_dtype": "float32"}),
    "mistral-tiny": (2, {
        "architectures": ["MistralForCausalLM"], "model_type": "mistral", "hidden_size": 64, "num_hidden_layers": 6,
        "num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": 16, "intermediate_size": 48,
        "tie_word_embeddings": False, "rope_theta": 10000.0, "sliding_window": 48, "torch_dtype": "float32"}),
    "ministral-tiny": (3, {
        "architectures": ["MinistralForCausalLM"], "model_type": "ministral", "hidden_size": 64, "num_hidden_layers": 4,
        "num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 24, "intermediate_size": 48,
        "tie_word_embeddings": True, "rope_parameters": {"rope_type": "default", "rope_theta": 100000.0},
        "sliding_window": 40,
        "layer_types": ["sliding_attention", "full_attention", "sliding_attention", "full_attention"],
        "dtype": "float32"}),
    "llama-tiny-bf16": (4, {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 96,
        "tie_word_embeddings": False, "rope_theta": 10000.0, "torch_dtype": "bfloat16"}),
}


def weights(seed, config, qk_gain=1.6, embed_std=0.5):
    """Hugging Face names -> float32 tensors; in-projections have unit gain, query and key `qk_gain`."""
    rng = torch.Generator().manual_seed(seed)
    hidden, ffn = config["hidden_size"], config["intermediate_size"]
    head = config.get("head_dim", hidden // config["num_attention_heads"])
    q, kv = config["num_attention_heads"] * head, config["num_key_value_heads"] * head

    def linear(n_out, n_in, gain):
        return torch.randn(n_out, n_in, generator=rng) * (gain / n_in ** 0.5)

    def norm():
        return 1.0 + 0.1 * torch.randn(hidden, generator=rng)

    out = {"model.embed_tokens.weight": torch.randn(config["vocab_size"], hidden, generator=rng) * embed_std}
    for i in range(config["num_hidden_layers"]):
        p = f"model.layers.{i}."
        out[p + "input_layernorm.weight"] = norm()
        out[p + "self_attn.q_proj.weight"] = linear(q, hidden, qk_gain)
        out[p + "self_attn.k_proj.weight"] = linear(kv, hidden, qk_gain)
        out[p + "self_attn.v_proj.weight"] = linear(kv, hidden, 1.0)
        out[p + "self_attn.o_proj.weight"] = linear(hidden, q, 1.0)
        out[p + "post_attention_layernorm.weight"] = norm()
        out[p + "mlp.gate_proj.weight"] = linear(ffn, hidden, 1.5)
        out[p + "mlp.up_proj.weight"] = linear(ffn, hidden, 1.5)
        out[p + "mlp.down_proj.weight"] = linear(hidden, ffn, 1.0)
    out["model.norm.weight"] = norm()
    if not config["tie_word_embeddings"]:
        out["lm_head.weight"] = linear(config["vocab_size"], hidden, 4.0)
    return out


def save_weights(folder, tensors, n_shards):
    if n_shards == 1:
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        return
    names, where = list(tensors), {}
    for s in range(n_shards):
        part = names[s * len(names) // n_shards:(s + 1) * len(names) // n_shards]
        file = f"model-{s + 1:05d}-of-{n_shards:05d}.safetensors"
        save_file({n: tensors[n] for n in part}, folder / file, metadata={"format": "pt"})
        where.update({n: file for n in part})
    total = sum(t.numel() * t.element_size() for t in tensors.values())
    index = {"metadata": {"total_size": total}, "weight_map": where}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n")


def main():
    torch.set_num_threads(1)
    for name, (seed, own) in MODELS.items():
        folder = golden_io.MODELS / name
        folder.mkdir(parents=True, exist_ok=True)
        config = {**BASE, **own}
        tensors = weights(seed, config)
        if name.endswith("bf16"):
            tensors = {k: v.to(torch.bfloat16) for k, v in tensors.items()}
        save_weights(folder, tensors, 2 if name == "mistral-tiny" else 1)
        (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
        tiny_tokenizer.make(add_bos=name.startswith("llama")).save(str(folder / "tokenizer.json"), pretty=False)
        (folder / "tokenizer_config.json").write_text(json.dumps({
            "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|bos|>", "eos_token": "<|eos|>",
            "pad_token": "<|pad|>", "add_bos_token": name.startswith("llama"), "model_max_length": 8192}, indent=2) + "\n")
        print(name, sum(f.stat().st_size for f in folder.iterdir()), "bytes")
    golden_io.write_json(golden_io.MODELS / "versions.json", golden_io.header(__file__, "torch", "safetensors", "tokenizers"))


if __name__ == "__main__":
    main()
