/* Names of choices that several methods have. */
#ifndef KVL_VOCABULARY_H
#define KVL_VOCABULARY_H

enum { KVL_LAYOUT_KV_HEAD, KVL_LAYOUT_QUERY_HEAD };

/* Indexed by enum kvl_pool_kind and the layouts above; NULL-terminated. */
extern const char *const kvl_pool_names[];
extern const char *const kvl_layout_names[];

#endif
