/* What generate, eval and bench share: the opened backend, the loaded model, its engine and its chat template. */
#ifndef KVL_WORKBENCH_H
#define KVL_WORKBENCH_H

#include <jansson.h>

#include "core/engine.h"
#include "harness/grid.h"
#include "harness/options.h"

#ifdef __cplusplus
extern "C" {
#endif

struct kvl_workbench {
    const struct kvl_options *options;
    struct kvl_ctx *ctx;
    struct kvl_model *model;
    struct kvl_engine *engine; /* NULL, and the model without weights, for --kernels */
    const struct kvl_chat_template *chat; /* NULL: none */
    bool in_run; /* the profiler's range "run" is open */
};

/* Opens all of it for options->positional.items[0]. `wants_text`: a tokenizer is required and the chat template resolved. */
enum kvl_status kvl_workbench_init(struct kvl_workbench *bench, const struct kvl_options *options, bool wants_text);
void kvl_workbench_free(struct kvl_workbench *bench);

/* Whether a workbench opened under options `a` serves `b`: the same model, backend and types. */
bool kvl_workbench_serves(const struct kvl_options *a, const struct kvl_options *b);

/* The same model for other work. */
enum kvl_status kvl_workbench_turn_to(struct kvl_workbench *bench, const struct kvl_options *options, bool wants_text);

/* Tokens of a text for a prefill: at most one BOS in front where the template or the tokenizer wants one. `raw`: no template was
 * applied, so that the tokenizer's own rule decides. */
enum kvl_status kvl_workbench_encode(const struct kvl_workbench *bench, const char *text, int64_t n, bool raw,
                                     struct kvl_ids *ids);

/* How an answer ends. */
struct kvl_answer_rule {
    int64_t max_new;
    const char *stop;   /* in the text, behind its first character that is not white space; NULL: none */
    bool min_one_token; /* the first token is neither end-of-sequence nor `stop` */
};

struct kvl_generation {
    struct kvl_ids ids;
    char *text; /* decoded, special tokens left out */
    int64_t text_length;
    bool ended; /* by end-of-sequence or stop */
};

/* Feeds greedy tokens until `max_new` ids, the end-of-sequence token (not returned), or `stop` in the text. The session has
 * been prefilled. */
enum kvl_status kvl_workbench_generate(const struct kvl_workbench *bench, struct kvl_session *session, struct kvl_answer_rule rule,
                                       struct kvl_generation *out);
/* Text as a JSON string, U+FFFD where it is not valid UTF-8. */
json_t *kvl_text_json(const char *text, int64_t n);
void kvl_generation_free(struct kvl_generation *generation);

/* A record with everything known before the work begins: run, machine, model, configuration (NULL: no method's). The caller adds
 * the rest. */
enum kvl_status kvl_workbench_record(const struct kvl_workbench *bench, const char *kind, const struct kvl_config *config,
                                     json_t **out);

/* Sets config_key from the fields that were chosen; two records with equal keys are the same configuration. */
enum kvl_status kvl_record_key(json_t *record);

/* Adds what follows from the plan: heads stored, kept per layer, token-layers, KV bytes after the prefill. */
void kvl_record_plan(json_t *record, const struct kvl_workbench *bench, const struct kvl_plan *plan);

/* Status "oom" or "failed" with the last error as the reason. */
void kvl_record_failure(json_t *record, enum kvl_status status);

/* FNV-1a of the last logits, 16 hex digits. */
enum kvl_status kvl_session_logits_hash(const struct kvl_session *session, char hash[17]);

#ifdef __cplusplus
}
#endif
#endif
