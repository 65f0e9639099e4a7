#include "harness/kept.h"

#include <stdlib.h>

static json_t *list_of(const int32_t *items, int64_t n)
{
    json_t *list = json_array();
    for (int64_t i = 0; i < n; i++)
        json_array_append_new(list, json_integer(items[i]));
    return list;
}

enum kvl_status kvl_kept_positions(const struct kvl_session *session, int64_t layer, int64_t list, int32_t **pos, int64_t *n)
{
    const struct kvl_plan *plan = &session->plan;
    *n = session->cache.layers[layer].n;
    *pos = malloc((size_t)(*n > 0 ? *n : 1) * sizeof **pos);
    if (*pos == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for %lld positions", (long long)*n);
    enum kvl_status status = kvl_kv_cache_positions(&session->cache, layer, list, *pos);
    /* Positions of a second pass are places in the restarted prompt. */
    for (int64_t i = 0; i < *n && status == KVL_OK && session->restart != NULL; i++)
        (*pos)[i] = (*pos)[i] < plan->n_restart ? session->restart[(*pos)[i]]
                                                : (int32_t)((*pos)[i] - plan->n_restart + plan->n_prompt);
    if (status != KVL_OK) {
        free(*pos);
        *pos = NULL;
    }
    return status;
}

/* One list per stored head, or a single one where the method keeps the same for all. */
static enum kvl_status kept_of(const struct kvl_session *session, int64_t layer, json_t *kept)
{
    for (int64_t list = 0; list < session->plan.n_lists; list++) {
        int32_t *pos;
        int64_t n;
        KVL_TRY(kvl_kept_positions(session, layer, list, &pos, &n));
        json_array_append_new(kept, list_of(pos, n));
        free(pos);
    }
    return KVL_OK;
}

enum kvl_status kvl_kept_json(const struct kvl_session *session, const struct kvl_config *config, json_t **out)
{
    const struct kvl_plan *plan = &session->plan;
    json_t *layers = json_array(), *root = *out = json_object();
    json_object_set_new(root, "n_prompt", json_integer(plan->n_prompt));
    json_object_set_new(root, "method", json_string(config->method->name));
    json_object_set_new(root, "profile", json_string(kvl_profile_name(config->profile)));
    json_object_set_new(root, "heads_stored", json_integer(plan->n_stored));
    if (session->restart != NULL)
        json_object_set_new(root, "restart", json_pack("{s:I, s:o}", "layer", plan->restart_layer, "kept",
                                                       list_of(session->restart, plan->n_restart)));
    json_object_set_new(root, "layers", layers);
    for (int64_t l = 0; l < kvl_engine_model(session->engine)->shape.n_layer; l++) {
        json_t *layer = json_object(), *kept = json_array();
        json_array_append_new(layers, layer);
        json_object_set_new(layer, "layer", json_integer(l));
        json_object_set_new(layer, "n_in", json_integer(plan->layers[l].n_in));
        json_object_set_new(layer, "kept", kept);
        json_object_set_new(layer, "forward", session->forward[l] == NULL
                                                  ? json_null()
                                                  : list_of(session->forward[l], plan->layers[l].n_forward));
        enum kvl_status status = kept_of(session, l, kept);
        if (status != KVL_OK) {
            json_decref(root);
            *out = NULL;
            return status;
        }
    }
    return KVL_OK;
}
