/* Byte-pair encoding of one piece of text: the vocabulary, the merges and the merge loop. */
#ifndef KVL_BPE_H
#define KVL_BPE_H

#include "core/tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif

struct kvl_bpe;

/* Takes vocabulary and merges of `spec` (copies them) and checks them: duplicate tokens, merges of tokens or into a token that
 * are not in the vocabulary, texts that are not UTF-8. Of a pair that is listed twice the later rank counts, as in Hugging Face. */
enum kvl_status kvl_bpe_init(struct kvl_bpe **out, const struct kvl_tokenizer_spec *spec);
void kvl_bpe_free(struct kvl_bpe *bpe);

/* Id of an ordinary token by its text in the byte alphabet, -1 if there is none. */
int32_t kvl_bpe_find(const struct kvl_bpe *bpe, const char *text, int64_t n);

/* Working memory of the merge loop, kept from piece to piece. {0} is valid; kvl_bpe_scratch_free leaves {0}. */
struct kvl_bpe_symbol;
struct kvl_bpe_merge;
struct kvl_bpe_scratch {
    struct kvl_bpe_symbol *symbols; /* [n_bytes_max] */
    char *text;                     /* [2 n_bytes_max] */
    struct kvl_bpe_merge *heap;     /* [n_heap_max] */
    int64_t n_bytes_max, n_heap, n_heap_max;
};
void kvl_bpe_scratch_free(struct kvl_bpe_scratch *scratch);

/* Appends the ids of one piece, n raw bytes (n < 2^31). Bytes without a token are dropped before merging. O(n log n). */
enum kvl_status kvl_bpe_encode(const struct kvl_bpe *bpe, struct kvl_bpe_scratch *scratch, const char *piece, int64_t n,
                               struct kvl_ids *ids);

#ifdef __cplusplus
}
#endif
#endif
