#include "datasets/task_settings.h"

#include <stddef.h>
#include <string.h>

#include "core/nearest.h"

static const char *const protocols[] = {"plain", "fastkv"};

const char *kvl_protocol_name(int protocol)
{
    return protocol >= 0 && protocol < (int)(sizeof protocols / sizeof *protocols) ? protocols[protocol] : NULL;
}

static enum kvl_status set_code_similarity(struct kvl_task_settings *settings, const char *value)
{
    KVL_REQUIRE(strcmp(value, "difflib") == 0 || strcmp(value, "levenshtein") == 0,
                "longbench.code_similarity '%s' is unknown: use difflib or levenshtein", value);
    settings->code_similarity = strcmp(value, "difflib") == 0 ? KVL_CODE_DIFFLIB : KVL_CODE_LEVENSHTEIN;
    return KVL_OK;
}

static const struct row {
    const char *family, *name;
    enum kvl_status (*set)(struct kvl_task_settings *settings, const char *value);
} rows[] = {
    {"longbench", "code_similarity", set_code_similarity},
};
enum { N_ROWS = sizeof rows / sizeof *rows };

bool kvl_task_setting_family(const char *family)
{
    for (int i = 0; i < (int)N_ROWS; i++)
        if (strcmp(rows[i].family, family) == 0)
            return true;
    return false;
}

static const char *name_at(const void *context, int i)
{
    (void)context;
    return i < (int)N_ROWS ? rows[i].name : NULL;
}

enum kvl_status kvl_task_setting_parse(struct kvl_task_settings *settings, const char *family, const char *name,
                                       const char *value)
{
    for (int i = 0; i < (int)N_ROWS; i++)
        if (strcmp(rows[i].family, family) == 0 && strcmp(rows[i].name, name) == 0)
            return rows[i].set(settings, value);
    const char *near = kvl_nearest(name, name_at, NULL);
    return kvl_fail(KVL_E_ARG, "%s has no setting '%.100s'%s%s%s", family, name, near != NULL ? "; did you mean '" : "",
                    near != NULL ? near : "", near != NULL ? "'?" : "");
}
