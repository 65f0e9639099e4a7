/* libFuzzer: bytes as a config.json; whatever passes must be a shape whose frequencies are finite. */
#include <math.h>
#include <stdlib.h>

#include "core/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kvl_shape shape;
    float inv_freq[KVL_MAX_HEAD_SIZE / 2];
    if (kvl_config_from_json(&shape, (const char *)data, (int64_t)size) != KVL_OK)
        return 0;
    kvl_rope_inv_freq(&shape, inv_freq);
    for (int64_t c = 0; c < shape.head_size / 2; c++)
        if (!isfinite(inv_freq[c]))
            abort();
    if (kvl_shape_n_params(&shape) <= 0)
        abort();
    return 0;
}
