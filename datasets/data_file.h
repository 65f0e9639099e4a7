/* Where a data file lies in the user's copy of a dataset: copies differ in their folders. */
#ifndef KVL_DATA_FILE_H
#define KVL_DATA_FILE_H

#include "kernels/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The first of places[0..n) below the folder `dir` that exists, in a malloc'd path. KVL_E_IO with all places that were tried;
 * `what` begins the sentence ("ruler/vt at 4096 tokens"). */
enum kvl_status kvl_data_file_find(const char *what, const char *dir, const char *const *places, int n, char **path);

#ifdef __cplusplus
}
#endif
#endif
