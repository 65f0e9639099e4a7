/* One configuration's way through the samples of one task: its record, its scores, its lines of samples. */
#ifndef KVL_EVAL_ENTRY_H
#define KVL_EVAL_ENTRY_H

#include "datasets/prompt.h"
#include "harness/eval_job.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What one sample came to; NAN: does not apply. */
struct kvl_eval_numbers {
    double score, second_score, depth;
    double kl, nll_difference; /* of forced tokens: nats per token, against the reference */
    int64_t n_in, n_out;       /* tokens of the prompt and of the answer */
    int64_t n_bos, n_uncut;    /* as in kvl_prompt */
    char logits_hash[17];
};

struct kvl_eval_entry {
    const struct kvl_config *config;
    json_t *record;
    struct kvl_eval_numbers *samples; /* [n_samples] */
    int64_t n_done;
    bool is_reference; /* runs only so that the others have something to be compared with; leaves no record */
    bool planned;      /* the record holds the plan of its first prompt */
    bool over;         /* a job failed: nothing more is run */
    struct kvl_session session;
};

enum kvl_status kvl_eval_entry_init(struct kvl_eval_entry *entry, const struct kvl_eval_job *job,
                                    const struct kvl_config *config);
void kvl_eval_entry_free(struct kvl_eval_entry *entry);

/* The configuration failed: the last error becomes the record's reason. */
void kvl_eval_entry_fail(struct kvl_eval_entry *entry, enum kvl_status status);

/* Takes over sample `index` from a run that was interrupted; false: it is still to be run. */
bool kvl_eval_entry_recall(struct kvl_eval_entry *entry, const struct kvl_sink *sink, int64_t index);

/* Adds a finished sample and writes its line at once. `line` holds what the numbers do not; the reference is taken. */
enum kvl_status kvl_eval_entry_add(struct kvl_eval_entry *entry, const struct kvl_eval_job *job,
                                   const struct kvl_eval_numbers *numbers, json_t *line);

/* Fills the record from the samples and puts it. */
enum kvl_status kvl_eval_entry_finish(struct kvl_eval_entry *entry, const struct kvl_eval_job *job);

#ifdef __cplusplus
}
#endif
#endif
