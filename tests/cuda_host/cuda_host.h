/* The emulator's inside, for the wrappers of kernels/cuda (launch.cuh, copy.cuh, mma.cuh) and its own sources: how a launch runs,
 * how threads of a warp meet, how shared memory and asynchronous copies behave. Test-only; see README.md. */
#ifndef KVL_CUDA_HOST_H
#define KVL_CUDA_HOST_H

#include <cstddef>
#include <cstdint>
#include <functional>
#include <tuple>

struct dim3;
struct CUstream_st;

namespace kvl_host {

/* Ends the process with the sentence, the running kernel's block and thread before it. */
[[noreturn]] void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- threads of a warp meet ------------------------------------------------------------------------------------------- */

/* One lane's part in a warp operation; lives on the lane's stack while it waits. The last lane of the mask to arrive calls
 * `run` with the parts of all (NULL: a lane outside the mask or beyond the block), then all go on. */
struct meeting {
    const char *what, *file;
    int line;
    uint32_t mask;
    void (*run)(meeting *const lanes[32]);
};
void meet(meeting *mine);
int lane();
/* A block of shared memory's garbage: what a lane reads that nobody wrote. */
constexpr uint64_t GARBAGE = 0xffffffffffffffffu;

struct shuffle : meeting {
    uint64_t value, result;
    int source; /* lane that is read */
};
uint64_t shuffle_bits(const char *what, const char *file, int line, uint32_t mask, uint64_t value, int source);

struct vote : meeting {
    uint32_t value, result;
};
uint32_t vote_bits(const char *what, const char *file, int line, uint32_t mask, bool value); /* ballot */
uint32_t reduce_bits(const char *what, const char *file, int line, uint32_t mask, uint32_t value,
                     uint32_t (*join)(uint32_t, uint32_t));
void warp_barrier(const char *file, int line, uint32_t mask);

/* The block's barrier; returns how many threads came with a true predicate. */
int block_barrier(const char *file, int line, bool predicate);

/* ---- shared memory ---------------------------------------------------------------------------------------------------- */

/* Memory of the running block for the variable that `tag` names: the same for all threads, garbage (NaN) at first. */
void *static_shared(const void *tag, size_t bytes);
unsigned char *dynamic_shared();

/* ---- asynchronous copies: done only when waited for; until then the destination is garbage ---------------------------- */
void copy_async(void *to_shared, const void *from, int bytes, int bytes_read);
void copy_commit();
void copy_wait(int groups_left);

/* ---- matrices of a warp ----------------------------------------------------------------------------------------------- */
void load_matrices(const char *file, int line, int n, bool transposed, const void *row, uint32_t *out);
void mma_bf16_16x8x16(const char *file, int line, float d[4], const uint32_t a[4], const uint32_t b[2]);
/* Matrix loads so far, in 8-row phases, and how many of them needed another pass for a bank conflict. */
struct bank_count {
    uint64_t phases, conflicts;
};
extern bank_count matrix_banks;

/* ---- launches --------------------------------------------------------------------------------------------------------- */

/* Queues the kernel; returns a cudaError_t. `kernel` identifies it for its attributes. */
int launch(const void *kernel, const dim3 &grid, const dim3 &block, size_t shared, CUstream_st *stream,
           std::function<void()> body);

template <class... P, class... A>
int launch_kernel(void (*kernel)(P...), const dim3 &grid, const dim3 &block, size_t shared, CUstream_st *stream, A... arguments)
{
    std::tuple<P...> parameters(static_cast<P>(arguments)...);
    return launch(reinterpret_cast<const void *>(kernel), grid, block, shared, stream,
                  [kernel, parameters] { std::apply(kernel, parameters); });
}

/* Runs a grid at once, its blocks in shuffled order (cuda_host.cpp). */
void run_grid(const dim3 &grid, const dim3 &block, size_t shared, const std::function<void()> &body);

} // namespace kvl_host
#endif
