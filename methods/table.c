/* The table of methods: a new one is a file and a row here. */
#include "core/nearest.h"
#include "methods/method.h"

extern const struct kvl_method kvl_method_full, kvl_method_streamingllm, kvl_method_h2o, kvl_method_snapkv,
    kvl_method_gemfilter, kvl_method_pyramidinfer, kvl_method_fastkv, kvl_method_random;

static const struct kvl_method *const methods[] = {
    &kvl_method_full,      &kvl_method_streamingllm,  &kvl_method_h2o,    &kvl_method_snapkv,
    &kvl_method_gemfilter, &kvl_method_pyramidinfer, &kvl_method_fastkv, &kvl_method_random,
};

enum { N_METHODS = sizeof methods / sizeof *methods };

const struct kvl_method *kvl_method_at(int i)
{
    return i >= 0 && i < (int)N_METHODS ? methods[i] : NULL;
}

static const char *next_name(const void *context, int i)
{
    (void)context;
    return i < (int)N_METHODS ? methods[i]->name : NULL;
}

enum kvl_status kvl_method_find(const char *name, const struct kvl_method **out)
{
    for (int i = 0; i < (int)N_METHODS; i++)
        if (strcmp(methods[i]->name, name) == 0) {
            *out = methods[i];
            return KVL_OK;
        }
    const char *near = kvl_nearest(name, next_name, NULL);
    return kvl_fail(KVL_E_ARG, "unknown method '%s'%s%s%s; `kvlab list methods` shows them", name,
                    near != NULL ? ": did you mean '" : "", near != NULL ? near : "", near != NULL ? "'?" : "");
}
