/* A whole run of one method over one prompt, and all that it leaves: what the engine's and the methods' tests compare. */
#ifndef KVLAB_TEST_OUTCOME_H
#define KVLAB_TEST_OUTCOME_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/engine.h"
#include "methods/method.h"

/* Entries held by every layer and stored head: head s of layer l holds n[l] positions at pos[l * n_stored + s]. */
struct held {
    int64_t n[KVL_MAX_LAYERS];
    int32_t **pos; /* [n_layer * n_stored] */
};

struct outcome {
    struct kvl_plan plan;
    int64_t n_layer, n_vocab, n_tokens;
    struct held prefill, end; /* behind the prefill; behind the last step */
    int64_t bytes, bytes_end; /* of keys and values */
    float *logits, *logits_end; /* f32 [n_vocab] */
    int32_t *tokens;          /* [n_tokens], greedy: the first comes from the prefill */
};

/* What to run: a method by name, its settings as "param=value ..." (at most 8, NULL: none), a prompt. */
struct job {
    const char *method;
    enum kvl_profile profile;
    struct kvl_budget budget;
    const char *settings;
    const int32_t *ids;
    int64_t n, n_tokens;
};

/* Resolves a job's method; free() the run. Fails the test where the method refuses. */
struct kvl_method_run *job_method(const struct job *job, const struct kvl_shape *shape);

/* Prefill and n_tokens - 1 steps. Fails the test where anything fails. */
void outcome_run(struct outcome *out, struct kvl_engine *engine, const struct job *job);
/* The same from a session already prefilled (n_tokens - 1 steps, planned for). */
void outcome_read(struct outcome *out, struct kvl_engine *engine, struct kvl_session *session, int64_t n_tokens);
void outcome_free(struct outcome *out);

/* Each fails the test unless both are equal bit for bit: the entries (and their bytes) and the logits behind the prefill; the
 * tokens and the state behind the last step. */
void outcome_same_prefill(const char *what, const struct outcome *a, const struct outcome *b);
void outcome_same_decode(const char *what, const struct outcome *a, const struct outcome *b);
void outcome_same_logits(const char *what, const struct outcome *a, const struct outcome *b);
void held_same(const char *what, const struct outcome *a, const struct outcome *b);

/* Pseudo-random ids in [3, n_vocab); free() them. */
int32_t *random_ids(int64_t n, int64_t n_vocab, uint64_t seed);

#endif
