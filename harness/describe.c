/* The parts of a record that are known before the work begins: run, machine, model, configuration, plan. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "harness/build_type.h"
#include "harness/machine_state.h"
#include "harness/record.h"
#include "harness/workbench.h"
#include "revision.h"

static json_t *text_json(const char *text)
{
    return text != NULL ? kvl_text_json(text, (int64_t)strlen(text)) : json_null();
}

static json_t *command_line(const struct kvl_options *options)
{
    json_t *argv = json_array();
    for (int i = 0; i < options->argc; i++)
        json_array_append_new(argv, text_json(options->argv[i]));
    return argv;
}

static void describe_run(json_t *record, const struct kvl_workbench *bench, const char *kind)
{
    static char run_id[40];
    time_t now = time(NULL);
    struct tm utc;
    char text[32];
    gmtime_r(&now, &utc);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    if (run_id[0] == '\0')
        snprintf(run_id, sizeof run_id, "%lld-%d", (long long)now, (int)getpid());
    json_object_set_new(record, "schema", json_integer(KVL_RECORD_SCHEMA));
    json_object_set_new(record, "kind", json_string(kind));
    json_object_set_new(record, "run_id", json_string(run_id));
    json_object_set_new(record, "time_utc", json_string(text));
    json_object_set_new(record, "kvlab_version", json_string(KVL_VERSION));
    json_object_set_new(record, "kvlab_commit", json_string(KVL_COMMIT));
    json_object_set_new(record, "kvlab_dirty", json_boolean(KVL_DIRTY));
    json_object_set_new(record, "build_type", json_string(kvl_build_type()));
    json_object_set_new(record, "argv", command_line(bench->options));
}

/* Of the device: what a GPU allows at most, what the CPU's first core runs at now. */
static json_t *clock_mhz(const struct kvl_device_info *info)
{
    struct kvl_machine_state state;
    kvl_machine_state_read(&state);
    double mhz = info->n_threads == 0 ? info->clock_mhz : state.clock_mhz;
    return mhz > 0.0 ? json_real(mhz) : json_null();
}

static void describe_machine(json_t *record, const struct kvl_workbench *bench)
{
    struct kvl_device_info info;
    bench->ctx->be->info(bench->ctx, &info);
    bool gpu = info.n_threads == 0;
    json_object_set_new(record, "cpu", gpu ? json_null() : text_json(info.name));
    json_object_set_new(record, "gpu", gpu ? text_json(info.name) : json_null());
    json_object_set_new(record, "driver", text_json(info.driver));
    json_object_set_new(record, "isa", text_json(info.isa));
    json_object_set_new(record, "clock_mhz", clock_mhz(&info));
    json_object_set_new(record, "threads", gpu ? json_null() : json_integer(info.n_threads));
    json_object_set_new(record, "backend", json_string(bench->ctx->be->name));
    json_object_set_new(record, "dtype", json_string(kvl_dtype_name(bench->model->dtype)));
}

static void describe_model(json_t *record, const struct kvl_workbench *bench)
{
    const struct kvl_model *model = bench->model;
    const struct kvl_shape *s = &model->shape;
    const struct {
        const char *key;
        int64_t value;
    } sizes[] = {{"n_layer", s->n_layer},     {"n_embd", s->n_embd}, {"n_head", s->n_head},   {"n_kv", s->n_kv},
                 {"head_size", s->head_size}, {"n_ff", s->n_ff},     {"n_vocab", s->n_vocab}, {"weight_bytes", model->weight_bytes}};
    json_object_set_new(record, "model", json_string(model->name));
    json_object_set_new(record, "model_source", text_json(bench->options->positional.items[0]));
    json_object_set_new(record, "model_hash", json_string(model->hash));
    json_object_set_new(record, "architecture", json_string(s->architecture));
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        json_object_set_new(record, sizes[i].key, json_integer(sizes[i].value));
}

static json_t *describe_params(const struct kvl_method_run *run)
{
    json_t *params = json_object();
    for (int i = 0; i < run->method->n_params; i++) {
        const struct kvl_param *param = &run->method->params[i];
        union kvl_value value = run->values[i];
        json_t *item = NULL;
        switch (param->type) {
        case KVL_PARAM_INT: item = json_integer(value.i); break;
        case KVL_PARAM_REAL: item = json_real(value.r); break;
        case KVL_PARAM_BOOL: item = json_boolean(value.b); break;
        case KVL_PARAM_CHOICE: item = json_string(param->choices[value.i]); break;
        }
        json_object_set_new(params, param->name, item);
    }
    return params;
}

static void describe_config(json_t *record, const struct kvl_config *config)
{
    static const char *const keys[] = {"method", "profile", "kv_rate", "kv_budget", "params"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        json_object_set_new(record, keys[i], json_null());
    if (config == NULL)
        return;
    const struct kvl_budget *budget = &config->run->budget;
    json_object_set_new(record, "method", json_string(config->method->name));
    json_object_set_new(record, "profile", json_string(kvl_profile_name(config->profile)));
    json_object_set_new(record, "kv_rate", budget->rate > 0.0 ? json_real(budget->rate) : json_null());
    json_object_set_new(record, "kv_budget", budget->budget > 0 ? json_integer(budget->budget) : json_null());
    json_object_set_new(record, "params", describe_params(config->run));
}

/* Keys that a kind may leave null, in the order of harness/record.h. */
static const char *const later_keys[] = {
    "task", "task_version", "category", "metric", "second_metric", "protocol", "query_aware", "max_prompt", "haystack",
    "haystack_hash", "code_similarity", "template", "seed",
    "context", "n_samples", "tokens_in_mean", "tokens_out_mean", "bos_count", "truncated", "status", "reason", "score",
    "score_stderr", "n_scored", "scores", "second_score", "second_score_stderr", "second_scores", "depths", "kl_mean", "kl_stderr",
    "kl_samples", "nll_difference_mean", "nll_difference_stderr", "nll_difference_samples", "top1_agreement",
    "heads_stored", "kept_per_layer", "token_layers", "token_layers_full", "kv_bytes", "kv_bytes_full", "peak_bytes",
    "peak_prefill_bytes", "peak_decode_bytes", "workspace_bytes", "new_tokens", "warmups", "phases", "copy_cache", "clock_end_mhz",
    "other_load_cpus", "machine_cpus", "prefill_median_ci95_ns", "decode_token_median_ci95_ns", "e2e_median_ci95_ns",
    "prefill_median_ns",
    "prefill_p05_ns", "prefill_p95_ns", "prefill_samples_ns", "selection_median_ns", "selection_p05_ns", "selection_p95_ns",
    "selection_samples_ns", "decode_token_median_ns", "decode_token_p05_ns", "decode_token_p95_ns", "decode_token_samples_ns",
    "e2e_median_ns", "e2e_p05_ns", "e2e_p95_ns", "e2e_samples_ns", "prefill_flops", "decode_token_bytes", "peak_flops_per_s",
    "peak_bytes_per_s", "prefill_bound_ns", "decode_token_bound_ns", "prefill_bound_share", "decode_bound_share", "logits_hash",
};

enum kvl_status kvl_workbench_record(const struct kvl_workbench *bench, const char *kind, const struct kvl_config *config,
                                     json_t **out)
{
    json_t *record = *out = json_object();
    if (record == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for a record");
    describe_run(record, bench, kind);
    describe_machine(record, bench);
    describe_model(record, bench);
    describe_config(record, config);
    for (size_t i = 0; i < sizeof later_keys / sizeof *later_keys; i++)
        json_object_set_new(record, later_keys[i], json_null());
    return KVL_OK;
}

/* What makes two records the same configuration: everything that was chosen, nothing that was measured. */
static const char *const chosen_keys[] = {
    "kind", "model_hash", "backend", "isa", "dtype", "threads", "method", "profile", "kv_rate", "kv_budget", "params", "task",
    "task_version", "protocol", "query_aware", "max_prompt", "haystack_hash", "code_similarity", "template", "seed", "context",
    "n_samples", "new_tokens", "phases", "copy_cache"};
enum { N_CHOSEN_KEYS = sizeof chosen_keys / sizeof *chosen_keys };

/* Those of some kinds alone. */
static const char *const own_keys[] = {"analysis", "top", "window", "texts_hash", "sources", "bound", "operation", "case", "phase"};
enum { N_OWN_KEYS = sizeof own_keys / sizeof *own_keys };

const char *kvl_record_key_field(int i)
{
    if (i < (int)N_CHOSEN_KEYS)
        return chosen_keys[i];
    return i < (int)N_CHOSEN_KEYS + (int)N_OWN_KEYS ? own_keys[i - (int)N_CHOSEN_KEYS] : NULL;
}

enum kvl_status kvl_record_key(json_t *record)
{
    json_t *chosen = json_array();
    for (int i = 0; i < (int)N_CHOSEN_KEYS; i++)
        json_array_append(chosen, json_object_get(record, chosen_keys[i]));
    for (int i = 0; i < (int)N_OWN_KEYS; i++)
        if (json_object_get(record, own_keys[i]) != NULL)
            json_array_append(chosen, json_object_get(record, own_keys[i]));
    char *text = json_dumps(chosen, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(chosen);
    if (text == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for a record");
    json_object_set_new(record, "config_key", json_string(text));
    free(text);
    return KVL_OK;
}

void kvl_record_plan(json_t *record, const struct kvl_workbench *bench, const struct kvl_plan *plan)
{
    const struct kvl_shape *s = &bench->model->shape;
    int64_t kept = 0, entry = 2 * s->head_size * (int64_t)kvl_dtype_size(bench->model->dtype);
    json_t *per_layer = json_array();
    for (int64_t l = 0; l < s->n_layer; l++) {
        kept += plan->layers[l].n_keep;
        json_array_append_new(per_layer, json_integer(plan->layers[l].n_keep));
    }
    json_object_set_new(record, "heads_stored", json_integer(plan->n_stored));
    json_object_set_new(record, "kept_per_layer", per_layer);
    json_object_set_new(record, "token_layers", json_integer(kvl_plan_token_layers(plan, s)));
    json_object_set_new(record, "token_layers_full", json_integer(s->n_layer * plan->n_prompt));
    json_object_set_new(record, "kv_bytes", json_integer(kept * plan->n_stored * entry));
    json_object_set_new(record, "kv_bytes_full", json_integer(s->n_layer * plan->n_prompt * s->n_kv * entry));
    json_object_set_new(record, "workspace_bytes", json_integer(kvl_engine_workspace(bench->engine, plan)));
}

void kvl_record_failure(json_t *record, enum kvl_status status)
{
    json_object_set_new(record, "status", json_string(status == KVL_E_OOM ? "oom" : "failed"));
    json_object_set_new(record, "reason", text_json(kvl_last_error()));
}
