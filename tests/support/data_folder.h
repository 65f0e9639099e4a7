/* Temporary folders of data files for tests, and the shared reference data. Include behind cmocka.h. */
#ifndef KVLAB_TEST_DATA_FOLDER_H
#define KVLAB_TEST_DATA_FOLDER_H

#include <stddef.h>

struct data_folder {
    char path[64];
};

/* Makes an empty folder below $TMPDIR or /tmp; aborts where it cannot. */
void data_folder_init(struct data_folder *folder);
/* Writes DIR/name, the folders in `name` included; whatever was there before goes. */
void data_folder_write(const struct data_folder *folder, const char *name, const void *data, size_t n);
void data_folder_write_text(const struct data_folder *folder, const char *name, const char *text);
/* DIR/name in a static buffer. */
const char *data_folder_file(const struct data_folder *folder, const char *name);
/* Removes the folder and all below it. */
void data_folder_free(struct data_folder *folder);

/* A folder of the shared reference data ("ruler"), in a static buffer: below $KVLAB_SHARED_DATA, else ../shared/data beside the
 * source folder. Skips the test, saying why, where it is not there. */
const char *shared_data_folder(const char *name);

#endif
