/* The emulator itself: what warps exchange, what it hides until it may be seen, and that it says so when threads part ways. */
#include <sys/wait.h>
#include <unistd.h>

#include <cstdarg>
#include <cstddef>
#include <csetjmp>
#include <csignal>
#include <cstdint>
#include <cstdio>
extern "C" {
#include <cmocka.h>
}

#include "kernels/cuda/copy.cuh"
#include "kernels/cuda/mma.cuh"
#include "kernels/cuda/warp.cuh"

/* launch.cuh's, without the backend behind it. */
enum kvl_status kvl_cuda_check(cudaError_t error, const char *what)
{
    return error == cudaSuccess ? KVL_OK : kvl_fail(KVL_E_INTERNAL, "%s", what);
}

namespace {

using namespace kvl;

constexpr unsigned THREADS = 128;

int thread_index()
{
    return static_cast<int>(threadIdx.x);
}

void exchange(int *out)
{
    int t = thread_index(), lane = t & 31, *mine = out + 8 * (static_cast<int>(blockIdx.x * blockDim.x) + t);
    mine[0] = __shfl_sync(ALL_LANES, t, 5);
    mine[1] = __shfl_up_sync(ALL_LANES, t, 3);
    mine[2] = __shfl_down_sync(ALL_LANES, t, 3);
    mine[3] = __shfl_xor_sync(ALL_LANES, t, 8);
    mine[4] = static_cast<int>(__ballot_sync(ALL_LANES, lane % 3 == 0));
    mine[5] = (lane < 16) ? __shfl_xor_sync(0xffffu, t, 1) : -1;
    mine[6] = warp_scan(1);
    mine[7] = block_sum(t);
}

void check_exchange(void **)
{
    static int out[2 * THREADS * 8];
    assert_int_equal(KVL_LAUNCH(exchange, 2, THREADS, 0, nullptr, static_cast<int *>(out)), cudaSuccess);
    for (int i = 0; i < static_cast<int>(2 * THREADS); i++) {
        int t = i % static_cast<int>(THREADS), lane = t % 32, first = t - lane;
        const int expected[8] = {first + 5, lane < 3 ? t : t - 3, lane > 28 ? t : t + 3, t ^ 8, 0x49249249, lane < 16 ? t ^ 1 : -1,
                                 lane + 1, 127 * 64};
        for (int j = 0; j < 8; j++)
            assert_int_equal(out[8 * i + j], expected[j]);
    }
}

/* Shared memory begins as NaN in every block, and an asynchronous copy is not there before it is waited for. */
void watch_copies(const float *in, float *out)
{
    KVL_SHARED(float, plain, [4]);
    KVL_DYNAMIC_SHARED(memory);
    float *tile = reinterpret_cast<float *>(memory);
    if (thread_index() == 0) {
        out[0] = plain[1];
        plain[1] = 7.0f;
        tile[0] = 3.0f;
        copy_16(tile, in, true);
        copy_commit();
        copy_16(tile + 4, in + 4, false);
        copy_commit();
        out[1] = tile[0];
        copy_wait<1>();
        out[2] = tile[0];
        out[3] = tile[4];
        copy_wait<0>();
        out[4] = tile[4];
    }
}

void check_copies(void **)
{
    alignas(16) static const float in[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    for (int run = 0; run < 2; run++) {
        float out[5] = {};
        assert_int_equal(KVL_LAUNCH(watch_copies, 1, 32, 32, nullptr, static_cast<const float *>(in), static_cast<float *>(out)),
                         cudaSuccess);
        assert_true(isnan(out[0]) && isnan(out[1]) && out[2] == 1.0f && isnan(out[3]) && out[4] == 0.0f);
    }
}

/* One product, each side by the loads that the kernels use: left [16][16], right stored [8][16] or, transposed, [16][8]. */
constexpr int STRIDE = 24; /* 48 bytes: an odd number of 16-byte units */

void multiply(const uint16_t *left, const uint16_t *right, const uint16_t *right_t, float *out)
{
    KVL_SHARED(uint16_t, a_rows, [16 * STRIDE]);
    KVL_SHARED(uint16_t, b_rows, [8 * STRIDE]);
    KVL_SHARED(uint16_t, b_columns, [16 * STRIDE]);
    int lane = thread_index();
    for (int i = lane; i < 256; i += 32)
        a_rows[i / 16 * STRIDE + i % 16] = left[i];
    for (int i = lane; i < 128; i += 32) {
        b_rows[i / 16 * STRIDE + i % 16] = right[i];
        b_columns[i / 8 * STRIDE + i % 8] = right_t[i];
    }
    __syncthreads();
    uint32_t a[4], b[2][2];
    load_tiles<false>(a, a_rows + (lane & 15) * STRIDE + lane / 16 * 8);
    load_tiles<false>(b[0], b_rows + (lane & 7) * STRIDE + (lane / 8 & 1) * 8);
    load_tiles<true>(b[1], b_columns + (lane & 15) * STRIDE);
    for (int which = 0; which < 2; which++) {
        float d[4] = {1.0f, 1.0f, 1.0f, 1.0f};
        mma_bf16(d, a, b[which]);
        for (int i = 0; i < 4; i++)
            out[which * 128 + (lane / 4 + i / 2 * 8) * 8 + lane % 4 * 2 + i % 2] = d[i];
    }
}

void check_products(void **)
{
    uint16_t left[256], right[128], right_t[128];
    float out[256];
    for (int i = 0; i < 256; i++)
        left[i] = kvl_f32_to_bf16(static_cast<float>(i * 37 % 29 - 14));
    for (int i = 0; i < 128; i++) {
        right[i] = kvl_f32_to_bf16(static_cast<float>(i * 53 % 31 - 15));
        right_t[i % 16 * 8 + i / 16] = right[i];
    }
    kvl_host::matrix_banks = {};
    assert_int_equal(KVL_LAUNCH(multiply, 1, 32, 0, nullptr, static_cast<const uint16_t *>(left), static_cast<const uint16_t *>(right),
                                static_cast<const uint16_t *>(right_t), static_cast<float *>(out)), cudaSuccess);
    for (int row = 0; row < 16; row++)
        for (int column = 0; column < 8; column++) {
            float sum = 1.0f; /* whole numbers: exact in any order */
            for (int k = 0; k < 16; k++)
                sum += kvl_bf16_to_f32(left[row * 16 + k]) * kvl_bf16_to_f32(right[column * 16 + k]);
            assert_true(out[row * 8 + column] == sum && out[128 + row * 8 + column] == sum);
        }
    assert_int_equal(kvl_host::matrix_banks.phases, 8);
    assert_int_equal(kvl_host::matrix_banks.conflicts, 0);
}

/* 16 rows of `stride` elements, read 8 at a time. */
void read_rows(int stride)
{
    KVL_DYNAMIC_SHARED(memory);
    uint32_t out[4];
    load_tiles<false>(out, memory + (thread_index() & 15) * stride * 2);
}

/* The rows of the attention kernels: e + 8 elements never meet in a bank, e = 64 without the padding always do. */
void check_banks(void **)
{
    static const int heads[] = {32, 64, 80, 96, 128};
    for (int e : heads) {
        kvl_host::matrix_banks = {};
        assert_int_equal(KVL_LAUNCH(read_rows, 1, 32, 8192, nullptr, e + 8), cudaSuccess);
        assert_int_equal(kvl_host::matrix_banks.conflicts, 0);
    }
    kvl_host::matrix_banks = {};
    assert_int_equal(KVL_LAUNCH(read_rows, 1, 32, 8192, nullptr, 64), cudaSuccess);
    assert_int_equal(kvl_host::matrix_banks.conflicts, 4 * 7);
}

void count_up(int *out)
{
    atomicAdd(out, 1);
}

void check_limits_and_graphs(void **)
{
    int n = 0;
    assert_int_equal(KVL_LAUNCH(count_up, 1, 1025, 0, nullptr, &n), cudaErrorInvalidConfiguration);
    assert_int_equal(KVL_LAUNCH(count_up, 1, 1, 49 * 1024, nullptr, &n), cudaErrorInvalidValue);
    assert_int_equal(cudaFuncSetAttribute(count_up, cudaFuncAttributeMaxDynamicSharedMemorySize, 49 * 1024), cudaSuccess);
    assert_int_equal(KVL_LAUNCH(count_up, 3, 5, 49 * 1024, nullptr, &n), cudaSuccess);
    assert_int_equal(n, 15);
    cudaStream_t stream;
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    assert_int_equal(cudaStreamCreate(&stream), cudaSuccess);
    assert_int_equal(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed), cudaSuccess);
    assert_int_equal(KVL_LAUNCH(count_up, 1, 7, 0, stream, &n), cudaSuccess);
    assert_int_equal(cudaStreamSynchronize(stream), cudaErrorStreamCaptureUnsupported);
    assert_int_equal(cudaStreamEndCapture(stream, &graph), cudaSuccess);
    assert_int_equal(cudaGraphInstantiate(&exec, graph), cudaSuccess);
    assert_int_equal(n, 15); /* noted, not run */
    assert_int_equal(cudaGraphLaunch(exec, stream), cudaSuccess);
    assert_int_equal(cudaGraphLaunch(exec, stream), cudaSuccess);
    assert_int_equal(n, 15 + 2 * 7);
    cudaGraphExecDestroy(exec);
    cudaGraphDestroy(graph);
    cudaStreamDestroy(stream);
}

/* ---- threads that part ways ---------------------------------------------------------------------------------------------- */

void return_early()
{
    if (thread_index() == 9)
        return;
    __syncthreads();
}

void two_barriers()
{
    if (thread_index() < 64)
        __syncthreads();
    else
        __syncthreads();
}

void half_a_shuffle()
{
    if ((thread_index() & 16) == 0)
        (void)warp_sum(1.0f);
}

void shuffle_against_vote()
{
    if ((thread_index() & 1) == 0)
        (void)__shfl_sync(ALL_LANES, 1, 0);
    else
        (void)__ballot_sync(ALL_LANES, true);
}

void check_partings(void **)
{
    static const struct {
        void (*kernel)();
        const char *text, *place;
    } cases[] = {{return_early, "divergent barrier", "test_cuda_host.cpp"},
                 {two_barriers, "divergent barrier", "test_cuda_host.cpp"},
                 {half_a_shuffle, "stands still", "warp.cuh"},
                 {shuffle_against_vote, "divergent warp", "test_cuda_host.cpp"}};
    for (const auto &c : cases) {
        int pipe_ends[2], status;
        assert_int_equal(pipe(pipe_ends), 0);
        pid_t child = fork();
        if (child == 0) {
            signal(SIGABRT, SIG_DFL);
            dup2(pipe_ends[1], STDERR_FILENO);
            (void)KVL_LAUNCH(c.kernel, 1, THREADS, 0, nullptr);
            _exit(0);
        }
        close(pipe_ends[1]);
        char text[4096];
        size_t n = 0;
        for (ssize_t got; n + 1 < sizeof text && (got = read(pipe_ends[0], text + n, sizeof text - 1 - n)) > 0;)
            n += static_cast<size_t>(got);
        text[n] = '\0';
        close(pipe_ends[0]);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
        if (strstr(text, c.text) == nullptr || strstr(text, c.place) == nullptr)
            fail_msg("no '%s' at %s in: %s", c.text, c.place, text);
    }
}

} // namespace

int main()
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(check_exchange), cmocka_unit_test(check_copies),
                                       cmocka_unit_test(check_products), cmocka_unit_test(check_banks),
                                       cmocka_unit_test(check_limits_and_graphs), cmocka_unit_test(check_partings)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
