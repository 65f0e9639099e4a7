#define _XOPEN_SOURCE 700
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/data_folder.h"
#include "tests/support/skipping.h"

void data_folder_init(struct data_folder *folder)
{
    const char *base = getenv("TMPDIR");
    snprintf(folder->path, sizeof folder->path, "%.32s/kvlab-data-XXXXXX", base != NULL ? base : "/tmp");
    if (mkdtemp(folder->path) == NULL)
        abort();
}

const char *data_folder_file(const struct data_folder *folder, const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", folder->path, name);
    return path;
}

void data_folder_write(const struct data_folder *folder, const char *name, const void *data, size_t n)
{
    char path[512];
    snprintf(path, sizeof path, "%s", data_folder_file(folder, name));
    for (char *slash = path + strlen(folder->path) + 1; (slash = strchr(slash, '/')) != NULL; *slash++ = '/') {
        *slash = '\0';
        mkdir(path, 0777);
    }
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(data, 1, n, file) != n || fclose(file) != 0)
        abort();
}

void data_folder_write_text(const struct data_folder *folder, const char *name, const char *text)
{
    data_folder_write(folder, name, text, strlen(text));
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info;
    (void)kind;
    (void)place;
    return remove(path);
}

void data_folder_free(struct data_folder *folder)
{
    nftw(folder->path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

const char *shared_data_folder(const char *name)
{
    static char path[1024];
    const char *base = getenv("KVLAB_SHARED_DATA");
    snprintf(path, sizeof path, "%s/%s", base != NULL && *base != '\0' ? base : KVLAB_GOLDEN_DIR "/../../../shared/data", name);
    if (access(path, R_OK) != 0)
        skip_because("%s is not there; KVLAB_SHARED_DATA can name the folder of the reference data", path);
    return path;
}
