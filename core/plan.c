#include "core/policy.h"

bool kvl_plan_leaves_prefill(const struct kvl_plan *plan, const struct kvl_shape *shape)
{
    if (plan->restart_layer >= 0)
        return false;
    for (int64_t l = 0; l < shape->n_layer; l++)
        if (plan->layers[l].n_in != plan->n_prompt)
            return false;
    return true;
}

int64_t kvl_plan_token_layers(const struct kvl_plan *plan, const struct kvl_shape *shape)
{
    int64_t sum = plan->restart_layer >= 0 ? (plan->restart_layer + 1) * plan->n_prompt : 0;
    for (int64_t l = 0; l < shape->n_layer; l++)
        sum += plan->layers[l].n_in;
    return sum;
}
