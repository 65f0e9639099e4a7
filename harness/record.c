/* Records on disk: appended whole or not at all, read back line by line. */
#define _GNU_SOURCE /* memrchr, asprintf */
#include "harness/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/json_text.h"

static enum kvl_status print_line(const char *line)
{
    if (fputs(line, stdout) == EOF || putchar('\n') == EOF || fflush(stdout) != 0)
        return kvl_fail(KVL_E_IO, "cannot write a record to standard output: %s", strerror(errno));
    return KVL_OK;
}

/* Offset behind the last newline before `end`; -1 on a read error. */
static off_t last_line_start(int fd, off_t end)
{
    char block[4096];
    while (end > 0) {
        off_t start = end > (off_t)sizeof block ? end - (off_t)sizeof block : 0;
        ssize_t n = pread(fd, block, (size_t)(end - start), start);
        if (n <= 0)
            return -1;
        const char *newline = memrchr(block, '\n', (size_t)n);
        if (newline != NULL)
            return start + (newline - block) + 1;
        end = start;
    }
    return 0;
}

static bool is_json(int fd, off_t start, off_t end)
{
    size_t n = (size_t)(end - start);
    char *line = malloc(n);
    bool whole = line != NULL && pread(fd, line, n, start) == (ssize_t)n;
    json_t *value = whole ? json_loadb(line, n, JSON_ALLOW_NUL, NULL) : NULL;
    bool valid = value != NULL;
    json_decref(value);
    free(line);
    return valid;
}

/* A run that was killed while writing leaves a last line without its newline. If it is a record all the same, it gets the
 * newline (*needs_newline); a part of one goes, or the file could not be read any more. */
static enum kvl_status mend_last_line(int fd, const char *path, off_t size, bool *needs_newline)
{
    *needs_newline = false;
    char last = '\n';
    if (size == 0 || (pread(fd, &last, 1, size - 1) == 1 && last == '\n'))
        return KVL_OK;
    off_t start = last_line_start(fd, size);
    if (start >= 0 && is_json(fd, start, size)) {
        *needs_newline = true;
        return KVL_OK;
    }
    if (start < 0 || ftruncate(fd, start) != 0)
        return kvl_fail(KVL_E_IO, "cannot mend the last line of %s: %s", path, strerror(errno));
    return KVL_OK;
}

static enum kvl_status write_all(int fd, const char *path, const char *text, size_t n)
{
    while (n > 0) {
        ssize_t written = write(fd, text, n);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return kvl_fail(KVL_E_IO, "cannot write to %s: %s", path, strerror(errno));
        text += written;
        n -= (size_t)written;
    }
    return KVL_OK;
}

/* To the disk; pipes and devices have none (EINVAL). */
static enum kvl_status flush_to_disk(int fd, const char *path)
{
    if (fsync(fd) != 0 && errno != EINVAL && errno != ENOTSUP && errno != EROFS)
        return kvl_fail(KVL_E_IO, "cannot write to %s: %s", path, strerror(errno));
    return KVL_OK;
}

/* `text` is "\n", the record, "\n": the first character is left out where the file ends in a newline, as it should. */
static enum kvl_status append_text(int fd, const char *path, const char *text)
{
    struct stat info;
    bool regular = fstat(fd, &info) == 0 && S_ISREG(info.st_mode), needs_newline = false;
    if (regular)
        KVL_TRY(mend_last_line(fd, path, info.st_size, &needs_newline));
    if (regular && fstat(fd, &info) != 0)
        return kvl_fail(KVL_E_IO, "cannot read the size of %s: %s", path, strerror(errno));
    const char *from = needs_newline ? text : text + 1;
    enum kvl_status status = write_all(fd, path, from, strlen(from));
    if (status == KVL_OK)
        return flush_to_disk(fd, path);
    if (regular && ftruncate(fd, info.st_size) != 0)
        return kvl_fail_prefix(status, "%s now ends in a part of a record", path);
    return status;
}

static enum kvl_status append_to_file(const char *path, const char *text)
{
    int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return kvl_fail(KVL_E_IO, "cannot write to %s: %s", path, strerror(errno));
    flock(fd, LOCK_EX); /* other shards; where the file system has no locks, O_APPEND still keeps lines apart */
    enum kvl_status status = append_text(fd, path, text);
    if (close(fd) != 0 && status == KVL_OK)
        status = kvl_fail(KVL_E_IO, "cannot write to %s: %s", path, strerror(errno));
    return status;
}

enum kvl_status kvl_record_append(const char *path, const json_t *record)
{
    char *line = kvl_json_line(record), *text = NULL;
    enum kvl_status status;
    if (line == NULL || asprintf(&text, "\n%s\n", line) < 0)
        status = kvl_fail(KVL_E_OOM, "no memory for a record");
    else if (path == NULL)
        status = print_line(line);
    else
        status = append_to_file(path, text);
    free(text);
    free(line);
    return status;
}

/* One line of a results file, its newline taken off. A last line without one that is no JSON is what a killed run left. */
static enum kvl_status read_line(const char *path, int64_t number, const char *line, size_t n, bool ended, json_t *records,
                                 bool *truncated)
{
    json_error_t error = {0};
    json_t *record = json_loadb(line, n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    enum json_error_code code = record == NULL ? json_error_code(&error) : json_error_unknown;
    if (code == json_error_out_of_memory)
        return kvl_fail(KVL_E_OOM, "%s: no memory for line %lld", path, (long long)number);
    *truncated = record == NULL && !ended && code != json_error_duplicate_key;
    if (*truncated)
        return KVL_OK;
    if (record == NULL)
        return kvl_fail(KVL_E_FORMAT, "%s, line %lld: malformed JSON at column %d: %s", path, (long long)number,
                        error.column, error.text);
    if (!json_is_object(record)) {
        json_decref(record);
        return kvl_fail(KVL_E_FORMAT, "%s, line %lld: holds no JSON object", path, (long long)number);
    }
    if (json_array_append_new(records, record) != 0)
        return kvl_fail(KVL_E_OOM, "%s: no memory for line %lld", path, (long long)number);
    return KVL_OK;
}

static enum kvl_status read_lines(FILE *file, const char *path, json_t *records, bool *truncated)
{
    enum kvl_status status = KVL_OK;
    char *line = NULL;
    size_t n_allocated = 0;
    ssize_t n;
    for (int64_t number = 1; status == KVL_OK && (n = getline(&line, &n_allocated, file)) >= 0; number++) {
        bool ended = n > 0 && line[n - 1] == '\n';
        status = read_line(path, number, line, (size_t)(n - ended), ended, records, truncated);
    }
    if (status == KVL_OK && !feof(file))
        status = kvl_fail(errno == ENOMEM ? KVL_E_OOM : KVL_E_IO, "cannot read %s: %s", path, strerror(errno));
    free(line);
    return status;
}

enum kvl_status kvl_records_read(const char *path, json_t **records, bool *truncated)
{
    *records = NULL;
    *truncated = false;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return kvl_fail(KVL_E_IO, "cannot open %s: %s", path, strerror(errno));
    enum kvl_status status = KVL_OK;
    *records = json_array();
    if (*records == NULL)
        status = kvl_fail(KVL_E_OOM, "no memory for the records of %s", path);
    else
        status = read_lines(file, path, *records, truncated);
    fclose(file);
    if (status != KVL_OK) {
        json_decref(*records);
        *records = NULL;
    }
    return status;
}
