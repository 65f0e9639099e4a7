/* RULER's noise: the same line again and again. */
#include "datasets/needle/haystack.h"

static const char *const line[] = {
    "The grass is green.", "The sky is blue.", "The sun is yellow.", "Here we go.", "There and back again.",
};
enum { N_LINE = sizeof line / sizeof *line };

static enum kvl_status noise_begin(void *state, const struct kvl_haystack_source *source)
{
    (void)source;
    *(int *)state = 0;
    return KVL_OK;
}

static enum kvl_status noise_next(void *state, struct kvl_text *text, bool *opens)
{
    int *i = state;
    *opens = *i == 0;
    KVL_TRY(kvl_text_add(text, line[*i]));
    *i = (*i + 1) % N_LINE;
    return KVL_OK;
}

const struct kvl_haystack_kind kvl_haystack_noise = {
    .name = "noise",
    .paragraph_break = "\n",
    .needle_alone = true,
    .state_size = sizeof(int),
    .begin = noise_begin,
    .next = noise_next,
};
