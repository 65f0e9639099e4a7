/* struct kvl_heads on the device, and which keys a row sees. */
#ifndef KVL_CUDA_HEADS_CUH
#define KVL_CUDA_HEADS_CUH

#include "kernels/cuda/launch.cuh"

namespace kvl {

/* Strides in elements. */
template <class T> struct heads {
    const T *data;
    int64_t token_stride, head_stride;

    __device__ const T *at(int64_t token, int64_t head) const { return data + token * token_stride + head * head_stride; }
};

template <class T> inline heads<T> heads_of(const struct kvl_heads &x)
{
    return {static_cast<const T *>(x.data), x.token_stride, x.head_stride};
}

/* May its vectors be read 16 bytes at a time? */
inline bool in_sixteens(const struct kvl_heads &x)
{
    int64_t n = 16 / static_cast<int64_t>(kvl_dtype_size(x.dtype));
    return reinterpret_cast<uintptr_t>(x.data) % 16 == 0 && x.token_stride % n == 0 && x.head_stride % n == 0
           && x.head_size % n == 0;
}

/* The mask that attend and mass share. Key j is visible to row i if (j <= i or i < causal_from) and, under a window,
 * pos[i] - key_pos[j] < window. */
struct mask {
    const int32_t *pos, *key_pos;
    int64_t window; /* 0: none */
    int causal_from, n_keys;

    __device__ bool in_order(int row, int key) const { return key < n_keys && (key <= row || row < causal_from); }
    __device__ bool in_window(int row, int key) const
    {
        return window <= 0 || static_cast<int64_t>(pos[row]) - key_pos[key] < window;
    }
    /* Whether all of rows first_row..last_row see all of keys first_key..last_key. */
    __device__ bool open(int first_row, int last_row, int first_key, int last_key) const
    {
        return last_key < n_keys && (last_key <= first_row || last_row < causal_from) && in_window(last_row, first_key);
    }
    /* First key in [begin, end) that the window shows to the row; `end` if none. Positions ascend. */
    __device__ int window_begin(int row, int begin, int end) const
    {
        if (window <= 0)
            return begin;
        while (begin < end) {
            int middle = begin + (end - begin) / 2;
            if (in_window(row, middle))
                end = middle;
            else
                begin = middle + 1;
        }
        return begin;
    }
};

} // namespace kvl
#endif
