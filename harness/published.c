#include "harness/published.h"

#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json_file.h"
#include "core/model.h"
#include "core/nearest.h"
#include "harness/paths.h"
#include "harness/record_set.h"

enum { MAX_BYTES = 1 << 22 };

/* ---- which files there are -------------------------------------------------------------------------------------------- */

static int compare_names(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_json(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return dot != NULL && strcmp(dot, ".json") == 0;
}

/* An array of names without their ending. */
static enum kvl_status list_names(char *folder, size_t size, json_t **out)
{
    KVL_TRY(kvl_data_folder("published", folder, size));
    struct dirent **entries;
    int n = scandir(folder, &entries, is_json, compare_names);
    if (n < 0)
        return kvl_fail(KVL_E_IO, "%s cannot be read", folder);
    *out = json_array();
    for (int i = 0; i < n; i++) {
        json_array_append_new(*out, json_stringn(entries[i]->d_name, strlen(entries[i]->d_name) - 5));
        free(entries[i]);
    }
    free(entries);
    return *out != NULL ? KVL_OK : kvl_fail(KVL_E_OOM, "no memory for the names of published numbers");
}

static const char *name_at(const void *context, int i)
{
    return json_string_value(json_array_get(context, (size_t)i));
}

static enum kvl_status refuse_name(const char *name, const json_t *names)
{
    const char *near = kvl_nearest(name, name_at, names);
    char all[512] = "";
    size_t n = 0;
    for (int i = 0; name_at(names, i) != NULL && n < sizeof all; i++)
        n += (size_t)snprintf(all + n, sizeof all - n, "%s%s", i > 0 ? ", " : "", name_at(names, i));
    if (near != NULL)
        return kvl_fail(KVL_E_ARG, "nothing published is called '%.100s': did you mean '%s'?", name, near);
    return kvl_fail(KVL_E_ARG, "nothing published is called '%.100s': there are %s", name, all);
}

static enum kvl_status load_file(const char *name, json_t **file, char *path, size_t size)
{
    char folder[PATH_MAX];
    json_t *names;
    KVL_TRY(list_names(folder, sizeof folder, &names));
    bool known = false;
    for (int i = 0; name_at(names, i) != NULL; i++)
        known |= strcmp(name_at(names, i), name) == 0;
    enum kvl_status status = known ? KVL_OK : refuse_name(name, names);
    json_decref(names);
    KVL_TRY(status);
    snprintf(path, size, "%s/%s.json", folder, name);
    return kvl_json_load(path, MAX_BYTES, file);
}

enum kvl_status kvl_published_list(json_t **out)
{
    char folder[PATH_MAX];
    json_t *names;
    KVL_TRY(list_names(folder, sizeof folder, &names));
    *out = json_array();
    enum kvl_status status = KVL_OK;
    for (int i = 0; name_at(names, i) != NULL && status == KVL_OK; i++) {
        struct kvl_published published;
        status = kvl_published_load(&published, name_at(names, i));
        if (status != KVL_OK)
            break;
        json_array_append_new(*out, json_pack("{s:s, s:s, s:s}", "name", name_at(names, i), "title", published.title, "source",
                                              published.source));
        kvl_published_free(&published);
    }
    json_decref(names);
    return status;
}

/* ---- reading one ------------------------------------------------------------------------------------------------------ */

static enum kvl_status read_number(const json_t *object, const char *key, double *out)
{
    *out = NAN;
    return kvl_json_real(object, key, false, out);
}

static enum kvl_status read_columns(struct kvl_published *published, const json_t *columns)
{
    size_t i;
    const json_t *item;
    published->columns = calloc(json_array_size(columns) + 1, sizeof *published->columns);
    if (published->columns == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for published numbers");
    json_array_foreach (columns, i, item) {
        struct kvl_published_column *column = &published->columns[published->n_columns++];
        KVL_TRY(kvl_json_string(item, "measure", true, &column->measure));
        KVL_TRY(read_number(item, "context", &column->context));
    }
    return KVL_OK;
}

/* In the order of the columns, or by measure. */
static const json_t *value_of(const struct kvl_published *published, const json_t *scores, int column)
{
    return json_is_array(scores) ? json_array_get(scores, (size_t)column)
                                 : json_object_get(scores, published->columns[column].measure);
}

static enum kvl_status read_values(const struct kvl_published *published, const json_t *scores, double *values)
{
    if (json_is_array(scores) ? json_array_size(scores) != (size_t)published->n_columns : !json_is_object(scores))
        return kvl_fail(KVL_E_FORMAT, "scores must be an object, or a list of %d", published->n_columns);
    for (int c = 0; c < published->n_columns; c++) {
        const json_t *value = value_of(published, scores, c);
        if (value != NULL && !json_is_null(value) && !json_is_number(value))
            return kvl_fail(KVL_E_FORMAT, "score of %s must be a number or null", published->columns[c].measure);
        values[c] = json_is_number(value) ? json_number_value(value) : NAN;
    }
    return KVL_OK;
}

static enum kvl_status read_row(const struct kvl_published *published, const json_t *item, struct kvl_published_row *row)
{
    KVL_TRY(kvl_json_string(item, "model", true, &row->model));
    KVL_TRY(kvl_json_string(item, "method", true, &row->method));
    KVL_TRY(read_number(item, "kv_rate", &row->kv_rate));
    KVL_TRY(read_number(item, "kv_budget", &row->kv_budget));
    row->says_rate = json_object_get(item, "kv_rate") != NULL || !isnan(row->kv_budget);
    row->params = kvl_json_get(item, "params");
    row->values = calloc((size_t)published->n_columns + 1, sizeof *row->values);
    if (row->values == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for published numbers");
    return read_values(published, json_object_get(item, "scores"), row->values);
}

static enum kvl_status read_rows(struct kvl_published *published, const json_t *rows)
{
    size_t i;
    const json_t *item;
    published->rows = calloc(json_array_size(rows) + 1, sizeof *published->rows);
    if (published->rows == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for published numbers");
    json_array_foreach (rows, i, item) {
        enum kvl_status status = read_row(published, item, &published->rows[published->n_rows++]);
        if (status != KVL_OK)
            return kvl_fail_prefix(status, "rows[%zu]", i);
    }
    return KVL_OK;
}

static enum kvl_status read_file(struct kvl_published *published)
{
    const char *kind;
    KVL_TRY(kvl_json_string(published->file, "title", true, &published->title));
    KVL_TRY(kvl_json_string(published->file, "source", true, &published->source));
    KVL_TRY(kvl_json_string(published->file, "kind", true, &kind));
    KVL_TRY(kvl_json_string(published->file, "family", false, &published->family));
    published->is_bench = strcmp(kind, "bench") == 0;
    if (!published->is_bench && (strcmp(kind, "eval") != 0 || published->family == NULL))
        return kvl_fail(KVL_E_FORMAT, "kind must be \"bench\", or \"eval\" with a family");
    KVL_TRY(read_columns(published, json_object_get(published->file, "columns")));
    return read_rows(published, json_object_get(published->file, "rows"));
}

enum kvl_status kvl_published_load(struct kvl_published *published, const char *name)
{
    char path[PATH_MAX + 300];
    *published = (struct kvl_published){0};
    KVL_TRY(load_file(name, &published->file, path, sizeof path));
    enum kvl_status status = read_file(published);
    if (status == KVL_OK)
        return KVL_OK;
    kvl_published_free(published);
    return kvl_fail_prefix(status, "%s", path);
}

void kvl_published_free(struct kvl_published *published)
{
    for (int r = 0; r < published->n_rows; r++)
        free(published->rows[r].values);
    free(published->rows);
    free(published->columns);
    json_decref(published->file);
    *published = (struct kvl_published){0};
}

enum kvl_status kvl_published_check(const char *name)
{
    struct kvl_published published;
    KVL_TRY(kvl_published_load(&published, name));
    kvl_published_free(&published);
    return KVL_OK;
}

/* ---- the same model --------------------------------------------------------------------------------------------------- */

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '.';
}

/* The next word of a name: its length, and where it begins; 0 at the end. */
static size_t next_word(const char **name)
{
    size_t n = 0;
    while (**name != '\0' && !is_word(**name))
        ++*name;
    while (is_word((*name)[n]))
        n++;
    return n;
}

static bool has_word(const char *name, const char *word, size_t n)
{
    for (size_t length; (length = next_word(&name)) > 0; name += length)
        if (length == n && strncasecmp(name, word, n) == 0)
            return true;
    return false;
}

static bool has_words(const char *name, const char *words)
{
    static const char ignored[] = "instruct";
    for (size_t n; (n = next_word(&words)) > 0; words += n)
        if (!(n == sizeof ignored - 1 && strncasecmp(words, ignored, n) == 0) && !has_word(name, words, n))
            return false;
    return true;
}

static bool has_shape(const json_t *record, const struct kvl_shape *shape)
{
    const struct {
        const char *key;
        int64_t value;
    } sizes[] = {{"n_layer", shape->n_layer}, {"n_embd", shape->n_embd},       {"n_head", shape->n_head},
                 {"n_kv", shape->n_kv},       {"head_size", shape->head_size}, {"n_ff", shape->n_ff}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (kvl_record_number(record, sizes[i].key) != (double)sizes[i].value)
            return false;
    return true;
}

bool kvl_published_is_model(const char *model, const json_t *record, const char **how)
{
    const char *name = kvl_record_text(record, "model"), *source = kvl_record_text(record, "model_source");
    bool is_random = source != NULL && strncmp(source, "random:", 7) == 0;
    *how = "by name";
    if (!is_random && has_words(name, model))
        return true;
    *how = is_random ? "by shape, with random weights" : "by shape";
    const struct kvl_preset *preset;
    for (int i = 0; (preset = kvl_preset_at(i)) != NULL; i++)
        if (has_words(model, preset->name) && has_shape(record, &preset->shape))
            return true;
    return false;
}
