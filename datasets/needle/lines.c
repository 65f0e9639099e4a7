/* Haystacks made of needles: every line is one, and only its key tells the needle that is asked for from the rest. */
#include "datasets/needle/haystack.h"
#include "datasets/needle/sentence.h"
#include "datasets/needle/words.h"

struct number_lines {
    struct kvl_random_order keys, values;
    int64_t n; /* lines so far */
};

static enum kvl_status number_lines_begin(void *state, const struct kvl_haystack_source *source)
{
    struct number_lines *lines = state;
    struct kvl_random random = source->random;
    kvl_random_order_init(&lines->keys, &random, kvl_needle_n_keys());
    kvl_random_order_init(&lines->values, &random, KVL_NEEDLE_N_NUMBERS);
    return KVL_OK;
}

/* Keys and values in random orders, so that none comes twice. */
static enum kvl_status add_number_line(struct number_lines *lines, struct kvl_text *key, struct kvl_text *value,
                                       struct kvl_text *text)
{
    KVL_TRY(kvl_needle_add_key(key, kvl_random_order_at(&lines->keys, lines->n)));
    KVL_TRY(kvl_needle_add_number(value, kvl_random_order_at(&lines->values, lines->n)));
    return kvl_needle_add_sentence(text, "number", key->data, value->data);
}

static enum kvl_status number_lines_next(void *state, struct kvl_text *text, bool *opens)
{
    struct number_lines *lines = state;
    struct kvl_text key = {0}, value = {0};
    KVL_REQUIRE(lines->n < kvl_needle_n_keys(), "too long: there are %lld keys for needles",
                (long long)kvl_needle_n_keys());
    enum kvl_status status = add_number_line(lines, &key, &value, text);
    kvl_text_free(&key);
    kvl_text_free(&value);
    *opens = true;
    lines->n++;
    return status;
}

static enum kvl_status uuid_lines_begin(void *state, const struct kvl_haystack_source *source)
{
    *(struct kvl_random *)state = source->random;
    return KVL_OK;
}

static enum kvl_status add_uuid_line(struct kvl_random *random, struct kvl_text *key, struct kvl_text *value,
                                     struct kvl_text *text)
{
    KVL_TRY(kvl_needle_add_uuid(key, random));
    KVL_TRY(kvl_needle_add_uuid(value, random));
    return kvl_needle_add_sentence(text, "uuid", key->data, value->data);
}

static enum kvl_status uuid_lines_next(void *state, struct kvl_text *text, bool *opens)
{
    struct kvl_text key = {0}, value = {0};
    enum kvl_status status = add_uuid_line(state, &key, &value, text);
    kvl_text_free(&key);
    kvl_text_free(&value);
    *opens = true;
    return status;
}

const struct kvl_haystack_kind kvl_haystack_number_lines = {
    .name = "number lines",
    .paragraph_break = "\n",
    .needle_alone = true,
    .break_anywhere = true,
    .state_size = sizeof(struct number_lines),
    .begin = number_lines_begin,
    .next = number_lines_next,
};

const struct kvl_haystack_kind kvl_haystack_uuid_lines = {
    .name = "uuid lines",
    .paragraph_break = "\n",
    .needle_alone = true,
    .break_anywhere = true,
    .state_size = sizeof(struct kvl_random),
    .begin = uuid_lines_begin,
    .next = uuid_lines_next,
};
