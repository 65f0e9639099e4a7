#include "datasets/text_folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/file_map.h"
#include "core/sha256.h"
#include "core/tokenizer.h"

#define BYTE_ORDER_MARK "\xef\xbb\xbf"

enum { MAX_BYTES = 1 << 30 };

static int is_text_file(const struct dirent *entry)
{
    size_t n = strlen(entry->d_name);
    return entry->d_name[0] != '.' && n > 4 && strcmp(entry->d_name + n - 4, ".txt") == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* Paragraphs of one file behind those of the others. */
static enum kvl_status add_paragraphs(struct kvl_text *text, const char *data, int64_t n)
{
    int n_newlines = 2; /* since the last word; a file begins a paragraph */
    for (int64_t i = 0, end; i < n; i = end) {
        for (end = i; end < n && strchr(" \t\n\v\f\r", data[end]); end++)
            n_newlines += data[end] == '\n';
        i = end;
        while (end < n && !strchr(" \t\n\v\f\r", data[end]))
            end++;
        if (end == i)
            break;
        if (text->n > 0)
            KVL_TRY(kvl_text_add(text, n_newlines >= 2 ? "\n\n" : " "));
        KVL_TRY(kvl_text_append(text, data + i, end - i));
        n_newlines = 0;
    }
    return KVL_OK;
}

static enum kvl_status add_file(struct kvl_text *text, const char *path)
{
    struct kvl_file_map map;
    struct stat info;
    enum kvl_status status = KVL_OK;
    if (stat(path, &info) == 0 && (!S_ISREG(info.st_mode) || info.st_size == 0))
        return KVL_OK;
    KVL_TRY(kvl_file_map_open(&map, path));
    const char *data = (const char *)map.data, *zero = memchr(data, '\0', (size_t)map.bytes);
    int64_t bad = kvl_utf8_check(data, map.bytes);
    int64_t skip = map.bytes >= 3 && memcmp(data, BYTE_ORDER_MARK, 3) == 0 ? 3 : 0;
    if (zero != NULL && (bad < 0 || zero - data < bad))
        status = kvl_fail(KVL_E_FORMAT, "%s: a zero byte at offset %lld; a haystack is made of text", path,
                          (long long)(zero - data));
    else if (bad >= 0)
        status = kvl_fail(KVL_E_FORMAT, "%s: not valid UTF-8 at offset %lld; convert it or take it out", path, (long long)bad);
    else if (map.bytes > MAX_BYTES - text->n)
        status = kvl_fail(KVL_E_ARG, "%s: with this file the folder's text has more than %d bytes; take some out", path,
                          MAX_BYTES);
    else
        status = add_paragraphs(text, data + skip, map.bytes - skip);
    kvl_file_map_close(&map);
    return status;
}

static enum kvl_status add_entry(struct kvl_text *text, const char *dir, const char *name)
{
    char *path = kvl_path_join(dir, name);
    if (path == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for a file name in %s", dir);
    enum kvl_status status = add_file(text, path);
    free(path);
    return status;
}

enum kvl_status kvl_text_folder_read(const char *dir, struct kvl_text *text)
{
    struct dirent **entries;
    int n = scandir(dir, &entries, is_text_file, by_name);
    if (n < 0)
        return kvl_fail(errno == ENOMEM ? KVL_E_OOM : KVL_E_IO, "%s: %s; --haystack names a folder of text files", dir,
                        strerror(errno));
    struct kvl_text all = {0};
    enum kvl_status status = KVL_OK;
    for (int i = 0; i < n; i++) {
        if (status == KVL_OK)
            status = add_entry(&all, dir, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    if (status == KVL_OK && all.n == 0)
        status = kvl_fail(KVL_E_ARG, "%s: no file *.txt with a word in it; --haystack names a folder of text files", dir);
    if (status == KVL_OK)
        status = kvl_text_append(text, all.data, all.n);
    kvl_text_free(&all);
    return status;
}

enum kvl_status kvl_text_folder_hash(const char *dir, char hex[65])
{
    struct kvl_text text = {0};
    struct kvl_sha256 hash;
    KVL_TRY(kvl_text_folder_read(dir, &text));
    kvl_sha256_init(&hash);
    kvl_sha256_update(&hash, text.data, (size_t)text.n);
    kvl_sha256_final(&hash, hex);
    kvl_text_free(&text);
    return KVL_OK;
}
