#include "core/file_map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum kvl_status kvl_file_map_open(struct kvl_file_map *map, const char *path)
{
    *map = (struct kvl_file_map){0};
    /* O_NONBLOCK: opening a named pipe must not wait for a writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return kvl_fail(KVL_E_IO, "%s: %s", path, strerror(errno));
    enum kvl_status status = KVL_OK;
    struct stat info;
    if (fstat(fd, &info) != 0)
        status = kvl_fail(KVL_E_IO, "%s: %s", path, strerror(errno));
    else if (S_ISDIR(info.st_mode))
        status = kvl_fail(KVL_E_IO, "%s: is a folder, a file is needed", path);
    else if (!S_ISREG(info.st_mode))
        status = kvl_fail(KVL_E_IO, "%s: is not a regular file", path);
    else if (info.st_size == 0)
        status = kvl_fail(KVL_E_FORMAT, "%s: is empty", path);
    if (status == KVL_OK) {
        void *data = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data == MAP_FAILED)
            status = kvl_fail(errno == ENOMEM ? KVL_E_OOM : KVL_E_IO, "%s: cannot map its %lld bytes: %s", path,
                              (long long)info.st_size, strerror(errno));
        else
            *map = (struct kvl_file_map){data, info.st_size};
    }
    close(fd);
    return status;
}

void kvl_file_map_close(struct kvl_file_map *map)
{
    if (map->data != NULL)
        munmap((void *)(uintptr_t)map->data, (size_t)map->bytes);
    *map = (struct kvl_file_map){0};
}

bool kvl_path_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

bool kvl_path_is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

char *kvl_path_join(const char *dir, const char *name)
{
    size_t n = strlen(dir) + strlen(name) + 2;
    char *path = malloc(n);
    if (path != NULL) {
        bool slash = dir[0] != '\0' && dir[strlen(dir) - 1] == '/';
        snprintf(path, n, "%s%s%s", dir, slash ? "" : "/", name);
    }
    return path;
}
