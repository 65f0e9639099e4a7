/* The records of several results files, checked, without those that a newer one replaces: what report and plot read. */
#ifndef KVL_RECORD_SET_H
#define KVL_RECORD_SET_H

#include <jansson.h>
#include <stdio.h>

#include "kernels/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct kvl_record_set {
    json_t **records; /* [n] owned, newest first */
    int n;
};

/* Reads eval, bench, analyze and kernel records of this schema. Of several with one config_key the newest stays. What is left out (older
 * ones, other kinds, a truncated last line, files of samples) is said in a line on `notes` each (NULL: nowhere).
 * KVL_E_FORMAT names file and line of a field that has the wrong type. */
enum kvl_status kvl_record_set_load(struct kvl_record_set *set, char *const *paths, int n_paths, FILE *notes);
void kvl_record_set_free(struct kvl_record_set *set); /* leaves {0} */

/* A field: NULL or NaN where it is missing, null, or something else. */
const char *kvl_record_text(const json_t *record, const char *key);
double kvl_record_number(const json_t *record, const char *key);

/* Whether there is a record and its configuration came to its end. */
bool kvl_record_is_ok(const json_t *record);

/* Whether two values are the same: missing equals null, 1 equals 1.0. */
bool kvl_record_same(const json_t *a, const json_t *b);

#ifdef __cplusplus
}
#endif
#endif
