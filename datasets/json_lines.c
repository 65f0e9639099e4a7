#include "datasets/json_lines.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/file_map.h"
#include "core/tokenizer.h"

/* Where the lines of a file begin, as long as the file is the one that was read. */
struct line_index {
    struct kvl_json_lines file; /* path is the index's own; NULL: an unused place */
    struct stat info;
    int64_t *starts; /* [n], bytes */
    int64_t n, n_allocated;
};

enum { N_REMEMBERED = 64 };
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct line_index remembered[N_REMEMBERED];
static int oldest; /* the place that is taken next */

static void index_free(struct line_index *index)
{
    free((char *)(uintptr_t)index->file.path);
    free(index->starts);
    *index = (struct line_index){0};
}

static enum kvl_status index_push(struct line_index *index, int64_t start)
{
    if (index->n == index->n_allocated) {
        int64_t n_allocated = index->n_allocated > 0 ? 2 * index->n_allocated : 256;
        int64_t *starts = realloc(index->starts, (size_t)n_allocated * sizeof *starts);
        if (starts == NULL)
            return kvl_fail(KVL_E_OOM, "no memory for the places of %lld records", (long long)n_allocated);
        index->starts = starts;
        index->n_allocated = n_allocated;
    }
    index->starts[index->n++] = start;
    return KVL_OK;
}

/* The end of the line that begins at `start`: its newline, or the end of the file. */
static int64_t line_end(const struct kvl_file_map *map, int64_t start)
{
    const uint8_t *newline = memchr(map->data + start, '\n', (size_t)(map->bytes - start));
    return newline != NULL ? newline - map->data : map->bytes;
}

static bool is_blank(const char *data, int64_t n)
{
    while (n > 0 && strchr(" \t\r", data[n - 1]) != NULL && data[n - 1] != '\0')
        n--;
    return n == 0;
}

static enum kvl_status parse_object(const char *data, int64_t n, json_t **record)
{
    json_error_t error = {0};
    int64_t bad = kvl_utf8_check(data, n);
    if (bad >= 0)
        return kvl_fail(KVL_E_FORMAT, "is not UTF-8 at byte %lld of the line", (long long)bad + 1);
    *record = json_loadb(data, (size_t)n, JSON_REJECT_DUPLICATES, &error);
    if (*record == NULL && json_error_code(&error) == json_error_out_of_memory)
        return kvl_fail(KVL_E_OOM, "no memory for a record of %lld bytes", (long long)n);
    if (*record == NULL)
        return kvl_fail(KVL_E_FORMAT, "malformed JSON at column %d: %s", error.column, error.text);
    return json_is_object(*record) ? KVL_OK : kvl_fail(KVL_E_FORMAT, "holds no JSON object");
}

enum kvl_status kvl_json_lines_fail(const struct kvl_json_lines *file, int64_t index, enum kvl_status status)
{
    return kvl_fail_prefix(status, "%s, line %lld", file->path, (long long)index + 1);
}

/* Records stand on the first lines without a gap, so that record i is line i + 1. */
static enum kvl_status parse(const struct kvl_json_lines *file, int64_t i, const char *data, int64_t n, json_t **record)
{
    *record = NULL;
    enum kvl_status status = parse_object(data, n, record);
    if (status == KVL_OK && file->check != NULL)
        status = file->check(*record, file->context);
    if (status == KVL_OK)
        return KVL_OK;
    json_decref(*record);
    *record = NULL;
    return kvl_json_lines_fail(file, i, status);
}

static enum kvl_status index_build(struct line_index *index, const struct kvl_file_map *map)
{
    const struct kvl_json_lines *file = &index->file;
    bool gap = false;
    for (int64_t start = 0, end; start < map->bytes; start = end + 1) {
        const char *line = (const char *)map->data + start;
        json_t *record;
        end = line_end(map, start);
        if (is_blank(line, end - start)) {
            gap = true;
            continue;
        }
        if (gap)
            return kvl_json_lines_fail(file, index->n, kvl_fail(KVL_E_FORMAT, "is empty, and records follow it"));
        KVL_TRY(parse(file, index->n, line, end - start, &record));
        json_decref(record);
        KVL_TRY(index_push(index, start));
    }
    return index->n > 0 ? KVL_OK : kvl_fail(KVL_E_FORMAT, "%s: holds no record", file->path);
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size
        && a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* The index of the open file; `lock` is held. */
static enum kvl_status index_find(const struct kvl_json_lines *file, const struct kvl_file_map *map, const struct line_index **out)
{
    struct stat info = {0};
    if (stat(file->path, &info) != 0 || info.st_size != map->bytes)
        return kvl_fail(KVL_E_IO, "%s: changes while it is read", file->path);
    for (int i = 0; i < N_REMEMBERED; i++) {
        const struct line_index *index = &remembered[i];
        if (index->file.path != NULL && strcmp(index->file.path, file->path) == 0 && index->file.check == file->check
            && index->file.context == file->context && is_same_file(&index->info, &info)) {
            *out = index;
            return KVL_OK;
        }
    }
    struct line_index made = {.file = {strdup(file->path), file->check, file->context}, .info = info};
    enum kvl_status status = made.file.path != NULL ? index_build(&made, map) : kvl_fail(KVL_E_OOM, "no memory for a path");
    if (status != KVL_OK) {
        index_free(&made);
        return status;
    }
    index_free(&remembered[oldest]);
    remembered[oldest] = made;
    *out = &remembered[oldest];
    oldest = (oldest + 1) % N_REMEMBERED;
    return KVL_OK;
}

/* Records, and where record i begins; i < 0 or past the end: *start stays as it is. */
static enum kvl_status look_up(const struct kvl_json_lines *file, const struct kvl_file_map *map, int64_t i, int64_t *n,
                               int64_t *start)
{
    const struct line_index *index;
    pthread_mutex_lock(&lock);
    enum kvl_status status = index_find(file, map, &index);
    if (status == KVL_OK) {
        *n = index->n;
        if (i >= 0 && i < index->n)
            *start = index->starts[i];
    }
    pthread_mutex_unlock(&lock);
    return status;
}

enum kvl_status kvl_json_lines_count(const struct kvl_json_lines *file, int64_t *n)
{
    struct kvl_file_map map;
    int64_t start = 0;
    *n = 0;
    KVL_TRY(kvl_file_map_open(&map, file->path));
    enum kvl_status status = look_up(file, &map, -1, n, &start);
    kvl_file_map_close(&map);
    return status;
}

static enum kvl_status read_at(const struct kvl_json_lines *file, const struct kvl_file_map *map, int64_t index, json_t **record)
{
    int64_t n = 0, start = 0;
    KVL_TRY(look_up(file, map, index, &n, &start));
    KVL_REQUIRE(index >= 0 && index < n, "%s has %lld records: sample %lld is not there (the first is 0)", file->path, (long long)n,
                (long long)index);
    return parse(file, index, (const char *)map->data + start, line_end(map, start) - start, record);
}

enum kvl_status kvl_json_lines_read(const struct kvl_json_lines *file, int64_t index, json_t **record)
{
    struct kvl_file_map map;
    *record = NULL;
    KVL_TRY(kvl_file_map_open(&map, file->path));
    enum kvl_status status = read_at(file, &map, index, record);
    kvl_file_map_close(&map);
    return status;
}

static void free_strings(char **list, int n)
{
    for (int i = 0; i < n; i++)
        free(list[i]);
    free(list);
}

enum kvl_status kvl_json_lines_strings(const json_t *record, const char *key, bool required, char ***list, int *n)
{
    const json_t *value = kvl_json_get(record, key);
    size_t size = json_array_size(value);
    *list = NULL;
    *n = 0;
    if (value == NULL)
        return required ? kvl_fail(KVL_E_FORMAT, "%s is missing", key) : KVL_OK;
    if (!json_is_array(value) || size > INT_MAX)
        return kvl_fail(KVL_E_FORMAT, "%s is not a list of strings", key);
    char **strings = calloc(size + 1, sizeof *strings);
    if (strings == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for %s", key);
    for (size_t i = 0; i < size; i++) {
        const char *string = json_string_value(json_array_get(value, i));
        strings[i] = string != NULL ? strdup(string) : NULL;
        if (strings[i] == NULL) {
            free_strings(strings, (int)i);
            return string != NULL ? kvl_fail(KVL_E_OOM, "no memory for %s", key)
                                  : kvl_fail(KVL_E_FORMAT, "%s[%zu] is not a string", key, i);
        }
    }
    *list = strings;
    *n = (int)size;
    return KVL_OK;
}
