/* gather may work in place, where row i is both written and, for an earlier row, read. A block owns a strip of columns and takes
 * the rows in tiles, in ascending order: it reads a tile whole, meets at a barrier, and writes it. Lists ascend with idx[i] >= i,
 * so a tile reads no row that an earlier tile wrote. Where in and out are apart, tiles are shared out over blocks. */
#include "kernels/gather.h"

#include "kernels/cuda/vector.cuh"

namespace {

enum { THREADS = 512, STRIP = 8, ROWS = 4 }; /* units of a strip; rows of a thread in a tile */

/* Unit: what moves at once, uint4 or uint32_t. */
template <class Unit>
__global__ void gather_rows(const char *in, const int32_t *idx, char *out, int64_t n, int64_t row_bytes, int64_t batch_bytes,
                            int64_t ld_idx, int strip)
{
    in += blockIdx.z * batch_bytes;
    out += blockIdx.z * batch_bytes;
    idx += blockIdx.z * ld_idx;
    int row_threads = THREADS / strip, row = static_cast<int>(threadIdx.x) / strip;
    int64_t at = (static_cast<int64_t>(blockIdx.x) * strip + threadIdx.x % strip) * static_cast<int64_t>(sizeof(Unit));
    bool inside = at < row_bytes && row < row_threads;
    int64_t tile = static_cast<int64_t>(row_threads) * ROWS;
    for (int64_t first = blockIdx.y * tile; first < n; first += gridDim.y * tile) {
        Unit x[ROWS];
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
            int64_t i = first + r * row_threads + row;
            if (inside && i < n)
                x[r] = *reinterpret_cast<const Unit *>(in + idx[i] * row_bytes + at);
        }
        __syncthreads();
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
            int64_t i = first + r * row_threads + row;
            if (inside && i < n)
                *reinterpret_cast<Unit *>(out + i * row_bytes + at) = x[r];
        }
    }
}

template <class Unit> enum kvl_status launch_gather(struct kvl_cuda_ctx *cuda, const struct kvl_gather *op)
{
    int64_t n_units = op->row_bytes / (int64_t)sizeof(Unit), n_batch = op->n_batch > 1 ? op->n_batch : 1;
    int strip = n_units < STRIP ? (int)n_units : STRIP;
    int64_t n_tiles = kvl_div_up(op->n, (int64_t)(THREADS / strip) * ROWS);
    n_tiles = op->in == op->out ? 1 : n_tiles < 65535 ? n_tiles : 65535;
    KVL_TRY_LAUNCH(gather_rows<Unit>, dim3((unsigned)kvl_div_up(n_units, strip), (unsigned)n_tiles, (unsigned)n_batch),
                   dim3(THREADS), 0, cuda->stream, (const char *)op->in, op->idx, (char *)op->out, op->n, op->row_bytes,
                   op->batch_bytes, op->ld_idx, strip);
    return KVL_OK;
}

/* A thread moves one unit; neighbours move neighbours. */
template <class Unit>
__global__ void gather_entries(const char *in, const int32_t *idx, char *out, int64_t n, int units, int64_t token_bytes,
                               int64_t head_bytes, int64_t out_bytes, int64_t ld_idx, int n_in, int n_stored)
{
    int64_t stored = blockIdx.y, i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (i >= n * units)
        return;
    int64_t entry = i / units, unit = i % units, head = stored * n_in / n_stored;
    int64_t token = idx != nullptr ? idx[stored * ld_idx + entry] : entry;
    const char *from = in + token * token_bytes + head * head_bytes;
    reinterpret_cast<Unit *>(out + stored * out_bytes)[i] = reinterpret_cast<const Unit *>(from)[unit];
}

template <class Unit> enum kvl_status launch_entries(struct kvl_cuda_ctx *cuda, const struct kvl_gather_heads *op)
{
    int64_t size = (int64_t)kvl_dtype_size(op->in.dtype), row_bytes = op->in.head_size * size;
    int64_t units = row_bytes / (int64_t)sizeof(Unit);
    KVL_TRY_LAUNCH(gather_entries<Unit>, dim3((unsigned)kvl_div_up(op->n * units, 256), (unsigned)op->n_stored), dim3(256), 0,
                   cuda->stream, (const char *)op->in.data, op->idx, (char *)op->out, op->n, (int)units,
                   op->in.token_stride * size, op->in.head_stride * size, op->n_max * row_bytes, op->n_lists == 1 ? 0 : op->n,
                   (int)op->in.n_heads, (int)op->n_stored);
    return KVL_OK;
}

} // namespace

enum kvl_status kvl_cuda_gather(struct kvl_ctx *ctx, const struct kvl_gather *op)
{
    bool wide = kvl::aligned_16(op->in) && kvl::aligned_16(op->out) && kvl::aligned_16(op->row_bytes) &&
                kvl::aligned_16(op->batch_bytes);
    if (op->n == 0)
        return KVL_OK;
    return wide ? launch_gather<uint4>(kvl_cuda(ctx), op) : launch_gather<uint32_t>(kvl_cuda(ctx), op);
}

enum kvl_status kvl_cuda_gather_heads(struct kvl_ctx *ctx, const struct kvl_gather_heads *op)
{
    int64_t size = (int64_t)kvl_dtype_size(op->in.dtype);
    bool wide = kvl::aligned_16(op->in.data) && kvl::aligned_16(op->out) && kvl::aligned_16(op->in.head_size * size) &&
                kvl::aligned_16(op->in.token_stride * size) && kvl::aligned_16(op->in.head_stride * size);
    if (op->n == 0)
        return KVL_OK;
    return wide        ? launch_entries<uint4>(kvl_cuda(ctx), op)
           : size == 4 ? launch_entries<uint32_t>(kvl_cuda(ctx), op)
                       : launch_entries<uint16_t>(kvl_cuda(ctx), op);
}
