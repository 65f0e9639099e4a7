#include "harness/kernel_case.h"

#include <string.h>

#include "core/nearest.h"

static const struct kvl_kernel_group *const groups[] = {&kvl_kernel_rows, &kvl_kernel_linear, &kvl_kernel_attention,
                                                        &kvl_kernel_selection};

const char *kvl_kernel_phase(const struct kvl_kernel_case *row)
{
    return row->decode ? "decode" : "prefill";
}

const struct kvl_kernel_case *kvl_kernel_case_at(int i)
{
    for (size_t g = 0; g < sizeof groups / sizeof *groups; g++) {
        if (i < groups[g]->n)
            return &groups[g]->cases[i];
        i -= groups[g]->n;
    }
    return NULL;
}

static const char *next_operation(const void *context, int i)
{
    (void)context;
    const struct kvl_kernel_case *row = kvl_kernel_case_at(i);
    return row != NULL ? row->operation : NULL;
}

enum kvl_status kvl_kernel_operation_check(const char *option, const char *name)
{
    const char *known;
    for (int i = 0; (known = next_operation(NULL, i)) != NULL; i++)
        if (strcmp(known, name) == 0)
            return KVL_OK;
    const char *near = kvl_nearest(name, next_operation, NULL);
    return kvl_fail(KVL_E_ARG, "%s: there is no operation '%s'%s%s%s", option, name, near != NULL ? "; did you mean '" : "",
                    near != NULL ? near : "", near != NULL ? "'?" : "; kernels/backend.h lists them");
}

double kvl_kernel_pairs(int64_t begin, int64_t end, int64_t window)
{
    double all = 0.5 * ((double)end * (double)(end + 1) - (double)begin * (double)(begin + 1));
    if (window <= 0 || window >= end)
        return all;
    double from = (double)(begin > window ? begin - window : 0), to = (double)(end - window);
    return all - 0.5 * (to * (to + 1.0) - from * (from + 1.0));
}
