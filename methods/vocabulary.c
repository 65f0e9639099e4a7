#include "methods/vocabulary.h"

#include <stddef.h>

const char *const kvl_pool_names[] = {"max", "average", NULL};
const char *const kvl_layout_names[] = {"per_kv_head", "per_query_head", NULL};
