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

enum kvl_status kvl_plan_make(struct kvl_plan *plan, const struct kvl_policy *policy, const struct kvl_shape *shape,
                              int64_t n_prompt, int64_t n_new)
{
    KVL_REQUIRE(n_prompt >= 1, "an empty prompt: give at least one token");
    KVL_REQUIRE(n_prompt + n_new <= shape->n_context,
                "%lld prompt tokens and %lld new ones exceed the model's context of %lld: give fewer", (long long)n_prompt,
                (long long)n_new, (long long)shape->n_context);
    *plan = (struct kvl_plan){.n_prompt = n_prompt, .n_new = n_new, .n_stored = shape->n_kv, .n_lists = 1, .restart_layer = -1};
    for (int64_t l = 0; l < shape->n_layer; l++)
        plan->layers[l] = (struct kvl_layer_plan){n_prompt, n_prompt, n_prompt, n_prompt + n_new};
    return policy->plan(policy->self, shape, plan);
}
