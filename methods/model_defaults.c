/* Source: FastKV, arXiv:2502.01068 v7, appendix on experimental settings, and its repository (snapshot 2025-11-22). A model is
 * known by its shape: names differ between files of one model. */
#include "methods/model_defaults.h"

struct row {
    const char *name;
    int64_t n_layer, n_embd;
    int64_t tsp_layer, filter_layer;
    double pyramid_p;
};

static const struct row rows[] = {
    {"LLaMA-3.1-8B", 32, 4096, 15, 13, 0.70},
    {"Ministral-8B", 36, 4096, 17, 17, 0.75},
    {"Mistral-Nemo-12B", 40, 5120, 19, 19, 0.78},
};

static const struct row *find(const struct kvl_shape *shape)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].n_layer == shape->n_layer && rows[i].n_embd == shape->n_embd)
            return &rows[i];
    return NULL;
}

static int64_t middle(const struct kvl_shape *shape)
{
    return shape->n_layer >= 2 ? shape->n_layer / 2 - 1 : 0;
}

union kvl_value kvl_default_tsp_layer(const struct kvl_shape *shape, enum kvl_profile profile)
{
    (void)profile;
    const struct row *row = find(shape);
    return (union kvl_value){.i = row != NULL ? row->tsp_layer : middle(shape)};
}

union kvl_value kvl_default_filter_layer(const struct kvl_shape *shape, enum kvl_profile profile)
{
    (void)profile;
    const struct row *row = find(shape);
    return (union kvl_value){.i = row != NULL ? row->filter_layer : middle(shape)};
}

union kvl_value kvl_default_pyramid_p(const struct kvl_shape *shape, enum kvl_profile profile)
{
    const struct row *row = find(shape);
    double p = row != NULL ? row->pyramid_p : rows[0].pyramid_p;
    return (union kvl_value){.r = profile == KVL_PROFILE_PAPER ? 0.9 : p};
}
