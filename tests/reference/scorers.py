# SPDX-License-Identifier: Apache-2.0
"""What the official scorers say -> tests/golden/scores.json and porter.json.

The functions are the official ones, called where they lie: metrics.py of THUDM/LongBench, constants.py and postprocess_pred of
NVIDIA/RULER, and the packages that they use; eval.py's loop over answers and its first lines are written out below. fuzzywuzzy is
loaded twice, without and with python-Levenshtein. Where two figures are rounded by the official script, the rounding is taken out.

scores.json: `columns` names the scores of a row; `rows`: [prediction, answers, classes or null, scores]. A score is null where
the scorer does not apply, "error" where it raises for want of "Paragraph N". Column `rouge_l_deep`: for each answer, whether the
package dies of Python's recursion limit under eval.py (its own score is then taken without the limit). A text is a string or a
list of parts: a string; [string, times]; [seed, n, vocabulary, stop], n words "w<k>" each with a blank behind it (a full stop
and a blank behind every stop-th word, 0: none), k drawn by x -> (1103515245 x + 12345) mod 2^31 from the seed, (x >> 8) mod
vocabulary. porter.json: words with their stems.
Run: python scorers.py LONGBENCH RULER (two checkouts; rouge 1.0.1, rouge-score, nltk, fuzzywuzzy, python-Levenshtein)
"""

import argparse
import ast
import importlib
import importlib.util
import itertools
import random
import re
import sys
import types
import warnings
from pathlib import Path

import golden_io
import tokenizer_strings as ts

COLUMNS = ["recall", "recall_any", "qa_f1", "rouge_l", "rouge_l_deep", "class", "retrieval", "count", "code", "code_levenshtein",
           "first_line_qa_f1", "first_line_rouge_l", "first_line_class", "rouge_1", "contains"]
NO_LIMIT = 10 ** 6


# The official functions

def load_module(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def fuzz_module(with_levenshtein):
    for name in [n for n in sys.modules if n.startswith("fuzzywuzzy") or n == "Levenshtein"]:
        del sys.modules[name]
    if not with_levenshtein:
        sys.modules["Levenshtein"] = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fuzz = importlib.import_module("fuzzywuzzy.fuzz")
    assert fuzz.SequenceMatcher.__module__ == ("fuzzywuzzy.StringMatcher" if with_levenshtein else "difflib")
    sys.modules.pop("Levenshtein", None)
    return fuzz


def one_function(path, name):
    """A function of a script whose other imports are not at hand."""
    tree = ast.parse(Path(path).read_text())
    tree.body = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == name]
    scope = {"re": re}
    exec(compile(tree, str(path), "exec"), scope)
    return scope[name]


class Official:
    def __init__(self, longbench, ruler):
        from rouge_score import rouge_scorer
        sys.modules["jieba"] = types.ModuleType("jieba")                       # only the Chinese tasks cut with it
        self.fuzz = {False: fuzz_module(False), True: fuzz_module(True)}
        self.metrics = load_module("metrics", Path(longbench) / "LongBench" / "metrics.py")
        self.ruler = load_module("ruler_constants", Path(ruler) / "scripts" / "eval" / "synthetic" / "constants.py")
        self.ruler.round = lambda x, digits: x
        self.clean = one_function(Path(ruler) / "scripts" / "eval" / "evaluate.py", "postprocess_pred")
        self.rouge_1 = rouge_scorer.RougeScorer(["rouge1", "rougeL"], use_stemmer=True)

    def best(self, metric, prediction, answers, classes, first_line=False):
        """scorer() of eval.py for one sample."""
        score = 0.
        if first_line:
            prediction = prediction.lstrip("\n").split("\n")[0]
        for answer in answers:
            score = max(score, metric(prediction, answer, all_classes=classes))
        return score

    def code(self, levenshtein, prediction, answers):
        self.metrics.fuzz = self.fuzz[levenshtein]
        return self.best(self.metrics.code_sim_score, prediction, answers, None)

    def too_deep(self, prediction, answer):
        """rouge_score() of metrics.py, called two frames deep as eval.py does, but telling."""
        def probe(hypothesis, reference):
            rouge = self.metrics.Rouge()
            try:
                rouge.get_scores([hypothesis], [reference], avg=True)
            except RecursionError:
                return True
            except Exception:
                return False
            return False

        frame, depth = sys._getframe(), 0
        while frame:
            frame, depth = frame.f_back, depth + 1
        sys.setrecursionlimit(1000 + depth - 2)
        try:
            return probe(prediction, answer)
        finally:
            sys.setrecursionlimit(NO_LIMIT)

    def retrieval(self, prediction, answers):
        try:
            return self.best(self.metrics.retrieval_score, prediction, answers, None)
        except IndexError:
            return "error"

    def scores(self, prediction, answers, classes):
        m, clean = self.metrics, self.clean(prediction, None)
        out = {
            "recall": self.ruler.string_match_all([clean], [answers]) / 100 if answers else None,
            "recall_any": self.ruler.string_match_part([clean], [answers]) / 100 if answers else None,
            "rouge_l_deep": [self.too_deep(prediction, a) for a in answers],
            "retrieval": self.retrieval(prediction, answers),
            "count": self.best(m.count_score, prediction, answers, None),
            "code": self.code(False, prediction, answers),
            "code_levenshtein": self.code(True, prediction, answers),
            "rouge_1": max([self.rouge_1.score(a, prediction)["rouge1"].fmeasure for a in answers], default=0),
            "contains": max([int(a in prediction) for a in answers], default=0),
        }
        for prefix, first_line in (("", False), ("first_line_", True)):
            out[prefix + "qa_f1"] = self.best(m.qa_f1_score, prediction, answers, None, first_line)
            out[prefix + "rouge_l"] = self.best(m.rouge_score, prediction, answers, None, first_line)
            out[prefix + "class"] = None if classes is None else self.best(m.classification_score, prediction, answers, classes,
                                                                           first_line)
        return [out[c] for c in COLUMNS]


# The texts

def words(seed, n, vocabulary, stop):
    out, x = [], seed
    for i in range(n):
        x = (x * 1103515245 + 12345) % 2 ** 31
        out.append(f"w{(x >> 8) % vocabulary}" + ("." if stop and (i + 1) % stop == 0 else "") + " ")
    return "".join(out)


def written_out(text):
    if isinstance(text, str):
        return text
    return "".join(p if isinstance(p, str) else p[0] * p[1] if len(p) == 2 else words(*p) for p in text)


EDGES = ["", " ", "\n", ".", "...", " . .", "!?,;", "the", "The A an", "a", "x", "an apple", "\tThe  apple.\n", "apple apple apple", "Apples, an apple; the APPLE!",
         "ΟΔΟΣ οδος", "ΟΔΟΣ.", "İstanbul I\u0307 ıI", "i\u0307stanbul", "１２３ 123", "123", "١٢٣ 12 3", "a\u0301n the\u0301 e\u0301", "the’s a—an", "\x1cthe\x1fb\x85c\xa0d\u3000e", "\u180ethe\u200b",
         "K Å ſ", "café", "CAFE\u0301", "人工 智能", "人工智能", "`x`", "# x\ny // z\n apple", "\n\nthe\n", "\x01apple\x02", "_the_ the_"]
ENDS = ["", "", "", " ", "\n", "\n\n", ".", "\x1f", "\x08", "\u3000"]
DIGITS = ["0123456789", "０１２３４５６７８９", "٠١٢٣٤٥٦٧٨٩", "०१२३४५६७८९", "𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗", "²³¹", "ⅷⅣ〇½"]
SUFFIXES = """ s es ies ied y ed ing eed ational tional enci anci izer bli abli alli entli eli ousli ization ation ator alism iveness fulness ousness aliti
iviti biliti fulli logi icate ative alize iciti ical ful ness al ance ence er ic able ible ant ement ment ent ion sion tion ou ism ate iti ous ive ize ll e le at
bl iz ated bled ized ping lling ssed zzing ying""".split(" ")


def edited(rng, tokens, rate):
    """Some tokens dropped, doubled, replaced, moved."""
    out = []
    for token in tokens:
        r = rng.random() / rate
        out += [] if r < .25 else [token, token] if r < .4 else [rng.choice(tokens)] if r < .8 else [token]
        if .8 <= r < 1 and out:
            out.insert(rng.randrange(len(out)), token)
    return out


def word_texts(rng):
    """Pairs of English or other words with much in common."""
    for i in range(170):
        tokens = re.split(r"(?<= )", ts.english(rng, rng.randrange(1, 60)) if i % 3 else rng.choice(list(ts.SCRIPTS.values())))
        a, b = ("".join(edited(rng, tokens, rng.choice([.1, .4, .9]))) for _ in range(2))
        yield a + rng.choice(ENDS), [b + rng.choice(ENDS)]


def character_texts(rng):
    """Pairs of strings of characters from all over, with white space, controls and marks."""
    pool = ([c for s in ts.SCRIPTS.values() for c in s] + ts.EMOJI + ts.COMBINING + [s for s in ts.SPACES] * 4 + [c for c in ts.CONTROLS if c != "\0"]
            + ["the", "a", "an", ".", "`", "#", "//", "Σ", "İ", "K"] * 6)
    for _ in range(120):
        tokens = [rng.choice(pool) for _ in range(rng.randrange(1, 50))]
        yield "".join(edited(rng, tokens, .3)), ["".join(edited(rng, tokens, .3))]


def repeated_texts(rng):
    """Few different words, or few different letters, so that ties decide."""
    for i in range(110):
        separator = rng.choice([" ", " ", "", ". ", "\n"])
        alphabet = rng.choice(["ab", "abc", "abcdef"]) if i % 2 else ["the", "cat", "cats", "a", "sat", "."]
        a, b = (separator.join(rng.choice(alphabet) for _ in range(rng.randrange(0, 60))) for _ in range(2))
        yield a, [b]


def tied_texts(rng):
    """By rule: unlike texts in which many common subsequences are as long, of different words."""
    for i in range(80):
        n, vocabulary, stop = rng.randrange(30, 150), rng.randrange(40, 200), rng.choice([0, 0, 13, 40])
        yield [[2 * i + 1000, n, vocabulary, stop]], [[[2 * i + 1001, rng.randrange(30, 150), vocabulary, stop and 17]]]


def code_texts(rng):
    """Lines of code: the first without a sign of a comment counts; 200 characters and more have popular ones."""
    for i in range(150):
        source = rng.choice(ts.CODE + list(ts.SCRIPTS.values())) * rng.choice([1, 1, 3, 6])
        line = source.replace("\n", " ") if i % 2 else rng.choice(source.split("\n")) + rng.choice(["", " ", ";"])
        rate = rng.choice([.02, .1, .5])
        prediction = "".join(edited(rng, list(line), rate)).replace("#", "").replace("//", "")
        before = rng.choice(["", "", "", "\n", "\n\n", "```python\n", "# note\n", "// note\n", " \n", "`x`\n"])
        yield before + prediction + rng.choice(["", "\nmore\n", "\n// x"]), ["".join(edited(rng, list(line), rate))]


def number(rng, digits):
    return "".join(rng.choice(digits) for _ in range(rng.choice([1, 1, 2, 2, 3])))


def number_texts(rng, n, answer):
    for _ in range(n):
        digits = rng.choice(DIGITS + DIGITS[:1] * 4)
        numbers = [number(rng, rng.choice([digits, DIGITS[0]])) for _ in range(rng.randrange(0, 7))]
        right = rng.choice(numbers + ["0" + x for x in numbers[:1]] + [number(rng, digits)])
        prediction = "".join(rng.choice(["Paragraph ", " ", "-", ".", "x", "\n"]) + x for x in numbers) + rng.choice(ENDS)
        yield prediction, [answer(rng, right)]


def paragraph(rng, right):
    return rng.choice(["Paragraph %s", "Paragraph %s", "Paragraph %s and Paragraph 7", "Paragraph x, Paragraph %s.", "Paragraph Paragraph %s",
                       "paragraph %s", "Paragraph  %s", "Paragraph %sth", "Answer: Paragraph %s"]) % right


def class_texts(rng):
    """Classes that contain one another, so that skipping shows."""
    parts = ["Person", "name", "Date", "Number", "of", "City", "Other", "Other entity"]
    for _ in range(330):
        classes = [" ".join(rng.sample(parts, rng.choice([1, 1, 2, 3]))) for _ in range(rng.randrange(1, 12))]
        classes += rng.sample(classes, rng.choice([0, 0, 0, 1, 2])) if len(classes) > 2 else []
        answer = rng.choice(classes + classes + [" ".join(rng.sample(parts, 3)), ""])
        prediction = " ".join([rng.choice([answer, answer, rng.choice(classes)])] + rng.sample(parts, rng.randrange(0, 4)))
        yield rng.choice(["", "\n", "\n\n"]) + prediction + rng.choice(["", "\nType: " + rng.choice(classes)]), [answer], classes


def many_answers(rng):
    for _ in range(60):
        tokens = [ts.english(rng, rng.randrange(1, 5)) for _ in range(6)]
        answers = [" ".join(edited(rng, rng.sample(tokens, rng.randrange(1, 4)), .2)) for _ in range(rng.randrange(2, 7))]
        yield " ".join(edited(rng, tokens, .2)).swapcase() + rng.choice(ENDS), answers


def long_texts():
    """Described by rule. The recursion limit lies at 991 calls: 990 equal words."""
    for n in (100, 989, 990, 991, 1500):
        yield [["word ", n]], [[["word ", n]]]
    yield [[7, 990, 1000, 0]], [[[7, 990, 1000, 0]]]
    yield [[7, 991, 1000, 0]], [[[7, 991, 1000, 0]]]
    yield "x", [[["y ", 989]]]
    yield [["y ", 990]], ["x"]
    yield [["y ", 991]], ["x"]
    yield [["y ", 992], ". x"], ["x. z"]
    yield [["a ", 600]], [[["b ", 390]]]
    yield [["a ", 600]], [[["b ", 391]]]
    yield [[1, 300, 20, 0]], [[[2, 900, 20, 0]]]
    yield [[3, 1200, 50, 0]], [[[4, 1100, 50, 0]]]
    yield [[5, 3000, 400, 25]], [[[6, 2500, 400, 17]]]
    yield [[5, 2000, 400, 25], "the end"], [[[5, 1000, 400, 25], "\n", [9, 900, 400, 25]], [[5, 2000, 400, 30]]]
    yield [[11, 2500, 5000, 0]], [[[11, 300, 5000, 0], "break ", [12, 200, 5000, 0]]]
    yield [["ab", 3000]], [[["ba", 2500], "c"]]
    yield [[21, 1500, 300, 0]], [[[21, 700, 300, 0], "x", [22, 800, 300, 0]]]


def rows():
    rng = random.Random(20250606)
    out = [(p, [a], None) for p, a in itertools.product(EDGES, EDGES) if p == a or rng.random() < .3]
    out += [("", [], None), ("text", [], None), ("Paragraph 3", ["Paragraph 3", "Paragraph 4"], None), ("3", ["Paragraph 3", "none"], None)]
    for source in (word_texts(rng), character_texts(rng), repeated_texts(rng), code_texts(rng), many_answers(rng), tied_texts(rng), long_texts(),
                   number_texts(rng, 80, lambda _, right: right), number_texts(rng, 330, paragraph)):
        out += [(p, a, None) for p, a in source]
    return out + list(class_texts(rng))


def porter_words():
    rng = random.Random(1980)
    out = {w.lower() for w in re.findall(r"[A-Za-z]+", Path(__file__).read_text() + Path(ts.__file__).read_text())}
    out |= set("""sky skies dying lying tying news innings inning outings outing cannings canning howe proceed exceed succeed dies died flies spied
        enjoy happy by say cry yyyy yyyying ayyed toy syzygy falling hissing fizzed tanned filing hopping agreed feed bled sing motoring conflated
        troubled sized geology archaeology theologi radicalli vietnamization adoption rate cease controll roll 123s 4ties x1ed os es ed ing""".split())
    stems = ["", "a", "y", "b", "tr", "hop", "rel", "conn", "yy", "oe", "str", "cov", "troub", "wax", "gal", "form", "electr", "adopt", "es", "bas", "fizz", "roll", "sky", "7"]
    out |= {s + f for s in stems for f in SUFFIXES} | {s + f + g for s in stems[4:14] for f in rng.sample(SUFFIXES, 8) for g in SUFFIXES}
    out |= {"".join(rng.choice("aeiouylstnrbcdz1") for _ in range(rng.randrange(1, 12))) for _ in range(1500)}
    return sorted(w for w in out if w)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("longbench")
    parser.add_argument("ruler")
    args = parser.parse_args()
    official = Official(args.longbench, args.ruler)
    sys.setrecursionlimit(NO_LIMIT)
    out = []
    for prediction, answers, classes in rows():
        scores = official.scores(written_out(prediction), [written_out(a) for a in answers], classes)
        out.append([prediction, answers, classes, scores])
    for i, column in enumerate(COLUMNS):
        known = [s[i] for *_, s in out if s[i] is not None]
        assert len(known) >= 300, (column, len(known))
        numbers = [x for x in known if isinstance(x, (int, float))]
        print(column, len(known), "rows,", len({round(x, 6) for x in numbers}), "different scores,", sum(x not in (0, 1) for x in numbers),
              "neither 0 nor 1")
    packages = ("rouge", "rouge-score", "nltk", "fuzzywuzzy", "python-Levenshtein", "rapidfuzz")
    golden_io.write_json(golden_io.GOLDEN / "scores.json", {**golden_io.header(__file__, *packages), "columns": COLUMNS, "rows": out})
    from nltk.stem import porter
    stemmer = porter.PorterStemmer()
    golden_io.write_json(golden_io.GOLDEN / "porter.json",
                         {**golden_io.header(__file__, "nltk"), "stems": {w: stemmer.stem(w) for w in porter_words()}})


main()
