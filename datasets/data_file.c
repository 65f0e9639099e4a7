#include "datasets/data_file.h"

#include <stdint.h>
#include <stdlib.h>

#include "core/file_map.h"
#include "datasets/text.h"

static enum kvl_status fail_with_places(const char *what, const char *dir, const char *const *places, int n)
{
    struct kvl_text tried = {0};
    enum kvl_status status = KVL_OK;
    for (int i = 0; i < n && status == KVL_OK; i++)
        status = kvl_text_format(&tried, "%s%s", i > 0 ? ", " : "", places[i]);
    if (status == KVL_OK)
        status = kvl_fail(KVL_E_IO, "%s: no such file in %s; tried %s", what, dir, tried.data);
    kvl_text_free(&tried);
    return status;
}

enum kvl_status kvl_data_file_find(const char *what, const char *dir, const char *const *places, int n, char **path)
{
    *path = NULL;
    if (!kvl_path_is_folder(dir))
        return kvl_fail(KVL_E_IO, "%s: %s is not a folder", what, dir);
    for (int i = 0; i < n; i++) {
        *path = kvl_path_join(dir, places[i]);
        if (*path == NULL)
            return kvl_fail(KVL_E_OOM, "no memory for a path");
        if (kvl_path_exists(*path))
            return KVL_OK;
        free(*path);
        *path = NULL;
    }
    return fail_with_places(what, dir, places, n);
}
