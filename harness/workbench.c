#include "harness/workbench.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/unicode.h"

static enum kvl_status resolve_template(struct kvl_workbench *bench)
{
    const struct kvl_options *options = bench->options;
    if (options->raw)
        return KVL_OK;
    if (options->template_name != NULL)
        return kvl_chat_template_find(options->template_name, &bench->chat);
    return kvl_chat_template_recognize(bench->model->chat_jinja, &bench->chat);
}

enum kvl_status kvl_workbench_turn_to(struct kvl_workbench *bench, const struct kvl_options *options, bool wants_text)
{
    bench->options = options;
    bench->chat = NULL;
    if (!wants_text)
        return KVL_OK;
    KVL_REQUIRE(bench->model->tokenizer != NULL, "%s has no tokenizer: use a GGUF file or a folder with tokenizer.json",
                options->positional.items[0]);
    return resolve_template(bench);
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

bool kvl_workbench_serves(const struct kvl_options *a, const struct kvl_options *b)
{
    return same_text(a->positional.items[0], b->positional.items[0]) && same_text(a->backend, b->backend) && same_text(a->isa, b->isa)
           && a->dtype == b->dtype && a->n_threads == b->n_threads && a->memory_limit == b->memory_limit && a->chunk == b->chunk
           && a->n_context_model == b->n_context_model && a->kernels == b->kernels
           && (a->seed == b->seed || strncmp(a->positional.items[0], "random:", 7) != 0);
}

static enum kvl_status open_all(struct kvl_workbench *bench, bool wants_text)
{
    const struct kvl_options *o = bench->options;
    struct kvl_backend_options device = {.n_threads = o->n_threads, .memory_limit = o->memory_limit, .isa = o->isa};
    struct kvl_model_options how = {.dtype = o->dtype, .n_context = o->n_context_model, .seed = o->seed, .no_weights = o->kernels};
    KVL_TRY(kvl_backend_open(o->backend, &device, &bench->ctx));
    KVL_TRY(kvl_model_load(bench->ctx, o->positional.items[0], &how, &bench->model));
    KVL_TRY(kvl_workbench_turn_to(bench, o, wants_text));
    return o->kernels ? KVL_OK : kvl_engine_init(&bench->engine, bench->model, o->chunk);
}

enum kvl_status kvl_workbench_init(struct kvl_workbench *bench, const struct kvl_options *options, bool wants_text)
{
    *bench = (struct kvl_workbench){.options = options};
    enum kvl_status status = open_all(bench, wants_text);
    if (status == KVL_OK)
        bench->ctx->be->range_push(bench->ctx, "run", -1);
    bench->in_run = status == KVL_OK;
    if (status != KVL_OK)
        kvl_workbench_free(bench);
    return status;
}

void kvl_workbench_free(struct kvl_workbench *bench)
{
    if (bench->in_run)
        bench->ctx->be->range_pop(bench->ctx);
    kvl_engine_free(bench->engine);
    kvl_model_free(bench->model);
    if (bench->ctx != NULL)
        bench->ctx->be->close(bench->ctx);
    *bench = (struct kvl_workbench){0};
}

enum kvl_status kvl_workbench_encode(const struct kvl_workbench *bench, const char *text, int64_t n, bool raw,
                                     struct kvl_ids *ids)
{
    const struct kvl_tokenizer *tokenizer = bench->model->tokenizer;
    int32_t bos = kvl_tokenizer_bos(tokenizer);
    bool wants_bos = !raw && bench->chat != NULL ? bench->chat->wants_bos : kvl_tokenizer_add_bos(tokenizer);
    if (wants_bos && bos >= 0)
        KVL_TRY(kvl_ids_push(ids, bos));
    return kvl_tokenizer_encode(tokenizer, text, n, bench->options->special_text ? KVL_SPECIAL_TEXT : KVL_SPECIAL_PARSE, ids);
}

/* Whether the text holds `stop` behind its first character that is not white space. */
static bool has_stop(const char *text, const char *stop)
{
    text += strspn(text, " \t\r\n");
    return *text != '\0' && strstr(text, stop) != NULL;
}

static enum kvl_status decode_text(const struct kvl_workbench *bench, struct kvl_generation *out)
{
    free(out->text);
    out->text = NULL;
    return kvl_tokenizer_decode(bench->model->tokenizer, out->ids.data, out->ids.n, true, &out->text, &out->text_length);
}

static enum kvl_status end_at_stop(const struct kvl_workbench *bench, const char *stop, struct kvl_generation *out)
{
    if (stop == NULL)
        return KVL_OK;
    KVL_TRY(decode_text(bench, out));
    out->ended = has_stop(out->text, stop);
    return KVL_OK;
}

/* The most likely token but two, the lower id on a tie. */
static enum kvl_status argmax_without(const struct kvl_session *session, int32_t eos, int32_t stop, int32_t *id)
{
    int64_t n = kvl_engine_model(session->engine)->shape.n_vocab;
    float *logits = malloc((size_t)n * sizeof *logits);
    if (logits == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for %lld logits", (long long)n);
    enum kvl_status status = kvl_session_logits(session, logits);
    *id = -1;
    for (int32_t i = 0; i < n && status == KVL_OK; i++)
        if (i != eos && i != stop && (*id < 0 || logits[i] > logits[*id]))
            *id = i;
    free(logits);
    return status;
}

/* The token that stands for the stop text alone; -1: none. */
static enum kvl_status token_of(const struct kvl_workbench *bench, const char *stop, int32_t *id)
{
    struct kvl_ids ids = {0};
    enum kvl_status status = KVL_OK;
    if (stop != NULL)
        status = kvl_tokenizer_encode(bench->model->tokenizer, stop, (int64_t)strlen(stop), KVL_SPECIAL_TEXT, &ids);
    *id = ids.n > 0 ? ids.data[ids.n - 1] : -1;
    kvl_ids_free(&ids);
    return status;
}

static enum kvl_status next_token(const struct kvl_workbench *bench, struct kvl_session *session, struct kvl_answer_rule rule,
                                  const struct kvl_generation *out, int32_t *id)
{
    int32_t stop;
    if (!rule.min_one_token || out->ids.n > 0)
        return kvl_session_argmax(session, id);
    KVL_TRY(token_of(bench, rule.stop, &stop));
    return argmax_without(session, kvl_tokenizer_eos(bench->model->tokenizer), stop, id);
}

enum kvl_status kvl_workbench_generate(const struct kvl_workbench *bench, struct kvl_session *session, struct kvl_answer_rule rule,
                                       struct kvl_generation *out)
{
    *out = (struct kvl_generation){0};
    while (out->ids.n < rule.max_new && !out->ended) {
        int32_t id;
        KVL_TRY(next_token(bench, session, rule, out, &id));
        out->ended = id == kvl_tokenizer_eos(bench->model->tokenizer);
        if (out->ended)
            break;
        KVL_TRY(kvl_ids_push(&out->ids, id));
        KVL_TRY(end_at_stop(bench, rule.stop, out));
        if (!out->ended && out->ids.n < rule.max_new)
            KVL_TRY(kvl_engine_step(bench->engine, session, id));
    }
    return decode_text(bench, out);
}

json_t *kvl_text_json(const char *text, int64_t n)
{
    if (kvl_utf8_check(text, n) < 0)
        return json_stringn(text, (size_t)n);
    char *repaired = malloc((size_t)(3 * n));
    if (repaired == NULL)
        return json_null();
    json_t *json = json_stringn(repaired, (size_t)kvl_utf8_repair(text, n, repaired));
    free(repaired);
    return json;
}

void kvl_generation_free(struct kvl_generation *generation)
{
    kvl_ids_free(&generation->ids);
    free(generation->text);
    *generation = (struct kvl_generation){0};
}

enum kvl_status kvl_session_logits_hash(const struct kvl_session *session, char hash[17])
{
    int64_t n = kvl_engine_model(session->engine)->shape.n_vocab;
    float *logits = malloc((size_t)n * sizeof *logits);
    if (logits == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for %lld logits", (long long)n);
    enum kvl_status status = kvl_session_logits(session, logits);
    uint64_t h = 0xcbf29ce484222325u;
    const unsigned char *bytes = (const unsigned char *)logits;
    for (size_t i = 0; i < (size_t)n * sizeof *logits; i++)
        h = (h ^ bytes[i]) * 0x100000001b3u;
    snprintf(hash, 17, "%016llx", (unsigned long long)h);
    free(logits);
    return status;
}
