# SPDX-License-Identifier: Apache-2.0
"""The seeded list of strings on which tokenizers are compared. Imported by tokenizer_ids.py; `strings()` is the same on every run.

Random characters come from Unicode 3.2 (Python's own old table) and a hand-chosen newer list, all older than Unicode 12,
so that regex libraries with tables of different age must agree. Some strings hold U+0000.
"""

import random
import unicodedata

WORDS = """the of and to in is that for it was on are as with they be at one have this from or had by hot but some what
there we can out other were all your when up use word how said an each she which do their time if will way about many
then them would write like so these her long make thing see him two has look more day could go come did my sound no most
number who over know water than call first people may down side been now find internationalization antidisestablishmentarianism
HTTPServer JSONParser kv_cache snake_case camelCase XMLHttpRequest don't can't it's we'll they've I'd you're O'Neil""".split()

CODE = [
    "int main(int argc, char **argv)\n{\n\tfor (size_t i = 0; i < n; ++i) {\n\t\tx[i] *= 0.5f;  /* half */\n\t}\n\treturn 0;\n}\n",
    "def f(x: int = 3, *args, **kw) -> list[str]:\n    \"\"\"Doc.\"\"\"\n    return [f\"{y!r:>10}\" for y in args if y % 2 == 0]\n",
    "const g = async (a, b) => { await fetch(`https://x.io/${a}?q=${b}&z=1#top`); };\r\n// done\r\n",
    "SELECT name, COUNT(*) AS n FROM t WHERE a >= 10 AND b <> 'x''y' GROUP BY name HAVING n > 1;",
    "fn main() -> Result<(), Box<dyn Error>> {\n    let v: Vec<u8> = vec![0; 1 << 20];\n    println!(\"{:?}\", &v[..4]);\n    Ok(())\n}",
    "#!/bin/sh\nset -eu\nfor f in *.tar.gz; do tar xzf \"$f\" 2>/dev/null || echo \"bad: $f\" >&2; done\n",
    "<div class=\"a b\" data-x='1'>\n  <p>Hello&nbsp;world &lt;3</p>\n</div>\n",
    "{\"key\": [1, 2.5e-3, true, null, \"\\u00e9\\n\"], \"nested\": {\"a\": {}}}",
    "\\begin{equation}\n  \\int_0^\\infty e^{-x^2}\\,dx = \\frac{\\sqrt{\\pi}}{2}\n\\end{equation}\n",
    "__global__ void k(float *__restrict__ x, int n) { int i = blockIdx.x * blockDim.x + threadIdx.x; if (i < n) x[i] += 1.f; }",
    "let rec fact = function 0 -> 1 | n -> n * fact (n - 1);;  (* OCaml *)",
    "| a | b |\n|---|:-:|\n| 1 | **2** |\n\n```c\nx++;\n```\n> quote\n",
    "%1$s %-08.3f %lld %% \\t\\n \\x41 \\\\ /usr/local/bin:/bin C:\\Users\\x\\",
    "if(a!=b&&c||!d){e=f?g:h;}//x", "x = {**a, 'b': [*c]} @ d >>= 3 // 4 ** -1", "print('a'+\"b\"*3,end='')\n\n\n\n#x",
]

SCRIPTS = {
    "chinese": "人工智能模型的缓存压缩方法比较，长文本推理。我们在一个引擎上测量速度和内存！「引号」、『书名』",
    "japanese": "こんにちは世界。カタカナとひらがなと漢字が混ざった文章です。ﾊﾝｶｸ 〜 ー々〆",
    "korean": "안녕하세요 세계 한국어 문장을 토큰으로 나눕니다. ᄒᆞᆫ글 ㄱㄴㄷ",
    "arabic": "مرحبا بالعالم، هذا نص عربي مع تشكيل: مُحَمَّدٌ ١٢٣٤٥ لا إله",
    "hebrew": "שלום עולם, זהו טקסט בעברית עם ניקוד: שָׁלוֹם ־ ״ציטוט״ 123",
    "thai": "สวัสดีชาวโลก นี่คือข้อความภาษาไทย ๑๒๓๔ กำลังทดสอบ",
    "devanagari": "नमस्ते दुनिया, यह हिन्दी का वाक्य है। क्षत्रिय १२३ संस्कृतम्",
    "tamil": "வணக்கம் உலகம் தமிழ் ௧௨௩", "bengali": "হ্যালো বিশ্ব বাংলা ১২৩", "telugu": "నమస్తే ప్రపంచం ౧౨౩",
    "russian": "Привет, мир! Это русский текст с ёлками и ЪЬЫ. «Кавычки» — тире № 5",
    "greek": "Γειά σου Κόσμε! Ελληνικά ΚΕΊΜΕΝΑ ς σ Σ ΄ ἀρχὴ ἦν ὁ λόγος", "turkish": "İstanbul ıssız İIiı ğüşöç Iğdır",
    "vietnamese": "Tiếng Việt có nhiều dấu: ngữ pháp, đường, ươ Ộ", "german": "Größe Straße ẞ ÄÖÜ äöü Übermaß Fußgänger",
    "french": "L'été dernier, c'était «très» bien… Où? À l'hôtel, œuvre Œ ÿ", "spanish": "¿Qué? ¡Año nuevo! mañana niño",
    "polish": "Zażółć gęślą jaźń ŁÓDŹ", "georgian": "გამარჯობა მსოფლიო ათი", "armenian": "Բարեւ աշխարհ և",
    "amharic": "ሰላም ልዑል ፩፪፫", "tibetan": "བཀྲ་ཤིས་བདེ་ལེགས། ༡༢༣", "khmer": "សួស្តី​ពិភពលោក ១២៣", "burmese": "မင်္ဂလာပါ ၁၂၃",
    "math": "∀x∈ℝ: ∑ᵢ₌₁ⁿ xᵢ² ≤ ∫₀¹ f(t)dt ≠ ∞ ⊂ ⟨a|b⟩ 𝒳 𝔸 𝟙 ⅷ Ⅻ ½ ⅔ ² ³ ① ⑳ ⒈ 〇 ㊿ ౸ ᛮ",
    "symbols": "© ® ™ € £ ¥ ¢ § ¶ † ‡ • … ‰ ′ ″ ‹ › ← → ↔ ⇒ ■ □ ▲ ★ ☆ ♠ ♥ ♪ ✓ ✗ ✿ ❤ ➜ ─│┌┐ █▓▒░ �  ",
    "fullwidth": "Ｆｕｌｌ ｗｉｄｔｈ １２３ ＡＢＣ ！？（）", "coptic": "Ⲡⲓⲛⲟⲩϯ", "cherokee": "ᏣᎳᎩ ꭰꭱ", "deseret": "𐐀𐐁𐐨𐐩", "gothic": "𐌰𐌱𐌲",
}

EMOJI = ["😀", "😂🤣", "👍🏽", "👩‍👩‍👧‍👦", "👨🏿‍💻", "🏳️‍🌈", "🇩🇪🇫🇷", "❤️", "❤", "1️⃣", "#️⃣", "🧑‍🚀", "🤷🏻‍♀️", "☺️", "©️", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🐈‍⬛", "🎉🎉🎉", "✨", "♾️"]

SPACES = ["\t", "\n", "\r", "\r\n", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x1f", "\x85", "\xa0", "\u1680", "\u180e", "\u2000", "\u2003",
          "\u2009", "\u200a", "\u200b", "\u200c", "\u200d", "\u2028", "\u2029", "\u202f", "\u205f", "\u2060", "\u3000", "\ufeff", " ", "  "]

CONTROLS = [chr(c) for c in range(32)] + ["\x7f", "\x80", "\x84", "\x86", "\x9f", "\xad", "\u200e", "\u200f", "\u202a", "\u202e",
                                           "\u2066", "\u2069", "\u034f", "\ufffc", "\ufffd", "\ue000", "\U000e0041", "\U000f0000"]

SPECIAL = ["<|im_start|>", "<|im_end|>", "<|endoftext|>", "<repo_name>", "<reponame>", "<file_sep>", "<gh_stars>", "<jupyter_code>",
           "<empty_output>", "<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>", "<|eom_id|>", "<|start_header_id|>",
           "<|end_header_id|>", "<|python_tag|>", "<|reserved_special_token_0|>", "<|reserved_special_token_12|>",
           "<|finetune_right_pad_id|>", "<|step_id|>", "<|image|>", "[INST]", "[/INST]", "<s>", "</s>", "<unk>", "<pad>", "[IMG]",
           "[TOOL_CALLS]", "[SYSTEM_PROMPT]", "[AVAILABLE_TOOLS]", "[PREFIX]", "<SPECIAL_20>", "<SPECIAL_999>", "<SPECIAL_1000>",
           "<|im_start", "im_start|>", "<| im_start |>", "<|IM_START|>", "[INST", "[ INST ]", "<<SYS>>", "<|eot_id|", "<|", "|>"]

CONTRACTIONS = ["'s", "'S", "'ſ", "'t", "'T", "'re", "'RE", "'rE", "'Re", "'ve", "'VE", "'m", "'M", "'ll", "'LL", "'lL", "'d", "'D",
                "\u2019s", "\u2019re", "`s", "''s", "'", "''", "'ss", "'sT", "'sé", "'K", "'\u212a"]

COMBINING = ["e\u0301", "a\u0308\u0301", "n\u0303o", "Z\u0351\u036b\u0343a\u0300\u0301\u0302l", "\u0301", " \u0301x", "o\u0302\u0323", "ſ\u0307",
             "क\u094d\u0937", "ก\u0e33", "\u1100\u1161\u11a8", "가", "\u212b Å A\u030a", "ﬁ ﬂ ﬀ", "\u01c5 ǆ Ǆ ᾳ ᾼ", "x\u20dd", "\u200d\u0301", "Dž ǈ ᾈ"]


def random_characters(rng):
    """Assigned in Unicode 3.2, not a surrogate, not private."""
    old = unicodedata.ucd_3_2_0
    while True:
        c = chr(rng.choice([rng.randrange(0x20, 0x3000), rng.randrange(0x3000, 0x10000), rng.randrange(0x10000, 0x30000)]))
        if old.category(c) not in ("Cn", "Cs", "Co"):
            return c


def english(rng, n):
    out = []
    for _ in range(n):
        w = rng.choice(WORDS)
        w = w.capitalize() if rng.random() < 0.15 else w.upper() if rng.random() < 0.05 else w
        out.append(w + rng.choice([""] * 8 + [",", ".", ";", ":", "!", "?", "...", " -", "\n"]))
    return rng.choice(["", " ", "\n"]) * (rng.random() < 0.1) + " ".join(out)


def strings():
    rng = random.Random(20250207)
    out = ["", " ", "  ", "\n", "a", "A", "0", "é", "人", "😀", "\x00", "a\x00b", "\ufeff", "\ufeffabc"]
    out += CODE + list(SCRIPTS.values()) + EMOJI + SPACES + CONTROLS + SPECIAL + COMBINING

    for c in CONTRACTIONS:                                        # after a word, alone, before a word, in capitals
        out += [c, "he" + c, "HE" + c + " x", c + "abc", "it" + c + c, "1" + c, " " + c]
    for s in SPACES:                                              # between words, runs, at the ends, before digits and marks
        out += ["a" + s + "b", s + s + "a", "a" + s + s + s, "a " + s + " b", "1" + s + "2", "." + s + "\n", s + "\n" + s + "x", "x" + s + "!"]
    for c in CONTROLS:
        out += ["ab" + c + "cd", "1" + c + c + " x"]
    for s in SPECIAL:
        out += ["a" + s + "b", s + s, " " + s + " ", "\n" + s + "\n"]
    for e in EMOJI:
        out += ["a" + e + "b", e + " " + e, "hi " + e + "!!\n"]
    for c in ["a", "A", "0", "7", " ", "\n", "\t", "=", "-", ".", "_", "é", "漢", "😀", "\u0301", "\r\n", "ab", "1a", " a", "\xa0", "'s"]:
        out += [c * n for n in (3, 8, 33, 200)]
    out += ["a" * 2000, " " * 2000, "\n" * 1000, "0" * 1000, "=" * 1000, "漢" * 500, "ab" * 800, "x" + " " * 500 + "y"]

    def add(n, make):
        for _ in range(n):
            out.append(make())

    add(250, lambda: english(rng, rng.randrange(1, 40)))
    add(150, lambda: "".join(rng.choice(CODE)[rng.randrange(20):][:rng.randrange(10, 120)] for _ in range(2)))
    add(150, lambda: "".join(rng.choice("0123456789") for _ in range(rng.randrange(1, 40)))
        + rng.choice(["", " ", ".", ",", "%", "px", "e10"]) + str(rng.randrange(10 ** rng.randrange(1, 12))))
    add(40, lambda: "".join(rng.choice("٠١٢३४५௧௨０１２²³½Ⅷ①१0123 ") for _ in range(rng.randrange(2, 15))))
    add(200, lambda: "".join(rng.choice([" ", "  ", "\t", "\n", "\r\n", "\r", "    ", "a", "B", "1", ".", "\n\n", " \n", "\xa0", "\u3000"])
                             for _ in range(rng.randrange(2, 30))))
    add(100, lambda: "".join(rng.choice(SPACES + ["x", "7", "!", "é"]) for _ in range(rng.randrange(2, 20))))
    scripts = list(SCRIPTS.values())
    for s in scripts:
        for _ in range(6):
            i = rng.randrange(len(s))
            out.append(s[i:i + rng.randrange(1, 30)])
    add(120, lambda: " ".join(rng.choice(scripts)[:rng.randrange(1, 12)] + rng.choice(["", "!", "123", "\n"]) for _ in range(rng.randrange(2, 5))))
    add(80, lambda: "".join(rng.choice(EMOJI + COMBINING + WORDS + [" "]) for _ in range(rng.randrange(1, 10))))
    add(100, lambda: "".join(rng.choice(WORDS) + rng.choice(CONTRACTIONS) + rng.choice(["", " ", "x", "."]) for _ in range(rng.randrange(1, 5))))
    add(120, lambda: "".join(rng.choice([rng.choice(SPECIAL), rng.choice(WORDS), " ", "\n", "!"]) for _ in range(rng.randrange(2, 9))))
    add(100, lambda: "".join(rng.choice("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ ¡¿…—\n/") for _ in range(rng.randrange(1, 25))))
    add(100, lambda: "".join(rng.choice("aAbBzZéÉßſǅıİΣς0_-'\n /") for _ in range(rng.randrange(1, 25))))
    add(300, lambda: "".join(random_characters(rng) for _ in range(rng.randrange(1, 16))))
    add(60, lambda: english(rng, 4) + "".join(random_characters(rng) for _ in range(rng.randrange(1, 5))) + english(rng, 2))
    assert all(s == s.encode("utf-8").decode("utf-8") for s in out)
    return list(dict.fromkeys(out))
