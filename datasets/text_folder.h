/* A folder of text files as one long text: what --haystack DIR names. */
#ifndef KVL_TEXT_FOLDER_H
#define KVL_TEXT_FOLDER_H

#include "datasets/text.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Appends the folder's regular files *.txt in the order of their names (bytes; hidden ones and subfolders are left out), as
 * paragraphs: blank lines and the ends of files become "\n\n", every other run of white space one blank. A byte order mark at
 * the beginning of a file goes. KVL_E_ARG: no such file or none has a word; KVL_E_IO: cannot be read; KVL_E_FORMAT: not UTF-8 or
 * a zero byte, with file and offset. The text is not empty then, neither begins nor ends with white space, and depends on nothing
 * but what the files hold and their order. */
enum kvl_status kvl_text_folder_read(const char *dir, struct kvl_text *text);

/* SHA-256 of that text in hex: what a record calls the folder, wherever it lies. */
enum kvl_status kvl_text_folder_hash(const char *dir, char hex[65]);

#ifdef __cplusplus
}
#endif
#endif
