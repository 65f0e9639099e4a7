/* What a run says to all its tasks: the protocol, where data lies, which reading of a scorer. */
#ifndef KVL_TASK_SETTINGS_H
#define KVL_TASK_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum kvl_protocol {
    KVL_PROTOCOL_PLAIN,  /* one BOS, the model's template, the answer prefix after the assistant's header, nothing cut */
    KVL_PROTOCOL_FASTKV, /* as the FastKV repository ran its tables */
};

enum kvl_code_similarity {
    KVL_CODE_DIFFLIB,     /* fuzzywuzzy without python-Levenshtein: Ratcliff-Obershelp */
    KVL_CODE_LEVENSHTEIN, /* with it */
};

struct kvl_task_settings {
    enum kvl_protocol protocol;
    int64_t max_prompt;         /* tokens; a longer prompt loses its middle; 0: the protocol's own */
    const char *haystack_dir;   /* folder of text files in place of composed essays; NULL: composed */
    const char *ruler_dir;      /* official RULER files, CONTEXT/TASK.jsonl; NULL: not given */
    const char *longbench_dir;  /* official LongBench files; NULL: not given */
    enum kvl_code_similarity code_similarity;
};

/* "plain", "fastkv"; NULL past the end. */
const char *kvl_protocol_name(int protocol);

/* Whether a task family of this name has settings. */
bool kvl_task_setting_family(const char *family);

/* One `--set FAMILY.NAME=value` of a task family ("longbench", "code_similarity", "levenshtein"). KVL_E_ARG with the near name
 * or the choices. */
enum kvl_status kvl_task_setting_parse(struct kvl_task_settings *settings, const char *family, const char *name,
                                       const char *value);

#ifdef __cplusplus
}
#endif
#endif
