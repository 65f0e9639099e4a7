/* Where the program's own data lie: the folders plots (.gp), experiments and published (.json). */
#ifndef KVL_PATHS_H
#define KVL_PATHS_H

#include <stddef.h>

#include "kernels/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Folder `name` ("plots", "experiments", "published") into `path`: $KVLAB_DATA/name if the variable is set; else
 * ../share/kvlab/name beside the running program (installed); else the source tree that it was built from. KVL_E_IO where
 * none exists, naming the places. */
enum kvl_status kvl_data_folder(const char *name, char *path, size_t size);

#ifdef __cplusplus
}
#endif
#endif
