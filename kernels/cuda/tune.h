/* Tile sizes and thresholds of the CUDA kernels. None has been timed on a GPU yet: each stands for the reason given, which is
 * counted (registers and spills from ptxas, bytes of shared memory, bank conflicts on the emulator), not measured. */
#ifndef KVL_CUDA_TUNE_H
#define KVL_CUDA_TUNE_H

#include <stdint.h>

namespace kvl::tune {

/* Rows of a linear layer at a time. Large enough to fill the card: of LLaMA-3.1-8B's products those with 4096 outputs are the
 * smallest, 32 x 16 tiles of 128 x 256 at 4096 rows, 3.9 rounds of an H200's 132 multiprocessors, whose last is 97 % full of 4 (at
 * 1024 rows 0.97 of one round, and the 192 tiles of q, k and v 1.45 of two: 73 %); 8192 rows give the same 97 %. Small enough to
 * stay small beside the rest: what has a chunk's rows, [4096, n_embd + 3 n_ff] in bf16, is 386 MB; a prompt of 128K tokens has 4.9 GB
 * of other workspace, 17.2 GB of cache and 16 GB of weights. */
constexpr int64_t ROW_CHUNK = 4096;

/* attend, bf16: a block of WARPS warps takes WARPS * 16 * ROW_TILES queries and streams KEYS keys at a time, two tiles in
 * flight. Two row tiles a warp halve the reads of keys and values from shared memory, which would otherwise be the bound:
 * 256 bytes a product of 16 x 8 x 16 is 2 cycles at 128 bytes a cycle, about what the product takes. */
struct attend_tile {
    static constexpr int WARPS = 4, ROW_TILES = 2, KEYS = 64;
    static constexpr int FEW_KEYS = 32; /* heads of 128 in 99 KiB (sm_86, sm_89), where 64 keys take 102 */
};

/* attend_cache: entries that a block takes, by the host's bound on them. Few entries: blocks for all multiprocessors (8 heads of
 * 1000 entries give 128 blocks of 64). Many: a partial output is written every CHUNK entries, h * e floats beside
 * 2 * hs * CHUNK * e elements read, 1.6 % at 256 entries and h = 4 hs in bf16. A block is 4 warps of 16 entries a step. */
struct cache_chunk {
    int64_t n_bound, entries;
};
constexpr cache_chunk CACHE_CHUNKS[] = {{4096, 64}, {16384, 128}, {INT64_MAX, 256}};

/* mass: a block of 4 warps holds 128 keys as left operands, 32 a warp, in registers (2 * e / 4 of them), and streams query rows
 * past them, 32 at a time: every fragment of queries read from shared memory feeds two products. */
struct mass_tile {
    static constexpr int WARPS = 4, KEY_TILES = 2, ROWS = 32;
    /* Up to so many rows, one block takes all heads of a group in turn, so that the keys are read once. */
    static constexpr int64_t SHARED_ROWS = 64;
};

/* top_k: digits of 11, 11 and 10 bits, so three readings of a row and 8 KiB of counters; one block a row, 1024 threads for long
 * rows (128 readings of 1024 scores at 128K), 256 for short ones, whose barriers would cost more than their loads. */
struct top_k_row {
    static constexpr int64_t SHORT = 4096;
    static constexpr int SHORT_THREADS = 256, THREADS = 1024;
};

} // namespace kvl::tune
#endif
