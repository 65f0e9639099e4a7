#define _GNU_SOURCE /* asprintf */
#include "harness/output_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum kvl_status refuse(const char *path)
{
    return kvl_fail(KVL_E_IO, "cannot write to %s: %s", path, strerror(errno));
}

/* The mode that a plain fopen would have given it. */
static mode_t usual_mode(void)
{
    mode_t mask = umask(0);
    umask(mask);
    return 0666 & ~mask;
}

/* A new file beside the place, with the mode of the old one if there is one. */
static enum kvl_status open_beside(struct kvl_output_file *file, mode_t mode)
{
    const char *slash = strrchr(file->place, '/'), *name = slash != NULL ? slash + 1 : file->place;
    if (asprintf(&file->temporary, "%.*s.%.200s.XXXXXX", (int)(name - file->place), file->place, name) < 0) {
        file->temporary = NULL;
        return kvl_fail(KVL_E_OOM, "no memory for a file name");
    }
    int fd = mkstemp(file->temporary);
    if (fd < 0) {
        enum kvl_status status = refuse(file->path);
        free(file->temporary);
        file->temporary = NULL; /* nothing to remove */
        return status;
    }
    if (fchmod(fd, mode) != 0 || (file->stream = fdopen(fd, "w")) == NULL) {
        close(fd);
        return refuse(file->path);
    }
    return KVL_OK;
}

static enum kvl_status open_path(struct kvl_output_file *file)
{
    struct stat info;
    bool exists = stat(file->path, &info) == 0;
    if (exists && !S_ISREG(info.st_mode)) {
        file->stream = fopen(file->path, "we");
        return file->stream != NULL ? KVL_OK : refuse(file->path);
    }
    if (exists && access(file->path, W_OK) != 0)
        return refuse(file->path);
    file->place = exists ? realpath(file->path, NULL) : strdup(file->path);
    if (file->place == NULL)
        return refuse(file->path);
    return open_beside(file, exists ? info.st_mode & 0777 : usual_mode());
}

enum kvl_status kvl_output_file_open(struct kvl_output_file *file, const char *path)
{
    *file = (struct kvl_output_file){.path = path, .stream = path == NULL ? stdout : NULL};
    if (path == NULL)
        return KVL_OK;
    enum kvl_status status = open_path(file);
    if (status != KVL_OK)
        kvl_output_file_discard(file);
    return status;
}

enum kvl_status kvl_output_file_commit(struct kvl_output_file *file)
{
    const char *path = file->path != NULL ? file->path : "standard output";
    bool bad = fflush(file->stream) != 0 || ferror(file->stream);
    if (file->temporary != NULL)
        bad = bad || fsync(fileno(file->stream)) != 0;
    if (file->stream != stdout)
        bad = fclose(file->stream) != 0 || bad;
    file->stream = NULL;
    if (file->temporary != NULL)
        bad = bad || rename(file->temporary, file->place) != 0;
    enum kvl_status status = bad ? refuse(path) : KVL_OK;
    if (!bad) {
        free(file->temporary);
        file->temporary = NULL;
    }
    kvl_output_file_discard(file);
    return status;
}

void kvl_output_file_discard(struct kvl_output_file *file)
{
    if (file->stream != NULL && file->stream != stdout)
        fclose(file->stream);
    if (file->temporary != NULL)
        unlink(file->temporary);
    free(file->temporary);
    free(file->place);
    *file = (struct kvl_output_file){0};
}
