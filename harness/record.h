/* One record per configuration: a flat JSON object on a line of its own, written and flushed when the configuration ends.
 *
 * Units stand in the keys; what is missing is null, never -1 or "N/A". Fields, schema 1 (kinds "eval", "bench", "analyze" and
 * "kernel"; a field that does not apply to a kind is null):
 *   schema, kind, run_id, time_utc, kvlab_version, kvlab_commit, kvlab_dirty, build_type, argv, config_key
 *   cpu, gpu, driver, isa, threads, backend, dtype
 *   clock_mhz (the fastest core; of bench: behind the warm-ups), clock_end_mhz (behind the last sample),
 *   other_load_cpus (CPUs that other programs kept busy while the samples were taken, on average; of machine_cpus)
 *   model, model_source, model_hash, architecture, n_layer, n_embd, n_head, n_kv, head_size, n_ff, n_vocab
 *   method, profile, kv_rate, kv_budget, params (object: every resolved parameter by name)
 *   task, task_version, category, metric, second_metric, protocol, query_aware, template, seed, context, n_samples,
 *   max_prompt, haystack (folder), haystack_hash (of its texts), code_similarity ("difflib" | "levenshtein")
 *   tokens_in_mean, tokens_out_mean, bos_count, truncated (samples whose middle was cut)
 *   status ("ok" | "skipped" | "oom" | "failed"), reason
 *   score, score_stderr, n_scored, scores (raw, of samples 0, 1, ...), the same of second_metric: second_score...;
 *   depths (of the needle in each sample, 0 to 1), and of fidelity tasks kl_mean, kl_stderr, kl_samples (nats a token),
 *   nll_difference_mean, nll_difference_stderr, nll_difference_samples (nats a token, > 0: worse than the
 *   reference), top1_agreement (the score)
 *   heads_stored, kept_per_layer (array), token_layers, token_layers_full, kv_bytes, kv_bytes_full, peak_bytes,
 *   peak_prefill_bytes, peak_decode_bytes, weight_bytes, workspace_bytes
 *     Peaks count everything that the backend holds, weights and workspace included, from a reset at the start of each phase
 *     of each sample. The prefill's workspace stays reserved while decoding, so decode's peak is not below what is held then.
 *   new_tokens (also of eval where given), phases, warmups, copy_cache (true: each step copied the cache, which decode_token_bytes counts),
 *   prefill_median_ns, prefill_p05_ns, prefill_p95_ns, prefill_samples_ns,
 *   selection_median_ns, selection_p05_ns, selection_p95_ns, selection_samples_ns,
 *   decode_token_median_ns, decode_token_p05_ns, decode_token_p95_ns, decode_token_samples_ns (one mean per sample),
 *   e2e_median_ns, e2e_p05_ns, e2e_p95_ns, e2e_samples_ns
 *   prefill_median_ci95_ns, decode_token_median_ci95_ns, e2e_median_ci95_ns (each [low, high]: 95 %
 *     bootstrap interval of the median)
 *   prefill_flops, decode_token_bytes, peak_flops_per_s, peak_bytes_per_s (measured on this machine),
 *   prefill_bound_ns, decode_token_bound_ns, prefill_bound_share, decode_bound_share
 *   logits_hash (of the last logits of the last sample)
 * Kind "analyze" has of these what tells its run, model, configuration and prompts, and besides:
 *   analysis ("overlap" | "recall" | "distance" | "tsp-layer"); texts, texts_hash (in place of task)
 *   overlap, recall: window (rows that observe, 0: all), top (share of the prompt up to 1, else tokens), top_tokens_mean
 *   overlap: overlap (array per layer of arrays), overlap_by_distance, overlap_by_distance_early, overlap_by_distance_late (arrays
 *     by distance: of all pairs, of those whose first layer lies before first_late_layer, of the others), first_late_layer
 *   recall: recall, recall_stderr (arrays by layer)
 *   distance: layer, layer_param (which parameter of the method it is), and as means and raw per prompt (NAME_samples)
 *     hidden_l2, hidden_squared, hidden_cosine, logits_l2, logits_kl (nats), same_top
 *   tsp-layer: sources, bound, layers, hidden_squared_means (arrays), layer (the one to use), layer_param, setting (for --set)
 * Kind "kernel" (bench --kernels) has of these what tells its run, machine, model, context, seed and samples, status, peak_*_per_s and
 * n_scored (samples), and besides:
 *   operation (as in kernels/backend.h), case, phase ("prefill" | "decode"), shape (text: the sizes)
 *   flops, bytes (what one call needs: harness/kernel_case.h), batch (calls of a sample), graph (they are one graph),
 *   input_sets (that calls go round in), input_bytes (of a set)
 *   check_error (largest difference to a computation in double precision, as a share of what is allowed; at most 1 where status is
 *     ok, 0 where bits are compared; null: a wrong bit or no number), check_values (compared)
 *   kernel_median_ns, kernel_p05_ns, kernel_p95_ns, kernel_samples_ns, kernel_median_ci95_ns (of one call)
 *   flops_per_s, bytes_per_s (reached), bound_by ("flops" | "bytes": which of the ceilings), bound_ns, bound_share
 * Per-sample prompts, outputs and scores go to FILE with ".jsonl" replaced by ".samples.jsonl". */
#ifndef KVL_RECORD_H
#define KVL_RECORD_H

#include <jansson.h>

#include "kernels/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { KVL_RECORD_SCHEMA = 1 };

/* The i-th field that config_key is made of; NULL past the end. */
const char *kvl_record_key_field(int i);

/* Appends one object as a line to `path` and flushes it to the disk; NULL writes to stdout. KVL_E_IO names the file. */
enum kvl_status kvl_record_append(const char *path, const json_t *record);

/* Reads every line of a results file into an array. A truncated last line (no newline at its end, and no valid JSON) is left
 * out with `*truncated` set; any other malformed line is KVL_E_FORMAT with file and line. A missing file is KVL_E_IO. */
enum kvl_status kvl_records_read(const char *path, json_t **records, bool *truncated);

#ifdef __cplusplus
}
#endif
#endif
