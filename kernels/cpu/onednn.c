#include "kernels/cpu/onednn.h"

#include <stdlib.h>

#if DNNL_VERSION_MAJOR >= 3

kvl_md kvl_md_matrix(dnnl_dim_t rows, dnnl_dim_t cols, dnnl_data_type_t type, dnnl_format_tag_t tag)
{
    kvl_md md = NULL;
    return dnnl_memory_desc_create_with_tag(&md, 2, (dnnl_dims_t){rows, cols}, type, tag) == dnnl_success ? md : NULL;
}

static kvl_md query(const_dnnl_primitive_desc_t pd, dnnl_query_t what)
{
    kvl_md md = NULL;
    const_dnnl_memory_desc_t found = dnnl_primitive_desc_query_md(pd, what, 0);
    return found != NULL && dnnl_memory_desc_clone(&md, found) == dnnl_success ? md : NULL;
}

void kvl_md_free(kvl_md md)
{
    if (md != NULL)
        dnnl_memory_desc_destroy(md);
}

dnnl_status_t kvl_matmul_pd(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, kvl_md src, kvl_md weights, kvl_md dst,
                            const_dnnl_primitive_attr_t attr)
{
    return dnnl_matmul_primitive_desc_create(pd, engine, src, weights, NULL, dst, attr);
}

dnnl_status_t kvl_attr_accumulate(dnnl_primitive_attr_t attr)
{
    dnnl_post_ops_t ops;
    dnnl_status_t status = dnnl_post_ops_create(&ops);
    if (status != dnnl_success)
        return status;
    status = dnnl_post_ops_append_sum(ops, 1.0f, 0, dnnl_data_type_undef);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_post_ops(attr, ops);
    dnnl_post_ops_destroy(ops);
    return status;
}

#else

static kvl_md copy_of(const kvl_md_value *value)
{
    kvl_md md = value != NULL ? malloc(sizeof *md) : NULL;
    if (md != NULL)
        *md = *value;
    return md;
}

kvl_md kvl_md_matrix(dnnl_dim_t rows, dnnl_dim_t cols, dnnl_data_type_t type, dnnl_format_tag_t tag)
{
    kvl_md_value value;
    if (dnnl_memory_desc_init_by_tag(&value, 2, (dnnl_dims_t){rows, cols}, type, tag) != dnnl_success)
        return NULL;
    return copy_of(&value);
}

static kvl_md query(const_dnnl_primitive_desc_t pd, dnnl_query_t what)
{
    return copy_of(dnnl_primitive_desc_query_md(pd, what, 0));
}

void kvl_md_free(kvl_md md)
{
    free(md);
}

dnnl_status_t kvl_matmul_pd(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, kvl_md src, kvl_md weights, kvl_md dst,
                            const_dnnl_primitive_attr_t attr)
{
    dnnl_matmul_desc_t desc;
    dnnl_status_t status = dnnl_matmul_desc_init(&desc, src, weights, NULL, dst);
    return status == dnnl_success ? dnnl_primitive_desc_create(pd, &desc, attr, engine, NULL) : status;
}

dnnl_status_t kvl_attr_accumulate(dnnl_primitive_attr_t attr)
{
    dnnl_post_ops_t ops;
    dnnl_status_t status = dnnl_post_ops_create(&ops);
    if (status != dnnl_success)
        return status;
    status = dnnl_post_ops_append_sum(ops, 1.0f);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_post_ops(attr, ops);
    dnnl_post_ops_destroy(ops);
    return status;
}

#endif

kvl_md kvl_md_of_weights(const_dnnl_primitive_desc_t pd)
{
    return query(pd, dnnl_query_weights_md);
}

kvl_md kvl_md_of_scratchpad(const_dnnl_primitive_desc_t pd)
{
    return query(pd, dnnl_query_scratchpad_md);
}

size_t kvl_md_size(kvl_md md)
{
    return dnnl_memory_desc_get_size(md);
}

dnnl_status_t kvl_reorder_pd(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, kvl_md from, kvl_md to)
{
    return dnnl_reorder_primitive_desc_create(pd, from, engine, to, engine, NULL);
}

dnnl_status_t kvl_memory(dnnl_memory_t *memory, kvl_md md, dnnl_engine_t engine, void *data)
{
    return dnnl_memory_create(memory, md, engine, data);
}
