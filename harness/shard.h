/* `--shard i/n`: a sweep is a row of independent jobs in a fixed order, of which one process takes every n-th. */
#ifndef KVL_SHARD_H
#define KVL_SHARD_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct kvl_shard {
    int64_t index, count; /* 0 <= index < count; count 0: all jobs */
    int64_t next;         /* number of the job that is asked about next */
};

/* Whether the next job is this shard's; asked once for each, in their order. */
static inline bool kvl_shard_takes(struct kvl_shard *shard)
{
    int64_t job = shard->next++;
    return shard->count == 0 || job % shard->count == shard->index;
}

#ifdef __cplusplus
}
#endif
#endif
