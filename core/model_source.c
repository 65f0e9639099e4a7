#include "core/model_source.h"

#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/config.h"
#include "core/model.h"
#include "core/presets.h"
#include "core/safetensors.h"
#include "core/sha256.h"

static const char RANDOM[] = "random:";
enum { CONFIG_MAX = 16 << 20, INDEX_MAX = 100 << 20 };

/* A name for tables and records: printable, valid UTF-8, cut between characters. */
static void set_name(struct kvl_model_source *source, const char *text, int64_t n)
{
    int64_t most = (int64_t)sizeof source->name - 1, used = n < most ? n : most;
    while (used < n && used > 0 && ((unsigned char)text[used] & 0xc0) == 0x80)
        used--;
    bool utf8 = kvl_utf8_check(text, used) < 0;
    for (int64_t i = 0; i < used; i++) {
        unsigned char c = (unsigned char)text[i];
        source->name[i] = c < ' ' || c == 0x7f || (c >= 0x80 && !utf8) ? '?' : text[i];
    }
    source->name[used] = '\0';
}

/* The last part of a path, without ".gguf". */
static void set_name_from_path(struct kvl_model_source *source)
{
    char *path = realpath(source->path, NULL);
    char *copy = path != NULL ? path : strdup(source->path);
    if (copy == NULL)
        return;
    const char *base = basename(copy);
    size_t n = strlen(base);
    if (source->kind == KVL_SOURCE_GGUF && n > 5 && strcmp(base + n - 5, ".gguf") == 0)
        n -= 5;
    set_name(source, base, (int64_t)n);
    free(copy);
}

/* Maps a file and adds it to the list, which owns `path` from here on. */
static enum kvl_status add_file(struct kvl_model_source *source, char *path, const struct kvl_file_map **map)
{
    if (path == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for a path");
    struct kvl_source_file *files = realloc(source->files, (size_t)(source->n_files + 1) * sizeof *files);
    if (files == NULL) {
        free(path);
        return kvl_fail(KVL_E_OOM, "no memory for a list of files");
    }
    source->files = files;
    struct kvl_source_file *file = &files[source->n_files++];
    *file = (struct kvl_source_file){.path = path};
    KVL_TRY(kvl_file_map_open(&file->map, path));
    *map = &file->map;
    return KVL_OK;
}

static enum kvl_status open_gguf(struct kvl_model_source *source)
{
    const struct kvl_file_map *map = NULL;
    KVL_TRY(add_file(source, strdup(source->path), &map));
    enum kvl_status status = kvl_gguf_parse(&source->gguf, map->data, map->bytes, source->path);
    if (status != KVL_OK)
        return kvl_fail_prefix(status, "%s", source->path);
    return KVL_OK;
}

static enum kvl_status shape_gguf(struct kvl_model_source *source)
{
    enum kvl_status status = kvl_config_from_gguf(&source->shape, &source->gguf);
    if (status != KVL_OK)
        return kvl_fail_prefix(status, "%s", source->path);
    source->tensors = source->gguf.tensors;
    source->gguf.tensors = (struct kvl_tensors){0};
    return KVL_OK;
}

static enum kvl_status too_long(const char *path, const struct kvl_file_map *map, int64_t most)
{
    if (map->bytes > most)
        return kvl_fail(KVL_E_FORMAT, "%s: has %lld bytes; kvlab reads up to %lld", path, (long long)map->bytes, (long long)most);
    return KVL_OK;
}

static enum kvl_status read_config(struct kvl_model_source *source)
{
    char *path = kvl_path_join(source->path, "config.json");
    const struct kvl_file_map *map = NULL;
    KVL_TRY(add_file(source, path, &map));
    KVL_TRY(too_long(path, map, CONFIG_MAX));
    enum kvl_status status = kvl_config_from_json(&source->shape, (const char *)map->data, map->bytes);
    return status == KVL_OK ? status : kvl_fail_prefix(status, "%s", path);
}

static enum kvl_status read_weight_file(struct kvl_model_source *source, const char *name)
{
    char *path = kvl_path_join(source->path, name);
    const struct kvl_file_map *map = NULL;
    KVL_TRY(add_file(source, path, &map));
    enum kvl_status status = kvl_safetensors_parse(&source->tensors, map->data, map->bytes, path);
    return status == KVL_OK ? status : kvl_fail_prefix(status, "%s", path);
}

/* Every tensor of the index must lie in the shard that the index gives. */
static enum kvl_status check_index(const struct kvl_model_source *source, const struct kvl_shard_index *index)
{
    for (int64_t i = 0; i < index->n; i++) {
        const struct kvl_shard_row *row = &index->rows[i];
        const struct kvl_tensor *tensor = kvl_tensors_find(&source->tensors, row->tensor);
        const char *slash = tensor != NULL ? strrchr(tensor->file, '/') : NULL;
        if (slash == NULL || strcmp(slash + 1, row->shard) != 0)
            return kvl_fail(KVL_E_FORMAT, "its weight_map puts tensor %.300s into %.100s, which does not hold it", row->tensor,
                            row->shard);
    }
    return KVL_OK;
}

static enum kvl_status read_shards(struct kvl_model_source *source, const char *index_path)
{
    struct kvl_shard_index index = {0};
    struct kvl_file_map map;
    KVL_TRY(kvl_file_map_open(&map, index_path));
    enum kvl_status status = too_long(index_path, &map, INDEX_MAX);
    if (status == KVL_OK) {
        status = kvl_shard_index_parse(&index, (const char *)map.data, map.bytes);
        if (status != KVL_OK)
            kvl_fail_prefix(status, "%s", index_path);
    }
    for (int64_t i = 0; i < index.n_shards && status == KVL_OK; i++)
        status = read_weight_file(source, index.shards[i]);
    if (status == KVL_OK) {
        status = kvl_tensors_sort(&source->tensors);
        if (status == KVL_OK)
            status = check_index(source, &index);
        if (status != KVL_OK)
            kvl_fail_prefix(status, "%s", index_path);
    }
    kvl_shard_index_free(&index);
    kvl_file_map_close(&map);
    return status;
}

static enum kvl_status read_folder_weights(struct kvl_model_source *source)
{
    char *one = kvl_path_join(source->path, "model.safetensors");
    char *index = kvl_path_join(source->path, "model.safetensors.index.json");
    enum kvl_status status;
    if (one == NULL || index == NULL)
        status = kvl_fail(KVL_E_OOM, "no memory for a path");
    else if (kvl_path_exists(one))
        status = read_weight_file(source, "model.safetensors");
    else if (kvl_path_exists(index))
        status = read_shards(source, index);
    else
        status = kvl_fail(KVL_E_IO, "%s: holds neither model.safetensors nor model.safetensors.index.json", source->path);
    free(one);
    free(index);
    KVL_TRY(status);
    status = kvl_tensors_sort(&source->tensors);
    if (status == KVL_OK)
        status = kvl_tensors_check_overlap(&source->tensors);
    return status == KVL_OK ? status : kvl_fail_prefix(status, "%s", source->path);
}

static const char *preset_name(const void *context, int i)
{
    (void)context;
    const struct kvl_preset *preset = kvl_preset_at(i);
    return preset != NULL ? preset->name : NULL;
}

static enum kvl_status find_kind(struct kvl_model_source *source, const char *path)
{
    *source = (struct kvl_model_source){.path = path, .kind = KVL_SOURCE_GGUF};
    KVL_REQUIRE(path[0] != '\0', "the model's name is empty; give a GGUF file, a Hugging Face folder, or random:NAME");
    if (strncmp(path, RANDOM, sizeof RANDOM - 1) == 0) {
        source->kind = KVL_SOURCE_RANDOM;
        source->preset = path + sizeof RANDOM - 1;
        return KVL_OK;
    }
    for (int i = 0; preset_name(NULL, i) != NULL; i++)
        if (strcmp(path, preset_name(NULL, i)) == 0 && !kvl_path_exists(path))
            return kvl_fail(KVL_E_IO, "%s: there is no such file or folder; for random weights of that shape give random:%s",
                            path, path);
    if (kvl_path_is_folder(path))
        source->kind = KVL_SOURCE_FOLDER;
    set_name_from_path(source);
    return KVL_OK;
}

static enum kvl_status open_source(struct kvl_model_source *source)
{
    switch (source->kind) {
    case KVL_SOURCE_GGUF:
        KVL_TRY(open_gguf(source));
        return shape_gguf(source);
    case KVL_SOURCE_FOLDER:
        KVL_TRY(read_config(source));
        return read_folder_weights(source);
    case KVL_SOURCE_RANDOM:
        set_name(source, source->preset, (int64_t)strlen(source->preset));
        return kvl_preset_shape(source->preset, &source->shape);
    }
    return kvl_fail(KVL_E_INTERNAL, "a model source of kind %d", (int)source->kind);
}

enum kvl_status kvl_model_source_open(struct kvl_model_source *source, const char *path)
{
    enum kvl_status status = find_kind(source, path);
    if (status == KVL_OK)
        status = open_source(source);
    if (status != KVL_OK)
        kvl_model_source_close(source);
    return status;
}

enum kvl_status kvl_model_source_open_tokenizer(struct kvl_model_source *source, const char *path)
{
    enum kvl_status status = find_kind(source, path);
    if (status == KVL_OK && source->kind == KVL_SOURCE_RANDOM)
        status = kvl_fail(KVL_E_ARG, "%s: random models have no tokenizer; give a GGUF file or a Hugging Face folder", path);
    if (status == KVL_OK && source->kind == KVL_SOURCE_GGUF)
        status = open_gguf(source);
    if (status != KVL_OK)
        kvl_model_source_close(source);
    return status;
}

void kvl_model_source_close(struct kvl_model_source *source)
{
    kvl_tensors_free(&source->tensors);
    kvl_gguf_free(&source->gguf);
    for (int64_t i = 0; i < source->n_files; i++) {
        kvl_file_map_close(&source->files[i].map);
        free(source->files[i].path);
    }
    free(source->files);
    *source = (struct kvl_model_source){0};
}

void kvl_model_source_hash(const struct kvl_model_source *source, uint64_t seed, char hex[65])
{
    struct kvl_sha256 hash;
    kvl_sha256_init(&hash);
    for (int64_t i = 0; i < source->n_files; i++)
        kvl_sha256_update(&hash, source->files[i].map.data, (size_t)source->files[i].map.bytes);
    if (source->kind == KVL_SOURCE_RANDOM) {
        char text[128];
        int n = snprintf(text, sizeof text, "random:%.90s:%" PRIu64, source->preset, seed);
        kvl_sha256_update(&hash, text, (size_t)n);
    }
    kvl_sha256_final(&hash, hex);
}
