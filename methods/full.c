/* full: keeps everything. A method like the others, so that the baseline takes the same path. */
#include "methods/method.h"

static enum kvl_status plan(const struct kvl_method_run *run, const struct kvl_shape *shape, struct kvl_plan *out)
{
    (void)run, (void)shape, (void)out;
    return KVL_OK;
}

const struct kvl_method kvl_method_full = {
    .name = "full",
    .title = "Full cache",
    .source = "the baseline of every ratio",
    .plan = plan,
};
