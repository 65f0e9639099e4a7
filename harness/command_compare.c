/* kvlab compare BASE NEW: exit 1 on a regression. */
#include <math.h>

#include "harness/command.h"
#include "harness/compare.h"
#include "harness/output_check.h"
#include "harness/output_file.h"

static enum kvl_status print(const struct kvl_comparison *comparison, const struct kvl_compare_sides *sides,
                             const struct kvl_options *options)
{
    struct kvl_output_file file;
    KVL_TRY(kvl_output_file_open(&file, options->output));
    enum kvl_status status = options->json ? kvl_compare_print_json(comparison, sides, file.stream)
                                           : kvl_compare_print(comparison, sides, file.stream);
    if (status == KVL_OK)
        return kvl_output_file_commit(&file);
    kvl_output_file_discard(&file);
    return status;
}

/* What a reader of the table should know, on stderr. */
static void print_notes(const struct kvl_comparison *comparison)
{
    const struct {
        int n;
        const char *what;
    } notes[] = {
        {comparison->n_bare, "finished records hold no raw samples and are left out"},
        {comparison->n_older, "rows are left out: newer ones of the same knobs are there"},
        {comparison->n_uneven, "scores have different numbers of samples in BASE and NEW: the common ones are compared"},
        {comparison->n_too_few, "rows have too few samples to tell any change from chance: give eval or bench more --samples"},
        {comparison->limits.force ? 0 : comparison->n_disturbed,
         "times were taken while the machine was busy or throttled, so that no change counts: measure again, or give --force"},
    };
    for (size_t i = 0; i < sizeof notes / sizeof *notes; i++)
        if (notes[i].n > 0)
            fprintf(stderr, "kvlab: note: %d %s\n", notes[i].n, notes[i].what);
    double all = comparison->time_ratio;
    if (fabs(log(all)) > 0.5 * log1p(comparison->limits.latency))
        fprintf(stderr, "kvlab: note: the median over all times moved by %+.1f %%: look for a change of the machine, its load "
                "or its clock before one of a method\n", 100.0 * (all - 1.0));
}

/* The exit code 1 where it must be. */
static enum kvl_status judge(const struct kvl_comparison *comparison, bool allow_missing)
{
    int n_worse = comparison->counts[KVL_OUTCOME_REGRESSION];
    int n_missing = allow_missing ? 0 : comparison->counts[KVL_OUTCOME_MISSING];
    if (n_worse > 0)
        return kvl_fail(KVL_E_INTERNAL, "%d regression%s and %d missing row%s in %d rows", n_worse,
                        n_worse == 1 ? "" : "s", n_missing, n_missing == 1 ? "" : "s", comparison->n);
    if (n_missing > 0)
        return kvl_fail(KVL_E_INTERNAL, "%d of the rows of BASE %s missing in NEW: run them, or give --allow-missing",
                        n_missing, n_missing == 1 ? "is" : "are");
    return KVL_OK;
}

static enum kvl_status compare(const struct kvl_options *o, const struct kvl_record_set *base,
                               const struct kvl_record_set *next)
{
    struct kvl_compare_limits limits = {.score = o->threshold_score, .nats = o->threshold_nats, .latency = o->threshold_latency,
                                        .memory = o->threshold_memory, .alpha = o->alpha, .force = o->force};
    struct kvl_compare_sides sides = {o->positional.items[0], o->positional.items[1], base, next};
    struct kvl_comparison comparison;
    KVL_TRY(kvl_compare(&comparison, base, next, &limits));
    print_notes(&comparison);
    enum kvl_status status = print(&comparison, &sides, o);
    if (status == KVL_OK)
        status = judge(&comparison, o->allow_missing);
    kvl_comparison_free(&comparison);
    return status;
}

/* A side is a file, or several with commas between them. */
static enum kvl_status load(const char *title, const char *files, const char *output, struct kvl_record_set *set)
{
    struct kvl_words paths = {0};
    enum kvl_status status = kvl_words_parse(title, files, &paths);
    for (int i = 0; i < paths.n && output != NULL && status == KVL_OK; i++)
        status = kvl_output_check_other("-o", output, paths.items[i]);
    if (status == KVL_OK)
        status = kvl_record_set_load(set, paths.items, paths.n, stderr);
    kvl_words_free(&paths);
    return status;
}

static enum kvl_status run(const struct kvl_options *options)
{
    struct kvl_record_set base = {0}, next = {0};
    enum kvl_status status = load("BASE", options->positional.items[0], options->output, &base);
    if (status == KVL_OK)
        status = load("NEW", options->positional.items[1], options->output, &next);
    if (status == KVL_OK)
        status = compare(options, &base, &next);
    kvl_record_set_free(&base);
    kvl_record_set_free(&next);
    return status;
}

const struct kvl_command kvl_command_compare = {
    .name = "compare",
    .arguments = "BASE NEW",
    .help = "what two runs of eval or bench differ in; exit code 1 on a regression",
    .min_positional = 2,
    .max_positional = 2,
    .keys = "zGvVAEJof",
    .run = run,
};
