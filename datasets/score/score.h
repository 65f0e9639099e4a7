/* The metrics of all task families, each a kvl_score_function (datasets/task.h). README.md in this folder names the official
 * function behind each one and how the two were compared.
 *
 * Common to all: `prediction` and `answers` are valid UTF-8 that ends at its first NUL; the score is in 0..1; KVL_E_OOM is
 * possible where a contract does not say "allocates nothing". No answers: 0. Re-entrant; no state but the one counter below. */
#ifndef KVL_SCORE_H
#define KVL_SCORE_H

#include "datasets/task.h"

#ifdef __cplusplus
extern "C" {
#endif

/* RULER ------------------------------------------------------------------------------------------------------------------
 * Both first clean the prediction as RULER's evaluate.py does: white space (Python's strip()) at both ends off, control
 * characters U+0001..U+001F become newlines, white space off again. Answers are taken as they are. Case: Python's lower(). */

/* string_match_all: the share of the answers that stand in the prediction. Our own families call it "recall". */
enum kvl_status kvl_score_recall(const struct kvl_scoring *scoring, double *score);

/* string_match_part: 1 if any answer stands in the prediction, else 0. */
enum kvl_status kvl_score_recall_any(const struct kvl_scoring *scoring, double *score);

/* LongBench --------------------------------------------------------------------------------------------------------------
 * The best over the answers. */

/* qa_f1_score: F1 over bags of words, after lower(), ASCII punctuation off, articles off, split(). */
enum kvl_status kvl_score_qa_f1(const struct kvl_scoring *scoring, double *score);

/* rouge_score: "rouge-l" "f" of the Python package `rouge` 1.0.1; equal texts score 0.999999995, texts without a word 0. */
enum kvl_status kvl_score_rouge_l(const struct kvl_scoring *scoring, double *score);

/* Pairs (prediction, answer) that kvl_score_rouge_l has scored in this process and that the official script gives 0, because the
 * package follows a common subsequence by recursion and Python 3.11 stops it at depth 1000. kvl_score_rouge_l gives such a pair
 * the score that the package gives without the limit. Take the difference of two calls. Thread-safe. */
int64_t kvl_score_rouge_l_too_deep(void);

/* classification_score: 1 / (number of classes named in the prediction) if the answer is among them, else 0, with the official
 * script's way of dropping names that are part of the answer: elements behind a dropped one are skipped. Reads `classes`. */
enum kvl_status kvl_score_class(const struct kvl_scoring *scoring, double *score);

/* retrieval_score: the share of the numbers in the prediction that are the answer's N in "Paragraph N"; no numbers: 0. Numbers
 * are compared as strings of decimal digits of any script. KVL_E_FORMAT where an answer has no "Paragraph N". Allocates nothing. */
enum kvl_status kvl_score_retrieval(const struct kvl_scoring *scoring, double *score);

/* count_score: the same with the whole answer in place of N. Allocates nothing. */
enum kvl_status kvl_score_count(const struct kvl_scoring *scoring, double *score);

/* code_sim_score: fuzzywuzzy's ratio of the prediction's first line that has no backtick, '#' or "//", a multiple of 0.01;
 * settings->code_similarity says which: difflib's matcher (default) or python-Levenshtein's. */
enum kvl_status kvl_score_code(const struct kvl_scoring *scoring, double *score);

/* triviaqa, samsum, trec and lsht: the same, of the prediction's first line only (newlines before it are dropped). */
enum kvl_status kvl_score_first_line_qa_f1(const struct kvl_scoring *scoring, double *score);
enum kvl_status kvl_score_first_line_rouge_l(const struct kvl_scoring *scoring, double *score);
enum kvl_status kvl_score_first_line_class(const struct kvl_scoring *scoring, double *score);

/* niah -------------------------------------------------------------------------------------------------------------------
 * The best over the answers. */

/* "rouge1" fmeasure of the Python package `rouge-score` with use_stemmer=True: F1 over bags of [a-z0-9]+, Porter-stemmed. */
enum kvl_status kvl_score_rouge_1(const struct kvl_scoring *scoring, double *score);

/* 1 if the prediction contains an answer byte for byte, else 0. Allocates nothing. */
enum kvl_status kvl_score_contains(const struct kvl_scoring *scoring, double *score);

#ifdef __cplusplus
}
#endif
#endif
