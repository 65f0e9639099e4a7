#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A tiktoken-style vocabulary as a Hugging Face tokenizer.json. Standard library only.

    convert_tiktoken.py llama3 TOKENIZER.MODEL OUT.json     (llama_models/llama3/tokenizer.model of PyPI's llama_models)
    convert_tiktoken.py tekken TEKKEN.JSON OUT.json         (mistral_common/data/tekken_240911.json of PyPI's mistral_common)

tiktoken joins the neighbours whose concatenation has the lowest rank; BPE with a merge list does the same when the list
holds every split of every token into two tokens, in the order of the tokens' ranks. A piece that is itself a token is
taken as it is (`ignore_merges`). llama3: ids are ranks, 256 special tokens follow, merges are "a b" strings. tekken: 1000
special tokens come first (they are in the vocabulary too, since they have its lowest ids), merges are ["a", "b"] pairs.
"""

import argparse
import base64
import json

LLAMA3_PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
                  r"|\s*[\r\n]+|\s+(?!\S)|\s+")
LLAMA3_NAMED = {0: "<|begin_of_text|>", 1: "<|end_of_text|>", 2: "<|reserved_special_token_0|>",
                3: "<|reserved_special_token_1|>", 4: "<|finetune_right_pad_id|>", 5: "<|step_id|>",
                6: "<|start_header_id|>", 7: "<|end_header_id|>", 8: "<|eom_id|>", 9: "<|eot_id|>",
                10: "<|python_tag|>", 11: "<|image|>"}
LLAMA3_SPECIAL = [LLAMA3_NAMED.get(i, f"<|reserved_special_token_{i - 10}|>") for i in range(256)]

TEKKEN_NAMED = ["<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]",
                "[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]", "<pad>", "[IMG_BREAK]", "[IMG_END]", "[PREFIX]", "[MIDDLE]",
                "[SUFFIX]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[TOOL_CONTENT]"]


def byte_symbols():
    """GPT-2's printable stand-in for each byte: printable Latin-1 as it is, the others from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    symbols = {b: chr(b) for b in printable}
    for b in range(256):
        if b not in symbols:
            symbols[b] = chr(0x100 + len(symbols) - len(printable))
    return [symbols[b] for b in range(256)]


SYMBOLS = byte_symbols()


def text(token):
    return "".join([SYMBOLS[b] for b in token])


def merges(ranks):
    """Every split of every token into two tokens: by rank of the whole, then of the left, then of the right part."""
    out = []
    for token in sorted(ranks, key=ranks.get):
        splits = [(ranks[token[:i]], ranks[token[i:]], token[:i], token[i:]) for i in range(1, len(token))
                  if token[:i] in ranks and token[i:] in ranks]
        out += [(text(a), text(b)) for _, _, a, b in sorted(splits)]
    return out


def read_llama3(path):
    with open(path, encoding="ascii") as f:
        ranks = {base64.b64decode(token): int(rank) for token, rank in (line.split() for line in f if line.strip())}
    vocab = {text(t): r for t, r in ranks.items()}
    special = {s: len(ranks) + i for i, s in enumerate(LLAMA3_SPECIAL)}
    return vocab, [f"{a} {b}" for a, b in merges(ranks)], LLAMA3_PATTERN, special, "<|begin_of_text|>"


def read_tekken(path):
    with open(path, encoding="utf-8") as f:
        source = json.load(f)
    config = source["config"]
    n_special = config["default_num_special_tokens"]
    n_ranks = config["default_vocab_size"] - n_special
    ranks = {base64.b64decode(v["token_bytes"]): v["rank"] for v in source["vocab"][:n_ranks]}
    assert sorted(ranks.values()) == list(range(n_ranks))
    special = {t: i for i, t in enumerate(TEKKEN_NAMED)}
    special.update({f"<SPECIAL_{i}>": i for i in range(len(TEKKEN_NAMED), n_special)})
    vocab = {**special, **{text(t): r + n_special for t, r in ranks.items()}}
    return vocab, merges(ranks), config["pattern"], special, "<s>"


def tokenizer_json(vocab, merge_list, pattern, special, bos):
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    bos_piece = {"SpecialToken": {"id": bos, "type_id": 0}}
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": i, "content": s, "single_word": False, "lstrip": False, "rstrip": False,
                          "normalized": False, "special": True} for s, i in special.items()],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}, byte_level]},
        "post_processor": {
            "type": "TemplateProcessing", "single": [bos_piece, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [bos_piece, {"Sequence": {"id": "A", "type_id": 0}},
                     {"SpecialToken": {"id": bos, "type_id": 1}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {bos: {"id": bos, "ids": [special[bos]], "tokens": [bos]}}},
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": True,
                  "vocab": vocab, "merges": merge_list}}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["llama3", "tekken"])
    parser.add_argument("source")
    parser.add_argument("out")
    args = parser.parse_args()
    parts = (read_llama3 if args.kind == "llama3" else read_tekken)(args.source)
    with open(args.out, "w", encoding="utf-8") as f:
        json.dump(tokenizer_json(*parts), f, ensure_ascii=False, separators=(",", ":"))
        f.write("\n")


if __name__ == "__main__":
    main()
