/* Essays in our own words: paragraphs about a trade, a place or a person, composed by a grammar.
 *
 * A section binds one trade, one place and one person and has a paragraph about each, in random order; a paragraph is an
 * opening, three to six sentences of its body and a closing. Patterns of a class are dealt from a shuffled deck, so that
 * one comes again only when all have been used. */
#include <assert.h>
#include <string.h>

#include "datasets/needle/essay_grammar.h"
#include "datasets/needle/haystack.h"

enum { MAX_SLOTS = 32, N_TOPICS = 3, BODY_MIN = 3, BODY_MAX = 6 };

struct deck {
    int64_t cards[KVL_ESSAY_MAX_PATTERNS];
    int64_t n; /* left to deal */
};

struct essay {
    struct kvl_random random;
    struct deck decks[KVL_ESSAY_N_CLASSES];
    int64_t row[MAX_SLOTS];  /* of each slot, the row that fills it at present */
    int64_t topics[N_TOPICS];
    int n_topics;            /* left in this section */
    enum kvl_essay_class opening;
    int n_sentences;         /* left in this paragraph */
    bool closed;             /* the next sentence opens a paragraph */
};

static void bind_slots(struct essay *essay, enum kvl_essay_scope scope)
{
    for (int i = 0; i < kvl_essay_n_slots; i++)
        if (kvl_essay_slots[i].scope == scope)
            essay->row[i] = kvl_random_below(&essay->random, kvl_essay_slots[i].n_rows);
}

static const char *deal(struct essay *essay, enum kvl_essay_class class)
{
    const struct kvl_essay_patterns *patterns = &kvl_essay_patterns[class];
    struct deck *deck = &essay->decks[class];
    assert(patterns->n <= KVL_ESSAY_MAX_PATTERNS);
    if (deck->n == 0) {
        for (; deck->n < patterns->n; deck->n++)
            deck->cards[deck->n] = deck->n;
        kvl_random_shuffle(&essay->random, deck->cards, deck->n);
    }
    return patterns->patterns[deck->cards[--deck->n]];
}

/* The word that fills the slot `name` of n bytes. */
static const char *word_of(const struct essay *essay, const char *name, size_t n)
{
    for (int i = 0; i < kvl_essay_n_slots; i++) {
        const struct kvl_essay_slots *slots = &kvl_essay_slots[i];
        for (int column = 0; column < slots->n_columns; column++)
            if (strlen(slots->columns[column]) == n && memcmp(slots->columns[column], name, n) == 0)
                return slots->cells[essay->row[i] * slots->n_columns + column];
    }
    assert(false && "a pattern names a slot that does not exist");
    return "";
}

static enum kvl_status add_sentence(struct essay *essay, const char *pattern, struct kvl_text *text)
{
    int64_t at = text->n;
    bind_slots(essay, KVL_ESSAY_SENTENCE);
    for (const char *open; (open = strchr(pattern, '{')) != NULL;) {
        const char *name = open + 1, *close = strchr(name, '}');
        assert(close);
        KVL_TRY(kvl_text_append(text, pattern, open - pattern));
        bool article = strncmp(name, "a ", 2) == 0;
        name += article ? 2 : 0;
        const char *word = word_of(essay, name, (size_t)(close - name));
        if (article)
            KVL_TRY(kvl_text_add(text, strchr("aeiou", *word) ? "an " : "a "));
        KVL_TRY(kvl_text_add(text, word));
        pattern = close + 1;
    }
    KVL_TRY(kvl_text_add(text, pattern));
    if (text->data[at] >= 'a' && text->data[at] <= 'z')
        text->data[at] = (char)(text->data[at] - 'a' + 'A');
    return KVL_OK;
}

static void open_paragraph(struct essay *essay)
{
    static const enum kvl_essay_class openings[N_TOPICS] = {
        KVL_ESSAY_WORK_OPENING, KVL_ESSAY_PLACE_OPENING, KVL_ESSAY_PERSON_OPENING,
    };
    if (essay->n_topics == 0) {
        bind_slots(essay, KVL_ESSAY_SECTION);
        for (; essay->n_topics < N_TOPICS; essay->n_topics++)
            essay->topics[essay->n_topics] = essay->n_topics;
        kvl_random_shuffle(&essay->random, essay->topics, N_TOPICS);
    }
    bind_slots(essay, KVL_ESSAY_PARAGRAPH);
    essay->opening = openings[essay->topics[--essay->n_topics]];
    essay->n_sentences = BODY_MIN + (int)kvl_random_below(&essay->random, BODY_MAX - BODY_MIN + 1);
}

static enum kvl_status essay_begin(void *state, const struct kvl_haystack_source *source)
{
    assert(kvl_essay_n_slots <= MAX_SLOTS);
    *(struct essay *)state = (struct essay){.random = source->random, .closed = true};
    return KVL_OK;
}

static enum kvl_status essay_next(void *state, struct kvl_text *text, bool *opens)
{
    struct essay *essay = state;
    enum kvl_essay_class class;
    *opens = essay->closed;
    if (essay->closed) {
        open_paragraph(essay);
        class = essay->opening;
    } else {
        class = essay->n_sentences-- > 0 ? essay->opening + 1 : KVL_ESSAY_CLOSING; /* a body follows its opening */
    }
    essay->closed = class == KVL_ESSAY_CLOSING;
    return add_sentence(essay, deal(essay, class), text);
}

const struct kvl_haystack_kind kvl_haystack_essay = {
    .name = "essay",
    .paragraph_break = "\n\n",
    .needle_alone = false,
    .state_size = sizeof(struct essay),
    .begin = essay_begin,
    .next = essay_next,
};
