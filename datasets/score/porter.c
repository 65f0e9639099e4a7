#include "datasets/score/porter.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct word {
    char *text;
    int64_t n;
};

struct rule {
    const char *suffix, *replacement;
    int n_with_stem;   /* characters of the suffix that count as the stem's where it is measured */
    const char *after; /* the stem's last character must be one of these; NULL: any */
};

static bool is_vowel_letter(char c)
{
    return c == 'a' || c == 'e' || c == 'i' || c == 'o' || c == 'u';
}

/* Whether the character is a consonant, given whether the one before it is; digits are. */
static bool is_next_consonant(char c, bool first, bool before)
{
    return c == 'y' ? first || !before : !is_vowel_letter(c);
}

/* Whether text[at] is a consonant. */
static bool is_consonant(const char *text, int64_t at)
{
    int64_t start = at;
    while (start > 0 && text[start] == 'y')
        start--;
    bool consonant = true;
    for (int64_t i = start; i <= at; i++)
        consonant = is_next_consonant(text[i], i == 0, consonant);
    return consonant;
}

/* Porter's m: how often a consonant follows a vowel. */
static int64_t measure(const char *text, int64_t n)
{
    int64_t m = 0;
    bool before = true;
    for (int64_t i = 0; i < n; i++) {
        bool consonant = is_next_consonant(text[i], i == 0, before);
        m += consonant && !before;
        before = consonant;
    }
    return m;
}

static bool has_vowel(const char *text, int64_t n)
{
    bool consonant = true;
    for (int64_t i = 0; i < n && consonant; i++)
        consonant = is_next_consonant(text[i], i == 0, consonant);
    return !consonant;
}

/* Porter's *o: ends with consonant, vowel, consonant, the last none of w, x, y; or is a vowel and a consonant. */
static bool ends_short(const char *text, int64_t n)
{
    if (n == 2)
        return !is_consonant(text, 0) && is_consonant(text, 1);
    return n >= 3 && is_consonant(text, n - 3) && !is_consonant(text, n - 2) && is_consonant(text, n - 1)
           && strchr("wxy", text[n - 1]) == NULL;
}

static bool ends_with(const struct word *word, const char *suffix)
{
    int64_t n = (int64_t)strlen(suffix);
    return word->n >= n && memcmp(word->text + word->n - n, suffix, (size_t)n) == 0;
}

/* The replacement is never longer than what the word has lost by then. */
static void replace(struct word *word, int64_t n_suffix, const char *replacement)
{
    int64_t n = (int64_t)strlen(replacement);
    word->n -= n_suffix;
    memcpy(word->text + word->n, replacement, (size_t)n);
    word->n += n;
}

/* The first rule whose suffix the word has decides: it is applied if the stem's m is at least min_measure and its end fits. */
static void apply(struct word *word, const struct rule *rules, size_t n_rules, int64_t min_measure)
{
    for (size_t i = 0; i < n_rules; i++) {
        const struct rule *rule = &rules[i];
        if (!ends_with(word, rule->suffix))
            continue;
        int64_t n_suffix = (int64_t)strlen(rule->suffix), n_stem = word->n - n_suffix;
        if (measure(word->text, n_stem + rule->n_with_stem) >= min_measure
            && (rule->after == NULL || (n_stem > 0 && strchr(rule->after, word->text[n_stem - 1]) != NULL)))
            replace(word, n_suffix, rule->replacement);
        return;
    }
}

static const struct rule PLURALS[] = {{.suffix = "sses", .replacement = "ss"}, {.suffix = "ies", .replacement = "i"},
                                      {.suffix = "ss", .replacement = "ss"}, {.suffix = "s", .replacement = ""}};

static const struct rule DOUBLE_SUFFIXES[] = {
    {.suffix = "ational", .replacement = "ate"}, {.suffix = "tional", .replacement = "tion"},
    {.suffix = "enci", .replacement = "ence"}, {.suffix = "anci", .replacement = "ance"},
    {.suffix = "izer", .replacement = "ize"}, {.suffix = "bli", .replacement = "ble"},
    {.suffix = "alli", .replacement = "al"}, {.suffix = "entli", .replacement = "ent"},
    {.suffix = "eli", .replacement = "e"}, {.suffix = "ousli", .replacement = "ous"},
    {.suffix = "ization", .replacement = "ize"}, {.suffix = "ation", .replacement = "ate"},
    {.suffix = "ator", .replacement = "ate"}, {.suffix = "alism", .replacement = "al"},
    {.suffix = "iveness", .replacement = "ive"}, {.suffix = "fulness", .replacement = "ful"},
    {.suffix = "ousness", .replacement = "ous"}, {.suffix = "aliti", .replacement = "al"},
    {.suffix = "iviti", .replacement = "ive"}, {.suffix = "biliti", .replacement = "ble"},
    {.suffix = "fulli", .replacement = "ful"}, {.suffix = "logi", .replacement = "log", .n_with_stem = 1},
};

static const struct rule ENDINGS[] = {
    {.suffix = "icate", .replacement = "ic"}, {.suffix = "ative", .replacement = ""}, {.suffix = "alize", .replacement = "al"},
    {.suffix = "iciti", .replacement = "ic"}, {.suffix = "ical", .replacement = "ic"}, {.suffix = "ful", .replacement = ""},
    {.suffix = "ness", .replacement = ""},
};

static const struct rule LAST_SUFFIXES[] = {
    {.suffix = "al", .replacement = ""}, {.suffix = "ance", .replacement = ""}, {.suffix = "ence", .replacement = ""},
    {.suffix = "er", .replacement = ""}, {.suffix = "ic", .replacement = ""}, {.suffix = "able", .replacement = ""},
    {.suffix = "ible", .replacement = ""}, {.suffix = "ant", .replacement = ""}, {.suffix = "ement", .replacement = ""},
    {.suffix = "ment", .replacement = ""}, {.suffix = "ent", .replacement = ""},
    {.suffix = "ion", .replacement = "", .after = "st"}, {.suffix = "ou", .replacement = ""},
    {.suffix = "ism", .replacement = ""}, {.suffix = "ate", .replacement = ""}, {.suffix = "iti", .replacement = ""},
    {.suffix = "ous", .replacement = ""}, {.suffix = "ive", .replacement = ""}, {.suffix = "ize", .replacement = ""},
};

static const struct rule DOUBLE_L[] = {{.suffix = "ll", .replacement = "l", .n_with_stem = 1}};

static const struct {
    const char *word, *stem;
} IRREGULAR[] = {
    {"sky", "sky"}, {"skies", "sky"}, {"dying", "die"}, {"lying", "lie"}, {"tying", "tie"}, {"news", "news"},
    {"innings", "inning"}, {"inning", "inning"}, {"outings", "outing"}, {"outing", "outing"}, {"cannings", "canning"},
    {"canning", "canning"}, {"howe", "howe"}, {"proceed", "proceed"}, {"exceed", "exceed"}, {"succeed", "succeed"},
};

#define APPLY(word, rules, min_measure) apply(word, rules, sizeof(rules) / sizeof *(rules), min_measure)

/* Step 1a: plurals. */
static void strip_plural(struct word *word)
{
    if (word->n == 4 && ends_with(word, "ies"))
        word->n--;
    else
        APPLY(word, PLURALS, 0);
}

/* What step 1b does to a word that has lost -ed or -ing: hopp -> hop, fil -> file. */
static void mend(struct word *word)
{
    char last = word->text[word->n - 1];
    if (ends_with(word, "at") || ends_with(word, "bl") || ends_with(word, "iz"))
        replace(word, 0, "e");
    else if (word->n >= 2 && last == word->text[word->n - 2] && is_consonant(word->text, word->n - 1))
        word->n -= strchr("lsz", last) == NULL;
    else if (measure(word->text, word->n) == 1 && ends_short(word->text, word->n))
        replace(word, 0, "e");
}

/* Step 1b: -ed and -ing. */
static void strip_past(struct word *word)
{
    static const char *const suffixes[] = {"ed", "ing"};
    if (ends_with(word, "ied")) {
        word->n -= word->n == 4 ? 1 : 2;
        return;
    }
    if (ends_with(word, "eed")) {
        word->n -= measure(word->text, word->n - 3) > 0;
        return;
    }
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        int64_t n_stem = word->n - (int64_t)strlen(suffixes[i]);
        if (ends_with(word, suffixes[i]) && has_vowel(word->text, n_stem)) {
            word->n = n_stem;
            mend(word);
            return;
        }
    }
}

/* Step 1c: happy -> happi, but enjoy. */
static void soften_y(struct word *word)
{
    if (word->n > 2 && ends_with(word, "y") && is_consonant(word->text, word->n - 2))
        word->text[word->n - 1] = 'i';
}

/* Step 2. */
static void strip_double_suffix(struct word *word)
{
    if (ends_with(word, "alli") && measure(word->text, word->n - 4) > 0)
        word->n -= 2;
    APPLY(word, DOUBLE_SUFFIXES, 1);
}

/* Step 5a. */
static void strip_final_e(struct word *word)
{
    int64_t n_stem = word->n - 1;
    if (!ends_with(word, "e"))
        return;
    int64_t m = measure(word->text, n_stem);
    if (m > 1 || (m == 1 && !ends_short(word->text, n_stem)))
        word->n = n_stem;
}

int64_t kvl_porter_stem(char *text, int64_t n)
{
    struct word word = {text, n};
    for (size_t i = 0; i < sizeof IRREGULAR / sizeof *IRREGULAR; i++)
        if ((int64_t)strlen(IRREGULAR[i].word) == n && memcmp(IRREGULAR[i].word, text, (size_t)n) == 0) {
            replace(&word, n, IRREGULAR[i].stem);
            return word.n;
        }
    if (n <= 2)
        return n;
    strip_plural(&word);
    strip_past(&word);
    soften_y(&word);
    strip_double_suffix(&word);
    APPLY(&word, ENDINGS, 1);
    APPLY(&word, LAST_SUFFIXES, 2);
    strip_final_e(&word);
    APPLY(&word, DOUBLE_L, 2);
    return word.n;
}
