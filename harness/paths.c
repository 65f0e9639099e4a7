#include "harness/paths.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* ../share/kvlab/name beside the running program; false where that cannot be told. */
static bool installed_folder(const char *name, char *path, size_t size)
{
    char program[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    if (n <= 0)
        return false;
    program[n] = '\0';
    char *slash = strrchr(program, '/');
    if (slash == NULL)
        return false;
    *slash = '\0';
    return snprintf(path, size, "%s/../share/kvlab/%s", program, name) < (int)size;
}

/* In the source tree the published numbers lie with the other results. */
static bool source_folder(const char *name, char *path, size_t size)
{
    static const char *const parents[] = {"", "harness/", "results/"};
    for (size_t i = 0; i < sizeof parents / sizeof *parents; i++)
        if (snprintf(path, size, "%s/%s%s", KVL_SOURCE_DIR, parents[i], name) < (int)size && is_folder(path))
            return true;
    return false;
}

enum kvl_status kvl_data_folder(const char *name, char *path, size_t size)
{
    const char *data = getenv("KVLAB_DATA");
    if (data != NULL && data[0] != '\0') {
        if (snprintf(path, size, "%s/%s", data, name) < (int)size && is_folder(path))
            return KVL_OK;
        return kvl_fail(KVL_E_IO, "no folder %.500s/%s: KVLAB_DATA must name the folder that holds it", data, name);
    }
    char installed[PATH_MAX] = "";
    if (installed_folder(name, installed, sizeof installed) && is_folder(installed)
        && snprintf(path, size, "%s", installed) < (int)size)
        return KVL_OK;
    if (source_folder(name, path, size))
        return KVL_OK;
    return kvl_fail(KVL_E_IO, "no folder '%s': neither %.400s nor one in %.400s exists; set KVLAB_DATA", name, installed,
                    KVL_SOURCE_DIR);
}
