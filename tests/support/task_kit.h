/* What the tests of the task families share: tokenizers to size prompts with, and the checks that every generator must pass. */
#ifndef KVLAB_TEST_TASK_KIT_H
#define KVLAB_TEST_TASK_KIT_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "datasets/task.h"
#include "tests/support/golden.h"

/* Closer looks at one sample; `prompt`: all that the model reads. Fails the test where something is wrong. */
typedef void (*kit_check)(const struct kvl_task *task, const struct kvl_task_request *request, const struct kvl_sample *sample,
                          const char *prompt);

/* One token per byte, five merges and a BOS: a token is little more than a character. */
struct kvl_tokenizer *kit_byte_tokenizer(bool add_bos);

const struct kvl_task *kit_task(const char *name);
const struct kvl_chat_template *kit_chat(const char *name);

/* What the model reads, malloc'd. */
char *kit_prompt_of(const struct kvl_task_request *request, const struct kvl_sample *sample);
char *kit_make_prompt(const struct kvl_task *task, const struct kvl_task_request *request);

int kit_count_of(const char *text, const char *part);
uint64_t kit_hash(const char *text); /* FNV-1a */

/* Makes a sample and checks it: at most n_context tokens and at least 98 % of them, the question where n_before_question says,
 * each answer right by the task's own score, and answers that fit max_new_tokens (not with tokenizers of bytes); then `check`.
 * Sample 1 also by every protocol, query-aware and not. */
void kit_check_sample(const struct kvl_task *task, const struct kvl_task_request *request, kit_check check);

/* Samples with tokenizers of bytes and those of the golden models, with and without BOS and templates, from 512 to 32768 tokens:
 * a context below n_always may be refused as too short. */
void kit_sweep_small(const char *task, int64_t n_always, kit_check check);

/* Samples with SmolLM2's tokenizer (KVLAB_SMALL_MODEL), LLaMA-3's and Tekken's (KVLAB_TOKENIZERS) and every template of their
 * models, from the task's min_context to 8192 tokens, and at 64K or 128K; prints what a sample took. Skips, saying so, where a
 * variable is not set. */
void kit_sweep_real(const char *task, kit_check check);

/* Same request, same prompt; other seeds and indices, other prompts; another context, the same answers. */
void kit_check_determinism(const char *task, int64_t n_context, int64_t n_context_too);

/* The prompt of sample 3, seed 1 with the byte tokenizer has this hash: a prompt that changes needs a new version of its task,
 * and then a new hash. False: it has another, which is printed. */
bool kit_is_golden(const char *task, int version, int64_t n_context, uint64_t hash);

/* Bad requests are refused with a sentence that names the task, and every length is refused or filled. */
void kit_check_refusals(const char *task);

#endif
