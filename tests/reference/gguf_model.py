# SPDX-License-Identifier: Apache-2.0
"""A llama-architecture GGUF file as Hugging Face would have it: config, float32 weights, tokenizer.

GGUF stores the rows of attn_q and attn_k in another order (rotation pairs interleaved); `unpermute` undoes that.
Used by the other scripts here; needs gguf, numpy, torch, transformers, tokenizers.
"""

import numpy as np
import torch
from gguf import GGUFReader, dequantize
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM

LAYER_NAMES = {
    "attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj", "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"}
GLOBAL_NAMES = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
TOKEN_CONTROL = 3


def permute(weight, n_head):
    """Hugging Face row order -> GGUF row order."""
    return weight.reshape(n_head, 2, -1, weight.shape[1]).swapaxes(1, 2).reshape(weight.shape)


def unpermute(weight, n_head):
    """GGUF row order -> Hugging Face row order."""
    return weight.reshape(n_head, -1, 2, weight.shape[1]).swapaxes(1, 2).reshape(weight.shape)


def fields(reader):
    return {name: field.contents() for name, field in reader.fields.items()}


def llama(path):
    """A transformers model in float32, eager attention, with the file's dequantized weights."""
    reader = GGUFReader(str(path))
    f = fields(reader)
    assert f["general.architecture"] == "llama"
    n_head, n_kv = f["llama.attention.head_count"], f["llama.attention.head_count_kv"]
    tensors, freq_factors = {}, None
    for t in reader.tensors:
        if t.name == "rope_freqs.weight":
            freq_factors = np.array(t.data, dtype=np.float32)
            continue
        w = np.array(dequantize(t.data, t.tensor_type), dtype=np.float32).reshape([int(d) for d in reversed(t.shape)])
        base = t.name.removesuffix(".weight")
        if base.startswith("blk."):
            _, layer, part = base.split(".")
            if part in ("attn_q", "attn_k"):
                w = unpermute(w, n_head if part == "attn_q" else n_kv)
            name = f"model.layers.{layer}.{LAYER_NAMES[part]}.weight"
        else:
            name = GLOBAL_NAMES[base] + ".weight"
        tensors[name] = torch.from_numpy(np.ascontiguousarray(w))
    tied = "lm_head.weight" not in tensors
    config = LlamaConfig(
        vocab_size=tensors["model.embed_tokens.weight"].shape[0], hidden_size=f["llama.embedding_length"],
        intermediate_size=f["llama.feed_forward_length"], num_hidden_layers=f["llama.block_count"],
        num_attention_heads=n_head, num_key_value_heads=n_kv, max_position_embeddings=f["llama.context_length"],
        rms_norm_eps=f["llama.attention.layer_norm_rms_epsilon"], tie_word_embeddings=tied,
        rope_parameters={"rope_type": "default", "rope_theta": f["llama.rope.freq_base"]})
    config._attn_implementation = "eager"
    model = LlamaForCausalLM(config).to(torch.float32).eval()
    if tied:
        tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"]
    model.load_state_dict(tensors, strict=True)
    if freq_factors is not None:     # llama3 RoPE scaling in GGUF: one divisor per frequency
        model.model.rotary_emb.inv_freq /= torch.from_numpy(freq_factors)
    return model


def tokenizer(path):
    """The file's byte-level BPE; CONTROL tokens are special; pre-tokenizer of "smollm"."""
    f = fields(GGUFReader(str(path), "r"))
    assert f["tokenizer.ggml.model"] == "gpt2" and f["tokenizer.ggml.pre"] == "smollm"
    tokens = f["tokenizer.ggml.tokens"]
    merges = [tuple(m.split(" ")) for m in f["tokenizer.ggml.merges"]]
    tok = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=merges))
    split = [pre_tokenizers.Digits(individual_digits=True),
             pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)]
    tok.pre_tokenizer = pre_tokenizers.Sequence(split)
    tok.decoder = decoders.ByteLevel()
    special = [t for t, kind in zip(tokens, f["tokenizer.ggml.token_type"]) if kind == TOKEN_CONTROL]
    tok.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in special])
    return tok
