/* The words and sentence patterns of the essays.
 *
 * A pattern is plain text with slots: `{season}` is replaced by a word, `{a season}` by the word with "a" or "an" before it.
 * The first letter of a sentence is made a capital. No digits, no colons, no hyphens: needles have them. */
#ifndef KVL_ESSAY_GRAMMAR_H
#define KVL_ESSAY_GRAMMAR_H

#ifdef __cplusplus
extern "C" {
#endif

/* How long the word in a slot stays the same. */
enum kvl_essay_scope {
    KVL_ESSAY_SENTENCE,
    KVL_ESSAY_PARAGRAPH,
    KVL_ESSAY_SECTION, /* a few paragraphs about one trade, one place and one person */
};

/* Slots that are filled together from one row: {trade} {trades} {material} {tool} .. are columns of a table of trades. */
enum { KVL_ESSAY_MAX_COLUMNS = 8 };
struct kvl_essay_slots {
    enum kvl_essay_scope scope;
    int n_columns;
    const char *columns[KVL_ESSAY_MAX_COLUMNS]; /* slot names */
    int n_rows;
    const char *const *cells; /* [n_rows, n_columns] */
};
extern const struct kvl_essay_slots kvl_essay_slots[];
extern const int kvl_essay_n_slots;

/* A paragraph: one opening, some sentences of its body, one closing. */
enum kvl_essay_class {
    KVL_ESSAY_WORK_OPENING,
    KVL_ESSAY_WORK,
    KVL_ESSAY_PLACE_OPENING,
    KVL_ESSAY_PLACE,
    KVL_ESSAY_PERSON_OPENING,
    KVL_ESSAY_PERSON,
    KVL_ESSAY_CLOSING,
    KVL_ESSAY_N_CLASSES,
};
enum { KVL_ESSAY_MAX_PATTERNS = 32 }; /* of one class */
struct kvl_essay_patterns {
    int n;
    const char *const *patterns; /* [n] */
};
extern const struct kvl_essay_patterns kvl_essay_patterns[KVL_ESSAY_N_CLASSES];

#ifdef __cplusplus
}
#endif
#endif
