/* A file as read-only memory. */
#ifndef KVL_FILE_MAP_H
#define KVL_FILE_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct kvl_file_map {
    const uint8_t *data; /* [bytes], page-aligned; NULL: not open */
    int64_t bytes;
};

/* Maps a regular, non-empty file. The sentence names the path. */
enum kvl_status kvl_file_map_open(struct kvl_file_map *map, const char *path);
void kvl_file_map_close(struct kvl_file_map *map); /* leaves {0}; {0} is allowed */

/* Whether something exists at `path`, and whether that is a folder. */
bool kvl_path_exists(const char *path);
bool kvl_path_is_folder(const char *path);

/* "dir/name" in a malloc'd string, NULL without memory. */
char *kvl_path_join(const char *dir, const char *name);

#ifdef __cplusplus
}
#endif
#endif
