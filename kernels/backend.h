/* The backend: memory, time and the operations that core and methods are made of.
 *
 * One `struct kvl_backend` per implementation ("cpu", "cuda"); one `struct kvl_ctx` per opened device. Pointers that
 * operations take lie in the backend's memory (kvl_backend.alloc) unless the operation's header says host. Operations are
 * queued in order; `sync` waits. They return a status and allocate nothing. Each contract stands in the header of its
 * operation. */
#ifndef KVL_BACKEND_H
#define KVL_BACKEND_H

#include "kernels/append.h"
#include "kernels/argmax.h"
#include "kernels/attend.h"
#include "kernels/attend_cache.h"
#include "kernels/embed.h"
#include "kernels/fill_random.h"
#include "kernels/gather.h"
#include "kernels/linear.h"
#include "kernels/logits.h"
#include "kernels/mass.h"
#include "kernels/norm.h"
#include "kernels/pool.h"
#include "kernels/range.h"
#include "kernels/reduce_heads.h"
#include "kernels/rotate.h"
#include "kernels/status.h"
#include "kernels/swiglu.h"
#include "kernels/tensor.h"
#include "kernels/top_k.h"

#ifdef __cplusplus
extern "C" {
#endif

struct kvl_backend;
struct kvl_graph; /* opaque, the backend's own */

/* Bytes that a context holds now and held at most since the last reset. */
struct kvl_memory {
    int64_t current;
    int64_t peak;
    int64_t limit; /* 0: none; an allocation beyond it is KVL_E_OOM */
};

/* The common head of every context; a backend's own struct begins with it. */
struct kvl_ctx {
    const struct kvl_backend *be;
    struct kvl_memory memory;
};

struct kvl_backend_options {
    int n_threads;        /* 0: all the cores that this process may use */
    int64_t memory_limit; /* bytes, 0: none */
    const char *isa;      /* cpu: "auto" or a path by name, to force a slower one; NULL is "auto" */
};

struct kvl_device_info {
    char name[128];   /* processor or card */
    char driver[64];  /* driver or library versions; "" if there are none */
    char isa[32];     /* "avx512bf16", "sm_90", ... */
    int n_threads;    /* 0 on a GPU */
    int clock_mhz, memory_clock_mhz; /* the fastest that the device allows; 0: it does not tell */
};

/* The physical limits that a run is held against, as measured on the machine at hand. */
struct kvl_ceilings {
    double flops_per_s; /* products in the given type, one multiply-add is two */
    double bytes_per_s; /* reading memory */
};

struct kvl_backend {
    const char *name;
    const char *title;
    int64_t chunk; /* rows that products and what stands between them should come in where memory is to be saved, unless the caller
                    * knows better */

    /* KVL_E_UNSUPPORTED with a sentence that says what is missing where the device cannot be had. */
    enum kvl_status (*open)(const struct kvl_backend_options *options, struct kvl_ctx **out);
    void (*close)(struct kvl_ctx *ctx);
    void (*info)(const struct kvl_ctx *ctx, struct kvl_device_info *info);

    /* 64-byte aligned, content undefined; bytes >= 0, and 0 gives a valid pointer. KVL_E_OOM names the bytes. */
    enum kvl_status (*alloc)(struct kvl_ctx *ctx, int64_t bytes, void **out);
    void (*free)(struct kvl_ctx *ctx, void *memory); /* NULL is allowed */
    enum kvl_status (*upload)(struct kvl_ctx *ctx, void *to, const void *from_host, int64_t bytes);
    enum kvl_status (*download)(struct kvl_ctx *ctx, void *to_host, const void *from, int64_t bytes); /* waits */
    enum kvl_status (*zero)(struct kvl_ctx *ctx, void *memory, int64_t bytes);
    enum kvl_status (*sync)(struct kvl_ctx *ctx);

    /* Time on the device's own clock: `mark` notes a point in the queue in slot 0..KVL_MARKS-1; `elapsed` waits for both
     * and gives nanoseconds. */
    enum kvl_status (*mark)(struct kvl_ctx *ctx, int slot);
    enum kvl_status (*elapsed)(struct kvl_ctx *ctx, int from, int to, int64_t *ns);

    /* Measures for about a second; allocates and frees up to 1 GiB. A GPU's are kept per machine and measured once. */
    enum kvl_status (*ceilings)(struct kvl_ctx *ctx, enum kvl_dtype dtype, struct kvl_ceilings *out);

    /* Named, nested ranges for a profiler; free where none listens. `payload` < 0: none. A name may hold one %lld, which the
     * payload fills ("layer %lld"). See kernels/nvtx.h. */
    void (*range_push)(struct kvl_ctx *ctx, const char *name, int64_t payload);
    void (*range_pop)(struct kvl_ctx *ctx);

    /* A sequence of operations recorded once and launched as one; NULL where that gains nothing. Between begin and end nothing
     * runs, nothing may be allocated, copied from or to the host, or waited for; a failed operation or end leaves no recording.
     * The operations' pointers and counts are those of the recording; what changes from launch to launch lies in the backend's
     * memory. */
    enum kvl_status (*graph_begin)(struct kvl_ctx *ctx);
    enum kvl_status (*graph_end)(struct kvl_ctx *ctx, struct kvl_graph **out);
    enum kvl_status (*graph_launch)(struct kvl_ctx *ctx, struct kvl_graph *graph);
    void (*graph_free)(struct kvl_ctx *ctx, struct kvl_graph *graph); /* NULL is allowed */

    /* Weights of linear layers. */
    enum kvl_status (*weight_init)(struct kvl_ctx *ctx, const struct kvl_weight_source *source, struct kvl_weight **out);
    void (*weight_free)(struct kvl_ctx *ctx, struct kvl_weight *weight);
    int64_t (*weight_bytes)(const struct kvl_weight *weight);

    /* Bytes of scratch that an operation with these shapes needs (pointers are not read); more tokens or entries never need
     * less. */
    int64_t (*attend_scratch)(const struct kvl_ctx *ctx, const struct kvl_attend *op);
    int64_t (*attend_cache_scratch)(const struct kvl_ctx *ctx, const struct kvl_attend_cache *op);

    enum kvl_status (*embed)(struct kvl_ctx *ctx, const struct kvl_embed *op);
    enum kvl_status (*norm)(struct kvl_ctx *ctx, const struct kvl_norm *op);
    enum kvl_status (*linear)(struct kvl_ctx *ctx, const struct kvl_linear *op);
    enum kvl_status (*rotate_table)(struct kvl_ctx *ctx, const struct kvl_rotate_table *op);
    enum kvl_status (*rotate)(struct kvl_ctx *ctx, const struct kvl_rotate *op);
    enum kvl_status (*attend)(struct kvl_ctx *ctx, const struct kvl_attend *op);
    enum kvl_status (*append)(struct kvl_ctx *ctx, const struct kvl_append *op);
    enum kvl_status (*attend_cache)(struct kvl_ctx *ctx, const struct kvl_attend_cache *op);
    enum kvl_status (*mass)(struct kvl_ctx *ctx, const struct kvl_mass *op);
    enum kvl_status (*logits)(struct kvl_ctx *ctx, const struct kvl_logits *op);
    enum kvl_status (*pool)(struct kvl_ctx *ctx, const struct kvl_pool *op);
    enum kvl_status (*reduce_heads)(struct kvl_ctx *ctx, const struct kvl_reduce_heads *op);
    enum kvl_status (*top_k)(struct kvl_ctx *ctx, const struct kvl_top_k *op);
    enum kvl_status (*range)(struct kvl_ctx *ctx, const struct kvl_range *op);
    enum kvl_status (*gather)(struct kvl_ctx *ctx, const struct kvl_gather *op);
    enum kvl_status (*gather_heads)(struct kvl_ctx *ctx, const struct kvl_gather_heads *op);
    enum kvl_status (*swiglu)(struct kvl_ctx *ctx, const struct kvl_swiglu *op);
    enum kvl_status (*argmax)(struct kvl_ctx *ctx, const struct kvl_argmax *op);
    enum kvl_status (*fill_random)(struct kvl_ctx *ctx, const struct kvl_fill_random *op);
};

enum { KVL_MARKS = 8 };

/* As KVL_TRY, inside a range that ends with the call, however it ends. */
#define KVL_TRY_RANGE(ctx, name, payload, call)            \
    do {                                                   \
        (ctx)->be->range_push((ctx), (name), (payload));   \
        enum kvl_status kvl_range_status_ = (call);        \
        (ctx)->be->range_pop(ctx);                         \
        if (kvl_range_status_ != KVL_OK)                   \
            return kvl_range_status_;                      \
    } while (0)

/* The i-th backend of this build, NULL past the end. The CPU is always there. */
const struct kvl_backend *kvl_backend_at(int i);

/* Opens a backend by name: "cpu", "cuda", or "auto" (cuda where a device answers, else cpu). */
enum kvl_status kvl_backend_open(const char *name, const struct kvl_backend_options *options, struct kvl_ctx **out);

#ifdef __cplusplus
}
#endif
#endif
