#include "harness/record_set.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/json_file.h"
#include "harness/record.h"

enum type { TEXT, NUMBER, BOOLEAN, OBJECT, NUMBERS, NUMBERS_OR_NULL };

/* The fields that are read here, with their types; those that is_needed does not name may be null. */
static const struct {
    const char *key;
    enum type type;
} fields[] = {
    {"kind", TEXT}, {"time_utc", TEXT}, {"model", TEXT}, {"method", TEXT}, {"status", TEXT},
    {"operation", TEXT}, {"case", TEXT}, {"phase", TEXT},
    {"run_id", TEXT}, {"config_key", TEXT}, {"reason", TEXT}, {"kvlab_commit", TEXT}, {"kvlab_dirty", BOOLEAN},
    {"cpu", TEXT}, {"gpu", TEXT}, {"isa", TEXT}, {"threads", NUMBER}, {"backend", TEXT}, {"dtype", TEXT},
    {"model_hash", TEXT}, {"profile", TEXT}, {"kv_rate", NUMBER}, {"kv_budget", NUMBER}, {"params", OBJECT},
    {"context", NUMBER}, {"new_tokens", NUMBER}, {"task", TEXT}, {"task_version", NUMBER},
    {"score", NUMBER}, {"score_stderr", NUMBER}, {"n_scored", NUMBER}, {"kv_bytes", NUMBER}, {"kv_bytes_full", NUMBER},
    {"prefill_median_ns", NUMBER}, {"prefill_p05_ns", NUMBER}, {"prefill_p95_ns", NUMBER},
    {"decode_token_median_ns", NUMBER}, {"decode_token_p05_ns", NUMBER}, {"decode_token_p95_ns", NUMBER},
    {"e2e_median_ns", NUMBER}, {"e2e_p05_ns", NUMBER}, {"e2e_p95_ns", NUMBER}, {"selection_median_ns", NUMBER},
    {"category", TEXT}, {"second_metric", TEXT}, {"second_score", NUMBER}, {"protocol", TEXT}, {"query_aware", BOOLEAN},
    {"template", TEXT}, {"max_prompt", NUMBER}, {"bos_count", NUMBER}, {"token_layers", NUMBER}, {"token_layers_full", NUMBER},
    {"peak_bytes", NUMBER}, {"kl_mean", NUMBER}, {"nll_difference_mean", NUMBER}, {"build_type", TEXT},
    {"scores", NUMBERS}, {"second_scores", NUMBERS}, {"kl_samples", NUMBERS}, {"nll_difference_samples", NUMBERS},
    {"prefill_samples_ns", NUMBERS}, {"decode_token_samples_ns", NUMBERS}, {"e2e_samples_ns", NUMBERS},
    {"depths", NUMBERS_OR_NULL}, {"sample_indices", NUMBERS},
    {"flops", NUMBER}, {"bytes", NUMBER}, {"kernel_median_ns", NUMBER}, {"kernel_p05_ns", NUMBER}, {"kernel_p95_ns", NUMBER},
    {"kernel_samples_ns", NUMBERS}, {"flops_per_s", NUMBER}, {"bytes_per_s", NUMBER}, {"bound_by", TEXT}, {"bound_ns", NUMBER},
    {"bound_share", NUMBER}, {"check_error", NUMBER},
};

const char *kvl_record_text(const json_t *record, const char *key)
{
    return json_string_value(json_object_get(record, key));
}

double kvl_record_number(const json_t *record, const char *key)
{
    const json_t *value = json_object_get(record, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

bool kvl_record_is_ok(const json_t *record)
{
    const char *status = record != NULL ? kvl_record_text(record, "status") : NULL;
    return status != NULL && strcmp(status, "ok") == 0;
}

bool kvl_record_same(const json_t *a, const json_t *b)
{
    bool no_a = a == NULL || json_is_null(a), no_b = b == NULL || json_is_null(b);
    if (no_a || no_b)
        return no_a && no_b;
    if (json_is_number(a) && json_is_number(b))
        return json_number_value(a) == json_number_value(b);
    return json_equal(a, b);
}

/* A list of numbers, some of which may be null where `nulls`. */
static bool is_numbers(const json_t *value, bool nulls)
{
    for (size_t i = 0; i < json_array_size(value); i++)
        if (!json_is_number(json_array_get(value, i)) && !(nulls && json_is_null(json_array_get(value, i))))
            return false;
    return json_is_array(value);
}

static bool has_type(const json_t *value, enum type type)
{
    switch (type) {
    case TEXT: return json_is_string(value);
    case NUMBER: return json_is_number(value);
    case BOOLEAN: return json_is_boolean(value);
    case OBJECT: return json_is_object(value);
    case NUMBERS: return is_numbers(value, false);
    case NUMBERS_OR_NULL: return is_numbers(value, true);
    }
    return false;
}

static bool is_listed(const char *key, const char *const *keys)
{
    while (*keys != NULL && strcmp(*keys, key) != 0)
        keys++;
    return *keys != NULL;
}

/* Records are of a method, or of a single operation. */
static bool is_needed(const char *key, const json_t *record)
{
    static const char *const all[] = {"kind", "time_utc", "model", "status", NULL}, *const methods[] = {"method", NULL},
                             *const kernels[] = {"operation", "case", "phase", NULL};
    const char *kind = kvl_record_text(record, "kind");
    return is_listed(key, all) || is_listed(key, kind != NULL && strcmp(kind, "kernel") == 0 ? kernels : methods);
}

static enum kvl_status check_fields(const char *path, size_t line, const json_t *record)
{
    static const char *const names[] = {[TEXT] = "text", [NUMBER] = "a number", [BOOLEAN] = "true or false",
                                        [OBJECT] = "an object", [NUMBERS] = "a list of numbers",
                                        [NUMBERS_OR_NULL] = "a list of numbers and nulls"};
    const json_t *schema = json_object_get(record, "schema");
    if (!json_is_integer(schema))
        return kvl_fail(KVL_E_FORMAT, "%s, line %zu: holds no record of kvlab (no schema number)", path, line);
    if (json_integer_value(schema) != KVL_RECORD_SCHEMA)
        return kvl_fail(KVL_E_FORMAT, "%s, line %zu: has schema %lld; this kvlab reads schema %d", path, line,
                        (long long)json_integer_value(schema), KVL_RECORD_SCHEMA);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const json_t *value = kvl_json_get(record, fields[i].key);
        bool needed = is_needed(fields[i].key, record);
        if (value == NULL ? needed : !has_type(value, fields[i].type))
            return kvl_fail(KVL_E_FORMAT, "%s, line %zu: %s must be %s%s", path, line, fields[i].key,
                            names[fields[i].type], needed ? "" : " or null");
    }
    return KVL_OK;
}

/* Lists of one item per sample are as long as the scores. */
static enum kvl_status check_lists(const char *path, size_t line, const json_t *record)
{
    static const char *const keys[] = {"second_scores", "depths", "sample_indices"};
    size_t n = json_array_size(json_object_get(record, "scores"));
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const json_t *list = kvl_json_get(record, keys[i]);
        if (list != NULL && json_array_size(list) != n)
            return kvl_fail(KVL_E_FORMAT, "%s, line %zu: %s has %zu items for %zu scores", path, line, keys[i],
                            json_array_size(list), n);
    }
    return KVL_OK;
}

static bool is_configuration(const json_t *record)
{
    const char *kind = kvl_record_text(record, "kind");
    return strcmp(kind, "eval") == 0 || strcmp(kind, "bench") == 0 || strcmp(kind, "analyze") == 0
           || strcmp(kind, "kernel") == 0;
}

static enum kvl_status push(struct kvl_record_set *set, json_t *record)
{
    json_t **records = realloc(set->records, (size_t)(set->n + 1) * sizeof *records);
    if (records == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for %d records", set->n + 1);
    set->records = records;
    records[set->n++] = json_incref(record);
    return KVL_OK;
}

static enum kvl_status add_records(struct kvl_record_set *set, const char *path, const json_t *records, int *n_other)
{
    size_t i;
    const json_t *record;
    json_array_foreach (records, i, record) {
        KVL_TRY(check_fields(path, i + 1, record));
        KVL_TRY(check_lists(path, i + 1, record));
        if (is_configuration(record))
            KVL_TRY(push(set, json_array_get(records, i)));
        else
            ++*n_other;
    }
    return KVL_OK;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), n_end = strlen(end);
    return n >= n_end && strcmp(text + n - n_end, end) == 0;
}

/* One file. `*.jsonl` on a command line matches the files of samples too, so these are passed over. */
static enum kvl_status add_file(struct kvl_record_set *set, const char *path, FILE *notes, bool *any_truncated)
{
    if (ends_with(path, ".samples.jsonl")) {
        fprintf(notes, "kvlab: note: %s is left out: it holds samples, not records\n", path);
        return KVL_OK;
    }
    json_t *records;
    bool truncated;
    int n_other = 0;
    KVL_TRY(kvl_records_read(path, &records, &truncated));
    *any_truncated |= truncated;
    if (truncated)
        fprintf(notes, "kvlab: warning: the last line of %s is cut off and left out\n", path);
    enum kvl_status status = add_records(set, path, records, &n_other);
    if (n_other > 0)
        fprintf(notes, "kvlab: note: %d records of other kinds than eval, bench, analyze and kernel in %s are left out\n", n_other, path);
    json_decref(records);
    return status;
}

/* Newest first; of equal times the later in the files is the newer one. */
struct dated {
    json_t *record;
    int place;
};

static int compare_newest_first(const void *a, const void *b)
{
    const struct dated *x = a, *y = b;
    int later = strcmp(kvl_record_text(y->record, "time_utc"), kvl_record_text(x->record, "time_utc"));
    return later != 0 ? later : y->place - x->place;
}

static enum kvl_status sort_newest_first(struct kvl_record_set *set)
{
    struct dated *dated = malloc((size_t)(set->n + 1) * sizeof *dated);
    if (dated == NULL)
        return kvl_fail(KVL_E_OOM, "no memory to sort %d records", set->n);
    for (int i = 0; i < set->n; i++)
        dated[i] = (struct dated){set->records[i], i};
    qsort(dated, (size_t)set->n, sizeof *dated, compare_newest_first);
    for (int i = 0; i < set->n; i++)
        set->records[i] = dated[i].record;
    free(dated);
    return KVL_OK;
}

static enum kvl_status drop_replaced(struct kvl_record_set *set, FILE *notes)
{
    json_t *seen = json_object();
    if (seen == NULL)
        return kvl_fail(KVL_E_OOM, "no memory to compare %d records", set->n);
    int n = 0, n_dropped = 0;
    for (int i = 0; i < set->n; i++) {
        const char *key = kvl_record_text(set->records[i], "config_key");
        if (key != NULL && json_object_get(seen, key) != NULL) {
            json_decref(set->records[i]);
            n_dropped++;
            continue;
        }
        set->records[n++] = set->records[i];
        if (key != NULL)
            json_object_set_new(seen, key, json_true());
    }
    set->n = n;
    json_decref(seen);
    if (n_dropped > 0)
        fprintf(notes, "kvlab: note: %d older record%s left out: newer ones of the same configuration are there\n",
                n_dropped, n_dropped > 1 ? "s are" : " is");
    return KVL_OK;
}

static enum kvl_status load(struct kvl_record_set *set, char *const *paths, int n_paths, FILE *notes)
{
    bool truncated = false;
    for (int i = 0; i < n_paths; i++)
        KVL_TRY(add_file(set, paths[i], notes, &truncated));
    KVL_TRY(sort_newest_first(set));
    KVL_TRY(drop_replaced(set, notes));
    if (set->n == 0)
        return kvl_fail(KVL_E_FORMAT, "no record of eval, bench or analyze in %s%s%s", paths[0], n_paths > 1 ? " and the other files" : "",
                        truncated ? ": the last line is cut off" : "");
    return KVL_OK;
}

/* Where loading fails, the sentence of the failure says it all: the notes wait for success. */
enum kvl_status kvl_record_set_load(struct kvl_record_set *set, char *const *paths, int n_paths, FILE *notes)
{
    *set = (struct kvl_record_set){0};
    char *said = NULL;
    size_t n;
    FILE *waiting = open_memstream(&said, &n);
    if (waiting == NULL)
        return kvl_fail(KVL_E_OOM, "no memory to read records");
    enum kvl_status status = load(set, paths, n_paths, waiting);
    if (fclose(waiting) == 0 && status == KVL_OK && notes != NULL)
        fputs(said, notes);
    free(said);
    if (status != KVL_OK)
        kvl_record_set_free(set);
    return status;
}

void kvl_record_set_free(struct kvl_record_set *set)
{
    for (int i = 0; i < set->n; i++)
        json_decref(set->records[i]);
    free(set->records);
    *set = (struct kvl_record_set){0};
}
