/* The scheduler. One block at a time, blocks and threads in an order drawn from a seed (KVL_CUDA_HOST_SEED, 1 by default) so
 * that no kernel can rely on it; a thread runs until it must wait. Warps are favoured in turn: one runs ahead of the others as
 * far as the barriers let it, which brings missing ones to light. */
#include "tests/cuda_host/cuda_host.h"

#include <cuda_runtime.h>

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "kernels/tensor.h"
#include "tests/cuda_host/fiber.h"

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace kvl_host {

struct copy {
    void *to;
    const void *from;
    int bytes, bytes_read;
};

struct thread {
    fiber stack;
    uint3 index;
    int linear;
    const char *barrier_file; /* where it waits for the block; NULL: it does not */
    int barrier_line;
    bool predicate, done;
    std::vector<std::vector<copy>> copies; /* committed groups, oldest first; the last one is open */
};

struct warp {
    uint32_t lanes, ready, arrived; /* bits of those that exist, that can go on, that wait for others at a meeting */
    meeting *at[32];
};

struct shared_block {
    const void *tag;
    std::unique_ptr<unsigned char, void (*)(void *)> memory;
    size_t bytes;
};

bank_count matrix_banks;

/* KVL_CUDA_HOST_BANKS=1: the count when the process ends. */
static const struct bank_report {
    ~bank_report()
    {
        if (getenv("KVL_CUDA_HOST_BANKS") != nullptr)
            fprintf(stderr, "matrix loads: %llu phases, %llu with a bank conflict\n",
                    static_cast<unsigned long long>(matrix_banks.phases), static_cast<unsigned long long>(matrix_banks.conflicts));
    }
} bank_report;

static constexpr size_t SHARED_ALIGNMENT = 1024;

static std::vector<std::unique_ptr<thread>> threads; /* kept from block to block */
static std::vector<warp> warps;
static int n_threads, n_waiting, n_done, barrier_count;
static thread *current;
static const std::function<void()> *kernel;
static std::vector<shared_block> shared; /* [0] is the dynamic one */
static uint64_t random_state;

static uint32_t random_bits()
{
    if (random_state == 0) {
        const char *seed = getenv("KVL_CUDA_HOST_SEED");
        random_state = seed != nullptr ? strtoull(seed, nullptr, 10) : 1;
    }
    random_state += 0x9e3779b97f4a7c15u;
    uint64_t z = random_state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return static_cast<uint32_t>(z >> 32);
}

void die(const char *format, ...)
{
    fflush(stdout);
    fprintf(stderr, "cuda_host: ");
    if (current != nullptr)
        fprintf(stderr, "block (%u,%u,%u), thread (%u,%u,%u): ", blockIdx.x, blockIdx.y, blockIdx.z, threadIdx.x, threadIdx.y,
                threadIdx.z);
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n");
    abort();
}

static warp &warp_of(const thread *t)
{
    return warps[static_cast<size_t>(t->linear / 32)];
}

static uint32_t bit_of(const thread *t)
{
    return 1u << (t->linear % 32);
}

static void wait_here()
{
    thread *self = current;
    warp_of(self).ready &= ~bit_of(self);
    self->stack.yield();
}

/* ---- meetings of a warp ------------------------------------------------------------------------------------------------ */

int lane()
{
    return current->linear % 32;
}

/* Is the other at the same place? If not, and it waits for this thread, neither will ever go on. */
static bool same_place(const meeting *mine, int other_lane, const meeting *other)
{
    if (other->run == mine->run && other->line == mine->line && other->mask == mine->mask)
        return true;
    if ((other->mask & bit_of(current)) != 0)
        die("divergent warp: this thread is at %s:%d (%s, mask 0x%08x), lane %d waits for it at %s:%d (%s, mask 0x%08x)", mine->file,
            mine->line, mine->what, mine->mask, other_lane, other->file, other->line, other->what, other->mask);
    return false;
}

void meet(meeting *mine)
{
    warp &w = warp_of(current);
    uint32_t expected = mine->mask & w.lanes, before = w.arrived & mine->mask;
    if ((mine->mask & bit_of(current)) == 0)
        die("%s:%d: %s with mask 0x%08x, in which the calling lane %d is not", mine->file, mine->line, mine->what, mine->mask,
            lane());
    if (before != 0)
        same_place(mine, __builtin_ctz(before), w.at[__builtin_ctz(before)]);
    w.at[lane()] = mine;
    w.arrived |= bit_of(current);
    /* A part of the mask may still be at a meeting of its own, and comes here after it. */
    bool all = (w.arrived & expected) == expected;
    meeting *lanes[32] = {};
    for (int l = 0; all && l < 32; l++)
        if ((expected >> l & 1u) != 0) {
            lanes[l] = w.at[l];
            all = same_place(mine, l, lanes[l]);
        }
    if (!all) {
        wait_here();
        return;
    }
    mine->run(lanes);
    w.arrived &= ~expected;
    w.ready |= expected;
}

template <class part> static part *part_of(meeting *m)
{
    return static_cast<part *>(m);
}

uint64_t shuffle_bits(const char *what, const char *file, int line, uint32_t mask, uint64_t value, int source)
{
    shuffle mine = {{what, file, line, mask, nullptr}, value, GARBAGE, source};
    mine.run = [](meeting *const lanes[32]) {
        for (int l = 0; l < 32; l++)
            if (lanes[l] != nullptr) {
                int from = part_of<shuffle>(lanes[l])->source;
                if (from >= 0 && from < 32 && lanes[from] != nullptr)
                    part_of<shuffle>(lanes[l])->result = part_of<shuffle>(lanes[from])->value;
            }
    };
    meet(&mine);
    return mine.result;
}

uint32_t vote_bits(const char *what, const char *file, int line, uint32_t mask, bool value)
{
    vote mine = {{what, file, line, mask, nullptr}, value, 0};
    mine.run = [](meeting *const lanes[32]) {
        uint32_t bits = 0;
        for (int l = 0; l < 32; l++)
            if (lanes[l] != nullptr)
                bits |= part_of<vote>(lanes[l])->value << l;
        for (int l = 0; l < 32; l++)
            if (lanes[l] != nullptr)
                part_of<vote>(lanes[l])->result = bits;
    };
    meet(&mine);
    return mine.result;
}

struct reduction : vote {
    uint32_t (*join)(uint32_t, uint32_t);
};

uint32_t reduce_bits(const char *what, const char *file, int line, uint32_t mask, uint32_t value,
                     uint32_t (*join)(uint32_t, uint32_t))
{
    reduction mine = {{{what, file, line, mask, nullptr}, value, 0}, join};
    mine.run = [](meeting *const lanes[32]) {
        reduction *first = nullptr;
        uint32_t total = 0;
        for (int l = 0; l < 32; l++)
            if (lanes[l] != nullptr) {
                reduction *part = part_of<reduction>(lanes[l]);
                total = first == nullptr ? part->value : part->join(total, part->value);
                first = part;
            }
        for (int l = 0; l < 32; l++)
            if (lanes[l] != nullptr)
                part_of<reduction>(lanes[l])->result = total;
    };
    meet(&mine);
    return mine.result;
}

void warp_barrier(const char *file, int line, uint32_t mask)
{
    meeting mine = {"__syncwarp", file, line, mask, [](meeting *const *) {}};
    meet(&mine);
}

/* ---- the block's barrier ----------------------------------------------------------------------------------------------- */

int block_barrier(const char *file, int line, bool predicate)
{
    current->barrier_file = file;
    current->barrier_line = line;
    current->predicate = predicate;
    if (++n_waiting < n_threads) {
        wait_here();
        return barrier_count;
    }
    n_waiting = barrier_count = 0;
    for (int i = 0; i < n_threads; i++) {
        thread *t = threads[static_cast<size_t>(i)].get();
        if (t->barrier_line != line || strcmp(t->barrier_file, file) != 0)
            die("divergent barrier: this thread is at %s:%d, thread %d of the block at %s:%d", file, line, i, t->barrier_file,
                t->barrier_line);
        barrier_count += t->predicate;
        t->barrier_file = nullptr;
    }
    for (warp &w : warps)
        w.ready = w.lanes;
    return barrier_count;
}

/* ---- shared memory ------------------------------------------------------------------------------------------------------ */

static unsigned char *add_shared(const void *tag, size_t bytes)
{
    /* Of exactly this size, so that AddressSanitizer sees what lies outside. */
    void *memory = nullptr;
    if (posix_memalign(&memory, SHARED_ALIGNMENT, bytes > 0 ? bytes : 1) != 0)
        die("no memory for %zu bytes of shared memory", bytes);
    memset(memory, 0xff, bytes);
    shared.push_back({tag, {static_cast<unsigned char *>(memory), free}, bytes});
    return static_cast<unsigned char *>(memory);
}

void *static_shared(const void *tag, size_t bytes)
{
    for (const shared_block &s : shared)
        if (s.tag == tag)
            return s.memory.get();
    return add_shared(tag, bytes);
}

unsigned char *dynamic_shared()
{
    return shared[0].memory.get();
}

/* ---- asynchronous copies ----------------------------------------------------------------------------------------------- */

void copy_async(void *to_shared, const void *from, int bytes, int bytes_read)
{
    auto off = [bytes](const void *p) { return reinterpret_cast<uintptr_t>(p) % static_cast<uintptr_t>(bytes) != 0; };
    if (off(to_shared) || (bytes_read > 0 && off(from)))
        die("asynchronous copy of %d bytes from %p to %p: not aligned to its size", bytes, from, to_shared);
    memset(to_shared, 0xff, static_cast<size_t>(bytes));
    current->copies.back().push_back({to_shared, from, bytes, bytes_read});
}

void copy_commit()
{
    current->copies.emplace_back();
}

void copy_wait(int groups_left)
{
    auto &groups = current->copies;
    while (static_cast<int>(groups.size()) > groups_left + 1) {
        for (const copy &c : groups.front()) {
            memset(c.to, 0, static_cast<size_t>(c.bytes));
            if (c.bytes_read > 0)
                memcpy(c.to, c.from, static_cast<size_t>(c.bytes_read));
        }
        groups.erase(groups.begin());
    }
}

/* ---- matrices ----------------------------------------------------------------------------------------------------------- */

struct matrix_load : meeting {
    const unsigned char *row;
    int n;
    bool transposed;
    uint32_t *out;
};

static void count_banks(meeting *const lanes[32], int matrix)
{
    int uses[8] = {}, most = 0;
    for (int r = 0; r < 8; r++) {
        auto group = reinterpret_cast<uintptr_t>(part_of<matrix_load>(lanes[matrix * 8 + r])->row) / 16 % 8;
        int n = ++uses[group];
        most = n > most ? n : most;
    }
    matrix_banks.phases++;
    matrix_banks.conflicts += static_cast<uint64_t>(most - 1);
}

void load_matrices(const char *file, int line, int n, bool transposed, const void *row, uint32_t *out)
{
    matrix_load mine = {{"ldmatrix", file, line, 0xffffffffu, nullptr}, static_cast<const unsigned char *>(row), n, transposed, out};
    if (lane() < 8 * n && reinterpret_cast<uintptr_t>(row) % 16 != 0)
        die("%s:%d: ldmatrix of a row at %p: not 16-byte aligned", file, line, row);
    mine.run = [](meeting *const lanes[32]) {
        int count = part_of<matrix_load>(lanes[0])->n;
        for (int m = 0; m < count; m++) {
            count_banks(lanes, m);
            for (int l = 0; l < 32; l++) {
                matrix_load *to = part_of<matrix_load>(lanes[l]);
                uint32_t pair = 0;
                for (int half = 0; half < 2; half++) {
                    int r = to->transposed ? 2 * (l % 4) + half : l / 4;
                    int c = to->transposed ? l / 4 : 2 * (l % 4) + half;
                    uint16_t x;
                    memcpy(&x, part_of<matrix_load>(lanes[m * 8 + r])->row + 2 * c, 2);
                    pair |= static_cast<uint32_t>(x) << (16 * half);
                }
                to->out[m] = pair;
            }
        }
    };
    meet(&mine);
}

struct product : meeting {
    float *d;
    const uint32_t *a, *b;
};

static float half_of(uint32_t pair, int half)
{
    return kvl_bf16_to_f32(static_cast<uint16_t>(pair >> (16 * half)));
}

/* Fragments as in the PTX manual, "mma.m16n8k16": lane l holds, with g = l / 4 and t = l % 4, of A rows g and g + 8 in
 * columns 2t, 2t+1, 2t+8, 2t+9; of B rows 2t, 2t+1, 2t+8, 2t+9 in column g; of C and D rows g and g + 8 in columns 2t, 2t+1. */
void mma_bf16_16x8x16(const char *file, int line, float d[4], const uint32_t a[4], const uint32_t b[2])
{
    product mine = {{"mma", file, line, 0xffffffffu, nullptr}, d, a, b};
    mine.run = [](meeting *const lanes[32]) {
        float left[16][16], right[16][8], sum[16][8];
        for (int l = 0; l < 32; l++) {
            const product *p = part_of<product>(lanes[l]);
            for (int i = 0; i < 8; i++)
                left[l / 4 + 8 * (i / 2 % 2)][2 * (l % 4) + i % 2 + 8 * (i / 4)] = half_of(p->a[i / 2], i % 2);
            for (int i = 0; i < 4; i++) {
                right[2 * (l % 4) + i % 2 + 8 * (i / 2)][l / 4] = half_of(p->b[i / 2], i % 2);
                sum[l / 4 + 8 * (i / 2)][2 * (l % 4) + i % 2] = p->d[i];
            }
        }
        for (int row = 0; row < 16; row++)
            for (int k = 0; k < 16; k++)
                for (int column = 0; column < 8; column++)
                    sum[row][column] += left[row][k] * right[k][column];
        for (int l = 0; l < 32; l++)
            for (int i = 0; i < 4; i++)
                part_of<product>(lanes[l])->d[i] = sum[l / 4 + 8 * (i / 2)][2 * (l % 4) + i % 2];
    };
    meet(&mine);
}

/* ---- blocks -------------------------------------------------------------------------------------------------------------- */

static void run_thread(void *argument)
{
    (*kernel)();
    thread *self = static_cast<thread *>(argument);
    self->done = true;
    n_done++;
    warp_of(self).ready &= ~bit_of(self);
    self->stack.leave();
}

/* Nobody can go on: says who waits for whom. */
[[noreturn]] static void report_stall()
{
    current = nullptr;
    fprintf(stderr, "cuda_host: block (%u,%u,%u) stands still: %d of %d threads have returned, %d wait at a block barrier\n",
            blockIdx.x, blockIdx.y, blockIdx.z, n_done, n_threads, n_waiting);
    const char *last = nullptr;
    int last_line = 0;
    for (int i = 0; i < n_threads; i++) {
        const thread *t = threads[static_cast<size_t>(i)].get();
        const meeting *at = (warp_of(t).arrived & bit_of(t)) != 0 ? warp_of(t).at[i % 32] : nullptr;
        const char *what = t->done ? "returned" : at != nullptr ? at->what : "__syncthreads";
        const char *file = t->done ? "" : at != nullptr ? at->file : t->barrier_file;
        int line = t->done ? 0 : at != nullptr ? at->line : t->barrier_line;
        if (last == nullptr || strcmp(last, file) != 0 || last_line != line)
            fprintf(stderr, "cuda_host:   from thread %d on: %s %s:%d\n", i, what, file, line);
        last = file;
        last_line = line;
    }
    die("divergent barrier: every thread of the block, or of the mask, must reach it");
}

/* One round of a warp: every lane that can go on does, in a drawn order. */
static void run_warp(size_t index)
{
    warp &w = warps[index];
    uint32_t draw = random_bits(), first = draw & 31u, step = (draw >> 5 & 31u) | 1u;
    for (uint32_t i = 0; i < 32; i++) {
        uint32_t l = (first + i * step) & 31u;
        if ((w.ready >> l & 1u) == 0)
            continue;
        current = threads[index * 32 + l].get();
        threadIdx = current->index;
        current->stack.resume();
    }
}

static void run_block(size_t shared_bytes)
{
    shared.clear();
    add_shared(nullptr, shared_bytes);
    n_threads = static_cast<int>(blockDim.x * blockDim.y * blockDim.z);
    n_waiting = n_done = 0;
    size_t n_warps = (static_cast<size_t>(n_threads) + 31) / 32;
    warps.assign(n_warps, {});
    while (static_cast<int>(threads.size()) < n_threads)
        threads.push_back(std::make_unique<thread>());
    for (int i = 0; i < n_threads; i++) {
        thread *t = threads[static_cast<size_t>(i)].get();
        unsigned linear = static_cast<unsigned>(i);
        t->index = {linear % blockDim.x, linear / blockDim.x % blockDim.y, linear / blockDim.x / blockDim.y};
        t->linear = i;
        t->barrier_file = nullptr;
        t->done = false;
        t->copies.assign(1, {});
        t->stack.start(run_thread, t);
        warp_of(t).lanes |= bit_of(t);
        warp_of(t).ready |= bit_of(t);
    }
    while (n_done < n_threads) {
        size_t chosen = random_bits() % n_warps, tries = 0;
        while (warps[chosen].ready == 0 && tries++ < n_warps)
            chosen = (chosen + 1) % n_warps;
        if (warps[chosen].ready == 0)
            report_stall();
        do
            run_warp(chosen);
        while (warps[chosen].ready != 0 && (random_bits() & 31u) != 0);
    }
    current = nullptr;
}

void run_grid(const dim3 &grid, const dim3 &block, size_t shared_bytes, const std::function<void()> &body)
{
    if (current != nullptr)
        die("a kernel launched from a kernel");
    gridDim = grid;
    blockDim = block;
    kernel = &body;
    std::vector<unsigned> order(static_cast<size_t>(grid.x) * grid.y * grid.z);
    for (size_t i = 0; i < order.size(); i++) {
        size_t j = random_bits() % (i + 1);
        order[i] = order[j];
        order[j] = static_cast<unsigned>(i);
    }
    for (unsigned i : order) {
        blockIdx = {i % grid.x, i / grid.x % grid.y, i / grid.x / grid.y};
        run_block(shared_bytes);
    }
    shared.clear();
}

} // namespace kvl_host
