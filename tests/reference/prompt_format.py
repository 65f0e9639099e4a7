# SPDX-License-Identifier: Apache-2.0
"""Python's format.format(**record) on made-up prompts and records, as LongBench's pred.py puts its prompts together.

Makes tests/golden/prompt_format.json: cases with the text, where the last {context} ended in its UTF-8, and cases that Python
refuses. Run: python prompt_format.py   (standard library)
"""

import golden_io

RECORD = {
    "context": "Passage 1:\nThe kiln {was} cold.\n\nPassage 2:\r\nÆ, ß and 木 stood {{in}} {input} the yard. ",
    "input": "Who lit the kiln?",
    "length": 17,
    "under_score2": "",
    "all_classes": None,
}
FORMATS = [
    "Read.\n\n{context}\n\nNow answer.\n\nQuestion: {input}\nAnswer:",
    "{context}{input}Next line of code:\n",
    "{context}",
    "No field at all.",
    "",
    "{{{input}}} is }}{{ {length} {under_score2}.",
    "{input} {context} {context} {input}",
    "读：\n{context}\n问题：{input}\n",
    "{{context}}",
    "100 % {{}} {input} % s",
]
REFUSED = ["a } b", "{context", "{", "{context}}", "{missing}", "{}", "{0}", "{{{}}}"]


def after_context(format_):
    """Bytes up to the end of the last {context}: the text without what follows it in the format."""
    head, found, _ = format_.rpartition("{context}")
    if not found or format_ == "{{context}}":
        return 0
    return len((head + found).format(**RECORD).encode("utf-8"))


def main():
    cases = [{"format": f, "text": f.format(**RECORD), "after": after_context(f)} for f in FORMATS]
    for format_ in REFUSED:
        try:
            format_.format(**RECORD)
        except (ValueError, KeyError, IndexError):
            continue
        raise AssertionError(f"Python takes {format_!r}")
    golden_io.write_json(golden_io.GOLDEN / "prompt_format.json",
                         golden_io.header(__file__) | {"record": RECORD, "cases": cases, "refused": REFUSED})


if __name__ == "__main__":
    main()
