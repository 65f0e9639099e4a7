/* The few oneDNN calls that linear layers need, the same for major versions 2 and 3 of its C API. */
#ifndef KVL_ONEDNN_H
#define KVL_ONEDNN_H

#include <oneapi/dnnl/dnnl.h>

#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t kvl_md;
#else
typedef dnnl_memory_desc_t kvl_md_value;
typedef kvl_md_value *kvl_md;
#endif

/* A matrix layout; freed with kvl_md_free. NULL out of memory or where oneDNN refuses. */
kvl_md kvl_md_matrix(dnnl_dim_t rows, dnnl_dim_t cols, dnnl_data_type_t type, dnnl_format_tag_t tag);
kvl_md kvl_md_of_weights(const_dnnl_primitive_desc_t pd); /* a copy of what `any` became */
kvl_md kvl_md_of_scratchpad(const_dnnl_primitive_desc_t pd);
void kvl_md_free(kvl_md md);
size_t kvl_md_size(kvl_md md);

dnnl_status_t kvl_matmul_pd(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, kvl_md src, kvl_md weights, kvl_md dst,
                            const_dnnl_primitive_attr_t attr);
dnnl_status_t kvl_reorder_pd(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, kvl_md from, kvl_md to);
dnnl_status_t kvl_memory(dnnl_memory_t *memory, kvl_md md, dnnl_engine_t engine, void *data);
dnnl_status_t kvl_attr_accumulate(dnnl_primitive_attr_t attr); /* post-op: dst += result */

#endif
