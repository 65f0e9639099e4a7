/* The engine: one loop over layers, shared by all methods and both backends. */
#ifndef KVL_ENGINE_H
#define KVL_ENGINE_H

#include "core/kv_cache.h"
#include "core/model.h"
#include "core/policy.h"

#ifdef __cplusplus
extern "C" {
#endif

struct kvl_engine; /* a model and the memory that a run needs beside weights and cache */

/* `chunk`: tokens of the row-wise parts (projections, MLP) at a time, at least 3; 0 for the backend's own number. Results do
 * not depend on it. */
enum kvl_status kvl_engine_init(struct kvl_engine **out, const struct kvl_model *model, int64_t chunk);
void kvl_engine_free(struct kvl_engine *engine);

/* Bytes that a session of this plan needs in the engine itself, beside cache and policy. */
int64_t kvl_engine_workspace(const struct kvl_engine *engine, const struct kvl_plan *plan);

/* One policy's run over one prompt: plan, cache, position. Made for a prompt length; may be prefilled again and again. */
struct kvl_session {
    const struct kvl_engine *engine;
    const struct kvl_policy *policy;
    struct kvl_plan plan;
    struct kvl_kv_cache cache;
    float *logits;         /* f32 [n_vocab], in the backend's memory: of the last token seen */
    int64_t position;      /* original position of the next token */
    int32_t *position_at;  /* i32 [1], the same in the backend's memory while a step runs */
    struct kvl_graph *graph; /* a decode step, recorded; NULL where steps are queued one operation after the other: on backends
                              * without graphs, and for policies that evict, whose operations change from step to step */
    int64_t graph_of;        /* the workspace that it was recorded with (struct kvl_engine.n_reserved) */
    int64_t step;          /* decode steps done */
    int64_t selection_ns;  /* time in the policy and in storing, of the last prefill; 0 unless asked for */
    int32_t *restart;      /* host i32 [n_restart]: prompt positions of the second pass; NULL without one */
    int32_t **forward;     /* host [n_layer]: i32 [n_forward] prompt positions where a layer sent only some on, else NULL;
                            * filled only by kvl_session_trace */
    bool trace;
};

/* Plans, allocates (the engine's workspace for this length, too) and, where the backend has graphs, records the decode step, so
 * that neither prefill nor decode has to. `n_new`: decode steps at most. */
enum kvl_status kvl_session_init(struct kvl_session *session, struct kvl_engine *engine, const struct kvl_policy *policy,
                                 int64_t n_prompt, int64_t n_new);
void kvl_session_free(struct kvl_session *session);

/* From here on prefills note which tokens went on (copies to the host: not for timed runs). */
enum kvl_status kvl_session_trace(struct kvl_session *session);

/* From here on every decode step copies each layer's keys and values before it reads them, as a cache does that grows by
 * concatenation (torch.cat in Hugging Face's DynamicCache): one more reading and writing of the cache a token. Results are the same.
 * To be called before the first prefill. */
enum kvl_status kvl_session_copy_cache(struct kvl_session *session, struct kvl_engine *engine);

struct kvl_prefill {
    const int32_t *ids;    /* host i32 [n]; NULL: those that kvl_engine_load_prompt put into the engine */
    int64_t n;
    bool time_selection;   /* fill kvl_session.selection_ns */
};

/* Makes room in the engine for these sessions, and for them alone. A prefill does it by itself; done before, the prefill
 * allocates nothing, as a timed one must not. */
enum kvl_status kvl_engine_reserve(struct kvl_engine *engine, struct kvl_session *const *sessions, int n_sessions);

/* Puts a prompt's ids (host i32 [n]) into the engine, for any number of prefills that give no ids: a timed one begins with ids on
 * the device. The engine holds them until another prompt is loaded or room is made for other sessions; so reserve first. KVL_E_ARG:
 * there is no room for n tokens, an id is outside the vocabulary. */
enum kvl_status kvl_engine_load_prompt(struct kvl_engine *engine, const int32_t *ids, int64_t n);

/* Runs the prompt. Several sessions share one prefill only if all leave it as it is (kvl_plan_leaves_prefill); each gets
 * its own cache and the logits of the last token. Afterwards the device is idle. KVL_E_ARG: n differs from the plan's, an id
 * is outside the vocabulary, no prompt is given or loaded. */
enum kvl_status kvl_engine_prefill(struct kvl_engine *engine, const struct kvl_prefill *prefill,
                                   struct kvl_session *const *sessions, int n_sessions);

/* Feeds one token and leaves the next logits in session->logits. */
enum kvl_status kvl_engine_step(struct kvl_engine *engine, struct kvl_session *session, int32_t id);

/* The most likely next token (the lower id on a tie). */
enum kvl_status kvl_session_argmax(struct kvl_session *session, int32_t *id);

const struct kvl_model *kvl_engine_model(const struct kvl_engine *engine);

/* Copies the logits to host memory, f32 [n_vocab]. */
enum kvl_status kvl_session_logits(const struct kvl_session *session, float *logits);

/* Copies what the head read last, of whichever session: the last token's hidden state behind the final norm, as f32 [n_embd]
 * in host memory. KVL_E_ARG before the first prefill. */
enum kvl_status kvl_engine_hidden(const struct kvl_engine *engine, float *hidden);

#ifdef __cplusplus
}
#endif
#endif
