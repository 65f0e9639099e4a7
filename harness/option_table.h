/* The options of all commands, one row each. */
#ifndef KVL_OPTION_TABLE_H
#define KVL_OPTION_TABLE_H

#include "harness/options.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    KVL_OPTION_HELP = 'h',
    KVL_OPTION_TEXTS = 0x80, /* from here on options without a short form; in a command's keys "\x80", ... */
    KVL_OPTION_TOP,
    KVL_OPTION_WINDOW,
    KVL_OPTION_LAYER,
    KVL_OPTION_BOUND,
    KVL_OPTION_PUBLISHED,
    KVL_OPTION_KERNELS,
    KVL_OPTION_OP,
    KVL_OPTION_COPY_CACHE,
    KVL_N_OPTIONS_MAX = 64,
};

struct kvl_option {
    int key;              /* the short option, or a number above ASCII */
    const char *name;     /* the long one */
    const char *argument; /* NULL: a switch */
    const char *help;
    enum kvl_status (*parse)(struct kvl_options *options, const char *name, const char *value);
};

/* NULL where no option has the key. */
const struct kvl_option *kvl_option_find(int key);

#ifdef __cplusplus
}
#endif
#endif
