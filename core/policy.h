/* What a method sees of a run and what it decides: the seam between the engine and methods/.
 *
 * The engine calls a policy after the attention of every layer and, where the policy asks for it, around decode steps. A
 * policy never touches the engine's state: it reads a view and answers with a verdict. All index lists stay in the backend's
 * memory; all counts follow from the plan, so the host knows every shape before the first kernel runs. */
#ifndef KVL_POLICY_H
#define KVL_POLICY_H

#include "core/shape.h"
#include "kernels/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What happens to one layer's tokens in the pass that fills the cache. */
struct kvl_layer_plan {
    int64_t n_in;      /* tokens that enter the layer */
    int64_t n_keep;    /* entries that each stored head keeps, 1 <= n_keep <= n_in */
    int64_t n_forward; /* tokens that go on to the next layer; n_in: all */
    int64_t n_max;     /* entries that a stored head may hold while n_new tokens are decoded, >= n_keep */
};

struct kvl_plan {
    int64_t n_prompt, n_new; /* tokens of the prompt; tokens to be decoded after the first */
    int64_t n_stored;        /* heads stored per layer: n_kv, or n_head where a method selects per query head */
    int64_t n_lists;         /* index lists of a verdict: 1 (the same for all heads) or n_stored */
    int64_t restart_layer;   /* after this layer of a first pass all begins again on n_restart tokens; -1: never */
    int64_t n_restart;
    bool cache_positions;    /* keys are stored unrotated and rotated to their place in the cache at every step */
    enum kvl_dtype dtype;    /* of the model's rows and of the cache; the session sets it before the policy begins */
    bool running_scores;     /* the cache holds a score per entry and decode adds to it */
    struct kvl_layer_plan layers[KVL_MAX_LAYERS]; /* [n_layer]: of the last pass where there are two */
};

/* True where the prefill of `plan` is that of the full cache: no token is held back, so that one prefill may serve several
 * policies. */
bool kvl_plan_leaves_prefill(const struct kvl_plan *plan, const struct kvl_shape *shape);

/* Token-layers that the prefill processes, both passes counted. */
int64_t kvl_plan_token_layers(const struct kvl_plan *plan, const struct kvl_shape *shape);

/* One layer after its attention, read-only. Device pointers; the arrays live until the call returns. */
struct kvl_view {
    struct kvl_ctx *ctx;
    const struct kvl_shape *shape;
    const struct kvl_plan *plan;
    int64_t layer;
    int64_t pass;        /* 0; 1 in the pass after a restart */
    int64_t n;           /* prefill: tokens in this layer. decode: entries held by a head, the new one included */
    const int32_t *pos;  /* prefill: i32 [n] original positions, ascending. decode: i32 [n_stored, n_max] of the cache */
    struct kvl_heads q;  /* prefill [n, n_head, e]; decode [1, n_head, e]; rotated */
    struct kvl_heads k;  /* prefill [n, n_kv, e], rotated; decode: the cache [n, n_stored, e] */
    const float *lse;    /* f32 [n_head, n] (decode: [n_head]) of this layer's attention */
    int64_t window;      /* sliding window of this layer, 0: none */
    float scale;         /* of q.k before the softmax */
    int64_t step;        /* decode: 0 for the first step; prefill: -1 */
    const float *scores; /* decode with running_scores: f32 [n_stored, n_max] */
};

/* Device pointers into the policy's own memory, valid until its next call. {0}: keep all, send all on. */
struct kvl_verdict {
    const int32_t *keep;    /* i32 [n_lists, n_keep] ascending; NULL: all. Prefill: indices of this layer's tokens;
                             * decode: indices of cache entries, n_keep of them (the plan does not fix this one) */
    int64_t n_keep;
    const float *scores;    /* with running_scores, prefill: f32 [n_stored, n], the score that each token enters with */
    const int32_t *forward; /* i32 [n_forward] ascending; NULL: all */
    int64_t n_forward;
    const int32_t *restart; /* i32 [n_restart] ascending, prompt positions, at the plan's restart_layer; NULL: none */
};

struct kvl_policy {
    const char *name;
    void *self;

    /* Fills the plan for a prompt of plan->n_prompt tokens and plan->n_new decode steps (both set by the caller; every
     * other field is preset to "keep all"). KVL_E_ARG where parameters and prompt contradict each other. */
    enum kvl_status (*plan)(const void *self, const struct kvl_shape *shape, struct kvl_plan *plan);

    /* Allocates what the run needs; `end` frees it. begin may follow end any number of times. */
    enum kvl_status (*begin)(void *self, struct kvl_ctx *ctx, const struct kvl_shape *shape, const struct kvl_plan *plan);
    void (*end)(void *self);

    enum kvl_status (*after_attention)(void *self, const struct kvl_view *view, struct kvl_verdict *verdict);

    /* Either may be NULL. before_decode is asked with the entries held so far (q and lse are empty), after_decode once the
     * new token is in and has attended. Verdicts use keep alone. */
    enum kvl_status (*before_decode)(void *self, const struct kvl_view *view, struct kvl_verdict *verdict);
    enum kvl_status (*after_decode)(void *self, const struct kvl_view *view, struct kvl_verdict *verdict);
};

/* The plan of a prompt of n_prompt tokens with n_new decode steps. KVL_E_ARG where the prompt is empty, does not fit into the
 * model's context, or contradicts the policy's parameters. */
enum kvl_status kvl_plan_make(struct kvl_plan *plan, const struct kvl_policy *policy, const struct kvl_shape *shape,
                              int64_t n_prompt, int64_t n_new);

#ifdef __cplusplus
}
#endif
#endif
