/* SHA-256 (FIPS 180-4), for the hashes that name a model in a record. */
#ifndef KVL_SHA256_H
#define KVL_SHA256_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct kvl_sha256 {
    uint32_t state[8];
    uint64_t n; /* bytes so far */
    uint8_t tail[64];
};

void kvl_sha256_init(struct kvl_sha256 *hash);
void kvl_sha256_update(struct kvl_sha256 *hash, const void *data, size_t n);
/* The digest in hexadecimal, NUL-terminated; `hash` is used up. */
void kvl_sha256_final(struct kvl_sha256 *hash, char hex[65]);

#ifdef __cplusplus
}
#endif
#endif
