# SPDX-License-Identifier: Apache-2.0
"""Rendered chat prompts, generation prompt added -> tests/golden/chat_templates.json.

smollm2    the GGUF's own Jinja template
llama-3    header, blank line, trimmed text, <|eot_id|> per message
llama-3.1  the same behind a system block that always comes, with the two date lines of Meta's template before the text
mistral    tekken v3: <s>[INST]user[/INST]answer</s>...; a system message goes before the last user message, a blank line
           between. Compared with mistral_common's encode_chat_completion, by ids and by text.
Trimming is Python's str.strip(). Run: python chat_templates.py SMOLLM2.gguf TEKKEN_240911.JSON   (gguf, jinja2, mistral-common, tokenizers)
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from gguf import GGUFReader
from jinja2.sandbox import ImmutableSandboxedEnvironment
from mistral_common.protocol.instruct.messages import AssistantMessage, SystemMessage, UserMessage
from mistral_common.protocol.instruct.request import ChatCompletionRequest
from mistral_common.protocol.instruct.validator import ValidationMode
from mistral_common.tokens.tokenizers.mistral import MistralTokenizer
from tokenizers import Tokenizer

import golden_io
import gguf_model

DATES = "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n"

def user(text):
    return {"role": "user", "content": text}


def system(text):
    return {"role": "system", "content": text}


def assistant(text):
    return {"role": "assistant", "content": text}


CONVERSATIONS = [
    [user("What is a KV cache?")],
    [system("You are terse."), user("What is a KV cache?")],
    [user("Hi"), assistant("Hello."), user("Count to 3.")],
    [system("Answer in French."), user("Hi"), assistant("Bonjour."), user("Quel âge a le \"soleil\"? 😀")],
    [user("  two leading, one trailing space \n")],
    [user("Text:\n\nline one\n  line two\n\nQuestion: {{ x }} & <b>?")],
]


def llama(messages, dates):
    def block(role, text):
        return f"<|start_header_id|>{role}<|end_header_id|>\n\n{text}<|eot_id|>"

    out = "<|begin_of_text|>"
    if dates:
        text = ""
        if messages[0]["role"] == "system":
            text, messages = messages[0]["content"].strip(), messages[1:]
        out += block("system", DATES + text)
    for m in messages:
        out += block(m["role"], m["content"].strip())
    return out + "<|start_header_id|>assistant<|end_header_id|>\n\n"


def mistral(messages):
    text = ""
    if messages[0]["role"] == "system":
        text, messages = messages[0]["content"] + "\n\n", messages[1:]
    out = "<s>"
    for i, m in enumerate(messages):
        if m["role"] == "user":
            out += "[INST]" + (text if i == len(messages) - 1 else "") + m["content"] + "[/INST]"
        else:
            out += m["content"] + "</s>"
    return out


def check_mistral(tekken):
    """Our text, tokenized, against mistral_common; returns the conversations that differ."""
    kinds = {"user": UserMessage, "system": SystemMessage, "assistant": AssistantMessage}
    ours = Tokenizer.from_file(tekken_json(tekken))
    theirs = MistralTokenizer.from_file(tekken, mode=ValidationMode.test)
    wrong = []
    for i, messages in enumerate(CONVERSATIONS):
        request = ChatCompletionRequest(messages=[kinds[m["role"]](content=m["content"]) for m in messages])
        got = theirs.encode_chat_completion(request)
        if got.tokens != ours.encode(mistral(messages), add_special_tokens=False).ids or got.text != mistral(messages):
            print("mistral differs:", i, repr(got.text), repr(mistral(messages)))
            wrong.append(i)
    return wrong


def tekken_json(tekken):
    out = Path(tempfile.mkdtemp()) / "tekken.json"
    subprocess.run([sys.executable, str(Path(__file__).with_name("convert_tiktoken.py")), "tekken", tekken, str(out)], check=True)
    return str(out)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("smollm2")
    parser.add_argument("tekken")
    args = parser.parse_args()
    source = gguf_model.fields(GGUFReader(args.smollm2))["tokenizer.chat_template"]
    smollm2 = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True).from_string(source)
    render = {"smollm2": lambda m: smollm2.render(messages=m, add_generation_prompt=True),
              "llama-3.1": lambda m: llama(m, dates=True), "llama-3": lambda m: llama(m, dates=False), "mistral": mistral}
    cases = [{"template": name, "messages": m, "text": f(m)} for name, f in render.items() for m in CONVERSATIONS]
    golden_io.write_json(golden_io.GOLDEN / "chat_templates.json", {
        **golden_io.header(__file__, "gguf", "jinja2", "mistral-common", "tokenizers"),
        "mistral_differs_from_mistral_common": check_mistral(args.tekken), "cases": cases})


if __name__ == "__main__":
    main()
