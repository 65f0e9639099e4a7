#include "tests/support/model_folder.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void model_folder_init(struct model_folder *folder)
{
    const char *base = getenv("TMPDIR");
    snprintf(folder->path, sizeof folder->path, "%.32s/kvlab-test-XXXXXX", base != NULL ? base : "/tmp");
    if (mkdtemp(folder->path) == NULL)
        abort();
}

const char *model_folder_file(const struct model_folder *folder, const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", folder->path, name);
    return path;
}

void model_folder_write(const struct model_folder *folder, const char *name, const void *data, size_t n)
{
    FILE *file = fopen(model_folder_file(folder, name), "wb");
    if (file == NULL || fwrite(data, 1, n, file) != n || fclose(file) != 0)
        abort();
}

void model_folder_write_text(const struct model_folder *folder, const char *name, const char *text)
{
    model_folder_write(folder, name, text, strlen(text));
}

void model_folder_remove(const struct model_folder *folder, const char *name)
{
    unlink(model_folder_file(folder, name));
}

void model_folder_free(struct model_folder *folder)
{
    DIR *dir = opendir(folder->path);
    for (const struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;)
        if (entry->d_name[0] != '.')
            model_folder_remove(folder, entry->d_name);
    if (dir != NULL)
        closedir(dir);
    rmdir(folder->path);
}

struct bytes safetensors_write(const char *header, long long claimed, size_t n_data)
{
    struct bytes out = {0};
    bytes_put_number(&out, claimed >= 0 ? (uint64_t)claimed : strlen(header), 8);
    bytes_put(&out, header, strlen(header));
    for (size_t i = 0; i < n_data; i += 4) {
        float value = (float)((int)(i * 5 % 11) - 5) / 16;
        bytes_put(&out, &value, n_data - i < 4 ? n_data - i : 4);
    }
    return out;
}
