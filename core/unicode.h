/* What the tokenizer needs to know of Unicode: UTF-8, GPT-2's byte alphabet, normal forms, white space and word characters.
 * kvl_utf8_check is declared in core/tokenizer.h. */
#ifndef KVL_UNICODE_H
#define KVL_UNICODE_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The character at text[at] of valid UTF-8; *size is its length in bytes. at < n. */
uint32_t kvl_utf8_get(const char *text, int64_t at, int64_t n, int *size);

/* The character that ends before text[at] of valid UTF-8, at > 0; *size is its length in bytes. */
uint32_t kvl_utf8_get_before(const char *text, int64_t at, int *size);

/* Writes one character, at most 4 bytes; returns how many. `code` is a scalar value (no surrogate, at most U+10FFFF). */
int kvl_utf8_put(uint32_t code, char out[4]);

/* Copies n bytes to `out` (3 n bytes of room) with U+FFFD for every maximal part of a broken character; returns the length. */
int64_t kvl_utf8_repair(const char *text, int64_t n, char *out);

/* GPT-2's printable stand-ins of the 256 bytes. */
enum { KVL_N_BYTE_SYMBOLS = 324 }; /* the symbols are U+0021..U+0143 */
struct kvl_byte_alphabet {
    uint16_t symbol[256];            /* byte -> code point */
    int16_t byte[KVL_N_BYTE_SYMBOLS]; /* code point -> byte, -1: not a symbol */
};
void kvl_byte_alphabet_init(struct kvl_byte_alphabet *alphabet);

/* Bytes that a text in the byte alphabet stands for, written to `out` (room for n). -1 if a character is not of the alphabet. */
int64_t kvl_byte_alphabet_decode(const struct kvl_byte_alphabet *alphabet, const char *text, int64_t n, char *out);

enum kvl_normal_form { KVL_FORM_NONE, KVL_FORM_NFC, KVL_FORM_NFD, KVL_FORM_NFKC, KVL_FORM_NFKD };

/* By name: "none", "nfc", "nfd", "nfkc", "nfkd". False if there is no such form. */
bool kvl_normal_form_find(const char *name, enum kvl_normal_form *out);

/* Normalizes valid UTF-8 into a malloc'd buffer of *n_out bytes. Time is linear also for endless runs of combining marks. */
enum kvl_status kvl_normalize(enum kvl_normal_form form, const char *text, int64_t n, char **out, int64_t *n_out);

/* Unicode's White_Space. */
bool kvl_is_white_space(uint32_t code);

/* \w of Rust's regex crate, which Hugging Face asks for `single_word`: Alphabetic, marks, decimal digits, connectors. */
bool kvl_is_word(uint32_t code);

#ifdef __cplusplus
}
#endif
#endif
