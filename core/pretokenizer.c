#include "core/pretokenizer.h"

#include <string.h>

#include "core/tokenizer.h"

/* Digits asks Rust's char::is_numeric, in tokenizers 0.23 Unicode 17: two ranges more than Oniguruma's \p{N}. */
#define NUMERIC "[\\p{N}\\x{11DE0}-\\x{11DE9}\\x{16FF4}-\\x{16FF6}]"

const char KVL_SPLIT_GPT2[] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
const char KVL_SPLIT_DIGIT[] = NUMERIC;
const char KVL_SPLIT_DIGITS[] = NUMERIC "+";

/* From tokenizer.json of meta-llama/Meta-Llama-3-8B. */
static const char LLAMA3[] =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
    "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/* From tekken_240911.json (Mistral Nemo, Ministral). */
static const char TEKKEN[] = "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+"
                             "|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*"
                             "|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

static const char *const SPLIT_SMOLLM[] = {KVL_SPLIT_DIGIT, KVL_SPLIT_GPT2};
static const char *const SPLIT_GPT2[] = {KVL_SPLIT_GPT2};
static const char *const SPLIT_LLAMA3[] = {LLAMA3};
static const char *const SPLIT_TEKKEN[] = {TEKKEN};

/* Values of `tokenizer.ggml.pre`, as llama.cpp reads them. */
static const struct {
    const char *name;
    const char *const *split;
    int n_split;
    bool ignore_merges;
} PRETOKENIZERS[] = {
    {"smollm", SPLIT_SMOLLM, 2, false},
    {"gpt-2", SPLIT_GPT2, 1, false},
    {"default", SPLIT_GPT2, 1, false},
    {"llama-bpe", SPLIT_LLAMA3, 1, true},
    {"llama3", SPLIT_LLAMA3, 1, true},
    {"llama-v3", SPLIT_LLAMA3, 1, true},
    {"tekken", SPLIT_TEKKEN, 1, true},
};

enum kvl_status kvl_pretokenizer_by_name(const char *pre, const char *const **split, int *n_split, bool *ignore_merges)
{
    for (size_t i = 0; i < sizeof PRETOKENIZERS / sizeof PRETOKENIZERS[0]; i++)
        if (strcmp(pre, PRETOKENIZERS[i].name) == 0) {
            *split = PRETOKENIZERS[i].split;
            *n_split = PRETOKENIZERS[i].n_split;
            *ignore_merges = PRETOKENIZERS[i].ignore_merges;
            return KVL_OK;
        }
    return kvl_fail(KVL_E_UNSUPPORTED,
                    "pre-tokenizer \"%.60s\" (tokenizer.ggml.pre) is not known; known are smollm, gpt-2, default, "
                    "llama-bpe, llama3, llama-v3, tekken",
                    pre);
}
