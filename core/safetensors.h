/* safetensors files and the index that ties several of them into one model.
 *
 * A file is: u64 length of the header, the header (a JSON object: tensor name -> dtype, shape, data_offsets), the data.
 * Both parsers work on bytes in memory; sentences do not name the file. */
#ifndef KVL_SAFETENSORS_H
#define KVL_SAFETENSORS_H

#include "core/tensor_file.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Appends the tensors of one file to `tensors` (unsorted); their data points into `data`, which must stay. On failure some
 * may have been added. `file` goes into kvl_tensor.file. */
enum kvl_status kvl_safetensors_parse(struct kvl_tensors *tensors, const uint8_t *data, int64_t bytes, const char *file);

/* model.safetensors.index.json: which file holds which tensor. */
struct kvl_shard_index {
    int64_t n_shards;
    char **shards; /* [n_shards] plain file names, ascending, each once */
    int64_t n;
    struct kvl_shard_row {
        char *tensor;
        char *shard;
    } *rows; /* [n] */
};
enum kvl_status kvl_shard_index_parse(struct kvl_shard_index *index, const char *text, int64_t n);
void kvl_shard_index_free(struct kvl_shard_index *index);

#ifdef __cplusplus
}
#endif
#endif
