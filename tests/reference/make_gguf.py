# SPDX-License-Identifier: Apache-2.0
"""Tiny GGUF files of one llama in every weight type that kvlab reads, under tests/golden/models/.

llama-tiny-{F32,F16,BF16,Q8_0,Q4_0,Q4_1}.gguf   all matrices in that type, norms in F32
llama-tiny-rope_freqs.gguf                      F16, with the rope_freqs tensor of llama3 RoPE scaling, untied head

Rows of the query and key projections are in GGUF's order. Run: python make_gguf.py   (gguf, torch, tokenizers, numpy)
"""

import json

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter, LlamaFileType, TokenType
from gguf.quants import quantize

import golden_io
import gguf_model
import make_models
import tiny_tokenizer

CONFIG = {"vocab_size": tiny_tokenizer.VOCAB_SIZE, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
          "num_key_value_heads": 2, "head_dim": 8, "intermediate_size": 64, "tie_word_embeddings": True,
          "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "max_position_embeddings": 2048}
FILE_TYPES = {"F32": LlamaFileType.ALL_F32, "F16": LlamaFileType.MOSTLY_F16, "BF16": LlamaFileType.MOSTLY_BF16,
              "Q8_0": LlamaFileType.MOSTLY_Q8_0, "Q4_0": LlamaFileType.MOSTLY_Q4_0, "Q4_1": LlamaFileType.MOSTLY_Q4_1}


def write(name, kind, config, seed, freq_factors=None):
    path = golden_io.MODELS / f"llama-tiny-{name}.gguf"
    out = GGUFWriter(str(path), "llama")
    out.add_name("kvlab llama-tiny " + name)
    out.add_block_count(config["num_hidden_layers"])
    out.add_context_length(config["max_position_embeddings"])
    out.add_embedding_length(config["hidden_size"])
    out.add_feed_forward_length(config["intermediate_size"])
    out.add_head_count(config["num_attention_heads"])
    out.add_head_count_kv(config["num_key_value_heads"])
    out.add_rope_freq_base(config["rope_theta"])
    out.add_rope_dimension_count(config["head_dim"])
    out.add_layer_norm_rms_eps(config["rms_norm_eps"])
    out.add_vocab_size(config["vocab_size"])
    out.add_file_type(FILE_TYPES[kind])
    add_tokenizer(out)
    if freq_factors is not None:
        out.add_tensor("rope_freqs.weight", np.array(freq_factors, dtype=np.float32))
    dtype = GGMLQuantizationType[kind]
    for hf_name, tensor in make_models.weights(seed, config).items():
        w = tensor.numpy()
        base = hf_name.removesuffix(".weight")
        if base.startswith("model.layers."):
            layer, part = base.removeprefix("model.layers.").split(".", 1)
            short = {v: k for k, v in gguf_model.LAYER_NAMES.items()}[part]
            if short in ("attn_q", "attn_k"):
                heads = config["num_attention_heads" if short == "attn_q" else "num_key_value_heads"]
                w = np.ascontiguousarray(gguf_model.permute(w, heads))
            gguf_name = f"blk.{layer}.{short}.weight"
        else:
            gguf_name = {v: k for k, v in gguf_model.GLOBAL_NAMES.items()}[base] + ".weight"
        if w.ndim == 1:
            out.add_tensor(gguf_name, w)
        else:
            out.add_tensor(gguf_name, quantize(w, dtype), raw_dtype=dtype)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()
    print(path, path.stat().st_size, "bytes")


def add_tokenizer(out):
    tok = json.loads(tiny_tokenizer.make(add_bos=False).to_str())
    vocab = tok["model"]["vocab"]
    tokens = sorted(vocab, key=vocab.get)
    out.add_tokenizer_model("gpt2")
    out.add_tokenizer_pre("smollm")
    out.add_token_list(tokens)
    out.add_token_types([TokenType.CONTROL if t in tiny_tokenizer.SPECIAL else TokenType.NORMAL for t in tokens])
    out.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in tok["model"]["merges"]])
    out.add_bos_token_id(tiny_tokenizer.BOS)
    out.add_eos_token_id(tiny_tokenizer.EOS)
    out.add_pad_token_id(tiny_tokenizer.PAD)
    out.add_add_bos_token(False)


def main():
    for kind in FILE_TYPES:
        write(kind, kind, CONFIG, seed=5)
    untied = {**CONFIG, "tie_word_embeddings": False}
    write("rope_freqs", "F16", untied, seed=6, freq_factors=[1.0, 2.5, 8.0, 8.0])


if __name__ == "__main__":
    main()
