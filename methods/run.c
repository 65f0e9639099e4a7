/* What all methods share: the policy that wraps a run, its memory, its budget. */
#include <math.h>
#include <stdio.h>

#include "methods/method.h"

union kvl_value kvl_run_value(const struct kvl_method_run *run, const char *param)
{
    for (int i = 0; i < run->method->n_params; i++)
        if (strcmp(run->method->params[i].name, param) == 0)
            return run->values[i];
    return (union kvl_value){0};
}

int64_t kvl_run_cap(const struct kvl_method_run *run, int64_t n)
{
    return run->budget.budget > 0 ? run->budget.budget : (int64_t)floor((double)n * run->budget.rate);
}

enum kvl_status kvl_run_refuse_cap(const struct kvl_method_run *run, int64_t cap, int64_t n, const char *what)
{
    const char *option = run->budget.budget > 0 ? "--kv-budget" : "--kv-rate";
    return kvl_fail(KVL_E_ARG, "%s: %lld entries of %lld tokens are fewer than %s allows: raise %s", run->method->name,
                    (long long)cap, (long long)n, what, option);
}

enum kvl_status kvl_run_alloc(struct kvl_method_run *run, int64_t bytes, void **out)
{
    KVL_TRY(run->ctx->be->alloc(run->ctx, bytes, out));
    run->memory[run->n_memory++] = *out;
    return KVL_OK;
}

static enum kvl_status plan(const void *self, const struct kvl_shape *shape, struct kvl_plan *out)
{
    const struct kvl_method_run *run = self;
    return run->method->plan(run, shape, out);
}

static void end(void *self)
{
    struct kvl_method_run *run = self;
    for (int i = 0; i < run->n_memory; i++)
        run->ctx->be->free(run->ctx, run->memory[i]);
    run->n_memory = 0;
    run->ctx = NULL;
}

static enum kvl_status begin(void *self, struct kvl_ctx *ctx, const struct kvl_shape *shape, const struct kvl_plan *planned)
{
    struct kvl_method_run *run = self;
    end(run);
    run->ctx = ctx;
    memset(run->state, 0, run->method->state_size);
    return run->method->begin != NULL ? run->method->begin(run, shape, planned) : KVL_OK;
}

static enum kvl_status after_attention(void *self, const struct kvl_view *view, struct kvl_verdict *verdict)
{
    struct kvl_method_run *run = self;
    return run->method->after_attention != NULL ? run->method->after_attention(run, view, verdict) : KVL_OK;
}

static enum kvl_status before_decode(void *self, const struct kvl_view *view, struct kvl_verdict *verdict)
{
    struct kvl_method_run *run = self;
    return run->method->before_decode(run, view, verdict);
}

static enum kvl_status after_decode(void *self, const struct kvl_view *view, struct kvl_verdict *verdict)
{
    struct kvl_method_run *run = self;
    return run->method->after_decode(run, view, verdict);
}

/* Called by kvl_method_init (methods/params.c) once the values stand. */
void kvl_run_bind(struct kvl_method_run *run);
void kvl_run_bind(struct kvl_method_run *run)
{
    const struct kvl_method *method = run->method;
    bool evicts = method->evicts[run->profile];
    run->policy = (struct kvl_policy){
        .name = method->name,
        .self = run,
        .plan = plan,
        .begin = begin,
        .end = end,
        .after_attention = after_attention,
        .before_decode = evicts && method->before_decode != NULL ? before_decode : NULL,
        .after_decode = evicts && method->after_decode != NULL ? after_decode : NULL,
    };
}
