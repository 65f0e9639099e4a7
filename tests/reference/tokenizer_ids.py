# SPDX-License-Identifier: Apache-2.0
"""Token ids by Hugging Face `tokenizers` -> tests/golden/tokenizer_strings.json and tokenizer_{smollm2,llama3,tekken}.json.

`ids`: special tokens in the text count as such; `ids_special_as_text`: string index -> ids where they are taken as text and
that differs. No BOS is added. Each list is compared with an independent encoder where one exists (llama3: tiktoken, tekken:
mistral_common); the number of strings that differ is printed and written as `differs_from`, it should be empty.
Run: python tokenizer_ids.py SMOLLM2.gguf LLAMA3_TOKENIZER.MODEL TEKKEN_240911.JSON
(tokenizers, gguf, tiktoken, mistral-common; the two JSON tokenizers are made by convert_tiktoken.py in a scratch folder)
"""

import argparse
import base64
import subprocess
import sys
import tempfile
from pathlib import Path

import tiktoken
from mistral_common.tokens.tokenizers.tekken import Tekkenizer
from tokenizers import Tokenizer

import convert_tiktoken
import golden_io
import gguf_model
import tokenizer_strings


def encode(tok, strings, special_as_text):
    tok.encode_special_tokens = special_as_text
    return [tok.encode(s, add_special_tokens=False).ids for s in strings]


def write(name, tok, strings, oracle=None):
    ids, as_text = encode(tok, strings, False), encode(tok, strings, True)
    special = {str(i): b for i, (a, b) in enumerate(zip(ids, as_text)) if a != b}
    out = {**golden_io.header(__file__, "tokenizers", "gguf", "tiktoken", "mistral-common")}
    if oracle:
        what, plain, with_special = oracle
        wrong = [i for i, s in enumerate(strings) if plain(s) != as_text[i] or (with_special and with_special(s) != ids[i])]
        print(name, "against", what, len(wrong), "strings differ", [(i, strings[i][:40]) for i in wrong[:20]])
        out["differs_from"] = {what: wrong}
    golden_io.write_json(golden_io.GOLDEN / f"tokenizer_{name}.json", {**out, "ids": ids, "ids_special_as_text": special})


def convert(kind, source):
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "tokenizer.json"
        script = Path(__file__).with_name("convert_tiktoken.py")
        subprocess.run([sys.executable, str(script), kind, source, str(out)], check=True)
        return Tokenizer.from_file(str(out))


def llama3_oracle(path):
    ranks = {base64.b64decode(t): int(r) for t, r in (line.split() for line in Path(path).read_text().splitlines() if line)}
    special = {s: len(ranks) + i for i, s in enumerate(convert_tiktoken.LLAMA3_SPECIAL)}
    enc = tiktoken.Encoding("llama3", pat_str=convert_tiktoken.LLAMA3_PATTERN, mergeable_ranks=ranks, special_tokens=special)
    return ("tiktoken", lambda s: enc.encode(s, allowed_special=set(), disallowed_special=()),
            lambda s: enc.encode(s, allowed_special="all"))


def main():
    parser = argparse.ArgumentParser()
    for name in ("smollm2", "llama3", "tekken"):
        parser.add_argument(name)
    args = parser.parse_args()
    strings = tokenizer_strings.strings()
    print(len(strings), "strings")
    golden_io.write_json(golden_io.GOLDEN / "tokenizer_strings.json", strings)
    write("smollm2", gguf_model.tokenizer(args.smollm2), strings)
    write("llama3", convert("llama3", args.llama3), strings, llama3_oracle(args.llama3))
    mistral = Tekkenizer.from_file(args.tekken)
    write("tekken", convert("tekken", args.tekken), strings,
          ("mistral_common", lambda s: mistral.encode(s, bos=False, eos=False), None))


if __name__ == "__main__":
    main()
