/* `kvlab generate MODEL --method M --prompt TEXT`: one answer, and what the method kept, layer by layer. */
#include <stdio.h>
#include <stdlib.h>

#include "harness/command.h"
#include "harness/kept.h"
#include "harness/kept_view.h"
#include "harness/output_check.h"
#include "harness/output_file.h"
#include "harness/table.h"
#include "harness/text_input.h"
#include "harness/workbench.h"

enum { DEFAULT_NEW_TOKENS = 128 };

static enum kvl_status write_file(const char *path, const void *data, size_t n)
{
    struct kvl_output_file file;
    KVL_TRY(kvl_output_file_open(&file, path));
    if (fwrite(data, 1, n, file.stream) == n)
        return kvl_output_file_commit(&file);
    kvl_output_file_discard(&file);
    return kvl_fail(KVL_E_IO, "%s cannot be written", path);
}

static enum kvl_status write_logits(const struct kvl_session *session, const char *path)
{
    int64_t n = kvl_engine_model(session->engine)->shape.n_vocab;
    float *logits = malloc((size_t)n * sizeof *logits);
    if (logits == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for %lld logits", (long long)n);
    enum kvl_status status = kvl_session_logits(session, logits);
    if (status == KVL_OK)
        status = write_file(path, logits, (size_t)n * sizeof *logits);
    free(logits);
    return status;
}

static enum kvl_status write_kept(const struct kvl_session *session, const struct kvl_config *config, const char *path)
{
    json_t *kept;
    KVL_TRY(kvl_kept_json(session, config, &kept));
    char *text = json_dumps(kept, JSON_COMPACT);
    json_decref(kept);
    enum kvl_status status = text != NULL ? write_file(path, text, strlen(text)) : kvl_fail(KVL_E_OOM, "no memory for %s", path);
    free(text);
    return status;
}

static json_t *ids_json(const struct kvl_ids *ids)
{
    json_t *list = json_array();
    for (int64_t i = 0; i < ids->n; i++)
        json_array_append_new(list, json_integer(ids->data[i]));
    return list;
}

/* Per layer: tokens in, kept, sent on. Runs of equal layers are one row. */
static enum kvl_status print_layers(const struct kvl_workbench *bench, const struct kvl_session *session)
{
    const struct kvl_plan *plan = &session->plan;
    int64_t n_layer = bench->model->shape.n_layer;
    struct kvl_table table;
    enum kvl_status status = kvl_table_init(&table, 6);
    static const char *const heads[] = {"layers", "tokens in", "kept per head", "heads", "kept %", "go on"};
    if (status == KVL_OK)
        status = kvl_table_add_row(&table);
    for (int c = 0; c < 6 && status == KVL_OK; c++)
        status = kvl_table_set(&table, c, "%s", heads[c]);
    for (int64_t first = 0, l = 0; l < n_layer && status == KVL_OK; first = l) {
        const struct kvl_layer_plan *layer = &plan->layers[first];
        while (l < n_layer && memcmp(&plan->layers[l], layer, sizeof *layer) == 0)
            l++;
        char name[48];
        snprintf(name, sizeof name, l - first > 1 ? "%lld-%lld" : "%lld", (long long)first, (long long)l - 1);
        status = kvl_table_add_row(&table);
        const int64_t cells[] = {layer->n_in, layer->n_keep, plan->n_stored};
        if (status == KVL_OK)
            status = kvl_table_set(&table, 0, "%s", name);
        for (int c = 0; c < 3 && status == KVL_OK; c++)
            status = kvl_table_set(&table, c + 1, "%lld", (long long)cells[c]);
        if (status == KVL_OK)
            status = kvl_table_set(&table, 4, "%.1f", 100.0 * (double)layer->n_keep / (double)plan->n_prompt);
        if (status == KVL_OK)
            status = kvl_table_set(&table, 5, "%lld", (long long)layer->n_forward);
    }
    if (status == KVL_OK)
        status = kvl_table_print(&table, KVL_TABLE_TEXT, stdout);
    kvl_table_free(&table);
    return status;
}

static enum kvl_status print_json(const struct kvl_workbench *bench, const struct kvl_session *session,
                                  const struct kvl_config *config, const struct kvl_ids *prompt,
                                  const struct kvl_generation *answer)
{
    json_t *record;
    KVL_TRY(kvl_workbench_record(bench, "generate", config, &record));
    json_t *out = json_object();
    static const char *const wanted[] = {"model", "model_hash", "backend", "dtype", "method", "profile", "kv_rate", "kv_budget",
                                         "params", "heads_stored", "kept_per_layer", "token_layers", "kv_bytes",
                                         "kv_bytes_full"};
    kvl_record_plan(record, bench, &session->plan);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        json_object_set(out, wanted[i], json_object_get(record, wanted[i]));
    json_decref(record);
    json_object_set_new(out, "template", bench->chat != NULL ? json_string(bench->chat->name) : json_null());
    json_object_set_new(out, "n_prompt", json_integer(prompt->n));
    json_object_set_new(out, "prompt_ids", ids_json(prompt));
    json_object_set_new(out, "ids", ids_json(&answer->ids));
    json_object_set_new(out, "text", kvl_text_json(answer->text, answer->text_length));
    json_dumpf(out, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(out);
    return KVL_OK;
}

static enum kvl_status make_prompt(const struct kvl_workbench *bench, struct kvl_ids *ids)
{
    const struct kvl_options *o = bench->options;
    char *given = NULL, *text = NULL;
    int64_t n;
    enum kvl_status status = kvl_read_text(o->prompt, &given, &n);
    if (status == KVL_OK && n == 0)
        status = kvl_fail(KVL_E_ARG, "the prompt is empty: give at least one token of text");
    if (status == KVL_OK && !o->raw && strlen(given) != (size_t)n)
        status = kvl_fail(KVL_E_ARG, "the prompt holds a zero byte at offset %zu: use --raw for such text", strlen(given));
    if (status == KVL_OK && o->raw)
        status = kvl_workbench_encode(bench, given, n, true, ids);
    if (status == KVL_OK && !o->raw)
        status = kvl_chat_template_render(bench->chat, o->system, given, "", &text);
    if (status == KVL_OK && !o->raw)
        status = kvl_workbench_encode(bench, text, (int64_t)strlen(text), bench->chat == NULL, ids);
    free(text);
    free(given);
    if (status == KVL_OK && ids->n == 0)
        status = kvl_fail(KVL_E_ARG, "the prompt has no token that the model knows: give other text");
    return status;
}

static enum kvl_status write_page(const struct kvl_workbench *bench, const struct kvl_config *config, const struct kvl_ids *ids,
                                  const double *shares)
{
    char label[64], title[256];
    kvl_config_label(config, label, sizeof label);
    snprintf(title, sizeof title, "%s: %s, %lld prompt tokens", bench->model->name, label, (long long)ids->n);
    struct kvl_output_file file;
    KVL_TRY(kvl_output_file_open(&file, bench->options->html_file));
    enum kvl_status status = kvl_kept_view_html(bench->model->tokenizer, ids, shares, title, file.stream);
    if (status == KVL_OK)
        return kvl_output_file_commit(&file);
    kvl_output_file_discard(&file);
    return kvl_fail_prefix(status, "%s", bench->options->html_file);
}

/* The shaded prompt, as it stands after the prefill. */
static enum kvl_status view_kept(const struct kvl_workbench *bench, const struct kvl_config *config, const struct kvl_ids *ids,
                                 const struct kvl_session *session)
{
    const struct kvl_options *o = bench->options;
    if (!o->show_kept && o->html_file == NULL)
        return KVL_OK;
    double *shares = malloc((size_t)ids->n * sizeof *shares);
    enum kvl_status status = shares != NULL ? kvl_kept_shares(session, shares) : kvl_fail(KVL_E_OOM, "no memory for the view");
    if (status == KVL_OK && o->show_kept)
        status = kvl_kept_view_terminal(bench->model->tokenizer, ids, shares, stdout);
    if (status == KVL_OK && o->html_file != NULL)
        status = write_page(bench, config, ids, shares);
    free(shares);
    return status;
}

static enum kvl_status answer_prompt(const struct kvl_workbench *bench, const struct kvl_config *config, const struct kvl_ids *ids,
                                     struct kvl_session *session)
{
    const struct kvl_options *o = bench->options;
    int64_t max_new = o->n_new_tokens > 0 ? o->n_new_tokens : DEFAULT_NEW_TOKENS, room = bench->model->shape.n_context - ids->n;
    if (o->n_new_tokens == 0 && room > 0 && room < max_new)
        max_new = room;
    struct kvl_session *sessions[] = {session};
    struct kvl_generation answer = {0};
    enum kvl_status status;
    KVL_TRY(kvl_session_init(session, bench->engine, &config->run->policy, ids->n, max_new));
    KVL_TRY(kvl_session_trace(session));
    KVL_TRY(kvl_engine_prefill(bench->engine, &(struct kvl_prefill){.ids = ids->data, .n = ids->n}, sessions, 1));
    if (o->logits_file != NULL)
        KVL_TRY(write_logits(session, o->logits_file));
    if (o->kept_file != NULL)
        KVL_TRY(write_kept(session, config, o->kept_file));
    KVL_TRY(view_kept(bench, config, ids, session));
    KVL_TRY_OUT(kvl_workbench_generate(bench, session, (struct kvl_answer_rule){.max_new = max_new}, &answer));
    if (o->kept_end_file != NULL)
        KVL_TRY_OUT(write_kept(session, config, o->kept_end_file));
    if (o->json) {
        KVL_TRY_OUT(print_json(bench, session, config, ids, &answer));
    } else {
        fwrite(answer.text, 1, (size_t)answer.text_length, stdout);
        fputs("\n\n", stdout);
        KVL_TRY_OUT(print_layers(bench, session));
    }
out:
    kvl_generation_free(&answer);
    return status;
}

/* What can be refused before the model is loaded. */
static enum kvl_status check(const struct kvl_options *o)
{
    enum { N_FILES = 4 };
    const char *const names[N_FILES] = {"--logits", "--kept", "--kept-end", "--html"};
    const char *const paths[N_FILES] = {o->logits_file, o->kept_file, o->kept_end_file, o->html_file};
    KVL_REQUIRE(o->prompt != NULL, "generate needs --prompt TEXT, @FILE or - for standard input");
    KVL_REQUIRE(!o->raw || o->template_name == NULL, "--raw and --template contradict each other: give one");
    KVL_REQUIRE(!o->raw || o->system == NULL, "--raw takes the text as it is: leave --system out");
    KVL_REQUIRE(o->system == NULL || o->template_name == NULL || strcmp(o->template_name, "none") != 0,
                "--template none has no place for a system message: leave --system out");
    KVL_REQUIRE(o->kv_rates.n == 0 || o->kv_budgets.n == 0, "--kv-rate and --kv-budget contradict each other: give one");
    KVL_REQUIRE(!o->json || !o->show_kept, "--json and --show-kept contradict each other: use --html FILE for the view");
    for (int i = 0; i < N_FILES; i++) {
        for (int j = 0; j < i && paths[i] != NULL; j++)
            KVL_REQUIRE(paths[j] == NULL || strcmp(paths[i], paths[j]) != 0, "%s and %s name the same file, %s", names[j],
                        names[i], paths[i]);
        if (paths[i] == NULL)
            continue;
        KVL_TRY(kvl_output_check_other(names[i], paths[i], o->positional.items[0]));
        KVL_TRY(kvl_output_check_whole(paths[i]));
    }
    return KVL_OK;
}

static enum kvl_status run(const struct kvl_options *options)
{
    struct kvl_workbench bench = {0};
    struct kvl_grid grid = {0};
    struct kvl_ids ids = {0};
    struct kvl_session session = {0};
    enum kvl_status status;
    struct kvl_options own = *options;
    char *baseline[] = {(char *)(uintptr_t)kvl_method_at(0)->name};
    if (own.methods.n == 0)
        own.methods = (struct kvl_words){baseline, 1};
    KVL_TRY(check(&own));
    KVL_TRY_OUT(kvl_workbench_init(&bench, &own, true));
    KVL_TRY_OUT(kvl_grid_init(&grid, &own, &bench.model->shape));
    KVL_TRY_OUT(grid.n == 1 ? KVL_OK
                            : kvl_fail(KVL_E_ARG, "generate runs one configuration, the lists make %d: give single values",
                                       grid.n));
    if (own.system != NULL && bench.chat == NULL)
        KVL_TRY_OUT(kvl_fail(KVL_E_ARG, "this model has no chat template, so there is no place for --system"));
    KVL_TRY_OUT(make_prompt(&bench, &ids));
    KVL_TRY_OUT(answer_prompt(&bench, &grid.configs[0], &ids, &session));
out:
    kvl_session_free(&session);
    kvl_ids_free(&ids);
    kvl_grid_free(&grid);
    kvl_workbench_free(&bench);
    return status;
}

const struct kvl_command kvl_command_generate = {
    .name = "generate",
    .arguments = "MODEL",
    .help = "One greedy answer to a prompt, and what the method kept of it, layer by layer.",
    .min_positional = 1,
    .max_positional = 1,
    .keys = "mxyWlkKHXZergbPSsJBdjICMN",
    .run = run,
};
