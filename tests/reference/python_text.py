# SPDX-License-Identifier: Apache-2.0
"""What Python's str and re make of every code point, and of some strings -> tests/golden/python_text.json.

`classes`: [first, last, bits] for runs of code points with equal bits, runs of 0 left out: 1 isspace (split, strip), 2 \\d, 4 \\w,
8 in string.punctuation, 16 Case_Ignorable and 32 Cased as the final sigma shows them (a character that is both counts as the
first). `lower`: [first, last, step, distance] for code points whose lower() is one other code point; `lower_long`: those with
more. `strings`: [text, lower(), strip(), split(), findall(\\d+), findall(\\w+)]. Surrogates are not asked: no UTF-8 has them.
Run: python python_text.py (CPython 3.11, Unicode 14: the tables are the interpreter's)
"""

import random
import re
import string
import unicodedata

import golden_io
import tokenizer_strings

ALL = [c for c in range(1, 0x110000) if not 0xD800 <= c <= 0xDFFF]


def bits(code):
    c = chr(code)
    out = c.isspace() | (re.fullmatch(r"\d", c) is not None) << 1 | (re.fullmatch(r"\w", c) is not None) << 2
    assert c.isspace() == (len(("x" + c + "x").split()) == 2) == (("x" + c).strip() == "x") == (re.fullmatch(r"\s", c) is not None)
    out |= (c in string.punctuation) << 3
    behind, alone = ("A" + c + "Σ").lower()[-1] == "ς", (c + "Σ").lower()[-1] == "ς"
    ignorable, cased = behind and not alone, alone
    # What stands behind the sigma must tell the same.
    assert ignorable == (("AΣ" + c + "A").lower()[1] == "σ" and ("AΣ" + c).lower()[1] == "ς")
    assert cased == (("AΣ" + c).lower()[1] == "σ")
    return out | ignorable << 4 | cased << 5


def class_runs():
    runs = []
    for code in ALL:
        b = bits(code)
        if runs and runs[-1][2] == b and runs[-1][1] == code - 1:
            runs[-1][1] = code
        else:
            runs.append([code, code, b])
    return [r for r in runs if r[2]]


def lower_runs():
    runs, long = [], []
    for code in ALL:
        low = chr(code).lower()
        if len(low) > 1:
            long.append([code, low])
        elif ord(low) != code:
            distance = ord(low) - code
            last = runs[-1] if runs else None
            if last and last[3] == distance and code - last[1] in ((1, 2) if last[0] == last[1] else (last[2],)):
                last[2], last[1] = code - last[1], code
            else:
                runs.append([code, code, 1, distance])
    return runs, long


def texts():
    rng = random.Random(20240611)
    out = ["", "Σ", "ΣΣ", "ΑΣ", "ΑΣ.", "ΑΣ.Α", "Α.Σ", "ΑΣ'Α", "ΑΣ’ ", "A\u0301Σ\u0301", "ΑΣ\u00adΑ", "ΌΣΟΣ ΟΔΥΣΣΕΎΣ ΣΟΦΟΣ", "ʰΣ", "aʰΣʰ", "ΣʰΑ",
           "ªΣ", "ⅷΣ", "ⅧΣ", "ⓐΣ", "🄰Σ", "🅐Σ", "🅰Σ", "ǅΣ", "İ", "İI", "I\u0307", "IİΣ", "ẞß", "K Å Ω", "ȺȾ ǅ Ǆ ǆ ΐ ŉ ﬁ", "ϴ ϒ ᾈ ᾼ", "Ⰰⰰ Ꙁꙁ 𐐀𐐨 𞤀𞤢",
           "Ა ა Ꭰ ꭰ Ᏸ", " x ", "\x1cx\x1f", "\u180ex\u180e", "\u200bx\u200b", "\x85x\xa0", "\u3000x y\u2028z", "\ufeffx", "a\u0301b", "१२३ ١٢٣ １２３ 𝟙𝟚 ²³ ½ ⅷ 〇 一",
           "_a_1_", "a’b‿c", "x\u00b7y", "\u0897\u1c89\u1c8a\U00010d40\U00011f50\ua7cbA\U00016ea0\U00010d50"]
    alphabet = ([c for s in tokenizer_strings.SCRIPTS.values() for c in s] + [c for s in tokenizer_strings.SPACES for c in s]
                + [c for c in tokenizer_strings.CONTROLS if c != "\0"] + list("ΣΣΣΣΣΑΑσςİIı.':\u0301\u0345\u00adʰˮ 0123٣٤५६Aa"))
    for _ in range(300):
        out.append("".join(rng.choice(alphabet) for _ in range(rng.randrange(1, 25))))
    return out


def main():
    runs, long = lower_runs()
    strings = [[t, t.lower(), t.strip(), t.split(), re.findall(r"\d+", t), re.findall(r"\w+", t)] for t in texts()]
    golden_io.write_json(golden_io.GOLDEN / "python_text.json",
                         {**golden_io.header(__file__), "unicode": unicodedata.unidata_version, "classes": class_runs(), "lower": runs,
                          "lower_long": long, "strings": strings})


main()
