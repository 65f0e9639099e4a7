/* Figure latency: prefill and decode times of every method by context, with the ratio to the reference above each bar. */
#include <math.h>
#include <string.h>

#include "harness/gnuplot.h"
#include "harness/plot_data.h"
#include "methods/method.h"

/* The two panels. */
static const struct phase {
    const char *title, *median, *p05, *p95;
} phases[] = {
    {"Prefill (ms)", "prefill_median_ns", "prefill_p05_ns", "prefill_p95_ns"},
    {"Decode (ms/token)", "decode_token_median_ns", "decode_token_p05_ns", "decode_token_p95_ns"},
};

enum { N_PHASES = sizeof phases / sizeof *phases };

/* The record of a row that measured a phase; NULL where there is none or it failed. */
static const json_t *measured(const struct kvl_rows *rows, const struct kvl_row *row, const struct phase *phase)
{
    const json_t *record = kvl_row_measured(rows, row, phase->median);
    return record != NULL && strcmp(kvl_record_text(record, "status"), "ok") == 0 ? record : NULL;
}

static bool use(const void *context, const struct kvl_row *row)
{
    for (int p = 0; p < (int)N_PHASES; p++)
        if (measured(context, row, &phases[p]) != NULL)
            return true;
    return false;
}

/* Median, p05 and p95 in ms and the reference's time over this one's; the reference itself has no ratio. */
static void write_phase(const struct kvl_rows *rows, const struct kvl_row *row, const struct phase *phase, FILE *stream,
                        char end)
{
    const json_t *record = row != NULL ? measured(rows, row, phase) : NULL;
    const json_t *reference = record != NULL ? kvl_rows_reference(rows, row, record, phase->median) : NULL;
    double median = record != NULL ? kvl_record_number(record, phase->median) : NAN;
    double p05 = record != NULL ? kvl_record_number(record, phase->p05) : NAN;
    double p95 = record != NULL ? kvl_record_number(record, phase->p95) : NAN;
    double base = reference != NULL && !kvl_row_is_reference(row) ? kvl_record_number(reference, phase->median) : NAN;
    kvl_plot_number(stream, median / 1e6, '\t');
    kvl_plot_number(stream, (isnan(p05) ? median : p05) / 1e6, '\t');
    kvl_plot_number(stream, (isnan(p95) ? median : p95) / 1e6, '\t');
    kvl_plot_number(stream, base / median, end);
}

/* A block per series, a line per group: the group's number from 0, then each phase. */
static void write_block(const struct kvl_rows *rows, const struct kvl_plot_data *data, int series, FILE *stream)
{
    for (int g = 0; g < data->n_groups; g++) {
        int r = 0;
        const struct kvl_row *row = kvl_plot_data_next(data, rows, series, g, &r);
        fprintf(stream, "%d\t", g);
        for (int p = 0; p < (int)N_PHASES; p++)
            write_phase(rows, row, &phases[p], stream, p < (int)N_PHASES - 1 ? '\t' : '\n');
    }
    fputs("\n\n", stream);
}

/* The phases that were measured anywhere, by their place: a panel each. */
static int assign_panels(const struct kvl_rows *rows, FILE *settings)
{
    int n = 0;
    fprintf(settings, "array panels[%d];array column_of[%d];", N_PHASES, N_PHASES);
    for (int p = 0; p < (int)N_PHASES; p++)
        for (int r = 0; r < rows->n; r++)
            if (measured(rows, &rows->rows[r], &phases[p]) != NULL) {
                n++;
                fprintf(settings, "panels[%d]=", n);
                kvl_gnuplot_quote(settings, phases[p].title);
                fprintf(settings, ";column_of[%d]=%d;", n, 2 + 4 * p);
                break;
            }
    fprintf(settings, "n_panels=%d;", n);
    return n;
}

static enum kvl_status write_figure(const struct kvl_plot *plot)
{
    static const char *const more[] = {"kv_rate", "kv_budget", NULL};
    struct kvl_plot_data data;
    if (assign_panels(plot->rows, plot->settings) == 0)
        return kvl_fail(KVL_E_FORMAT, "no bench record with a prefill or decode time: nothing to plot");
    fprintf(plot->settings, "remark='medians, lines from p05 to p95; above the bars: times faster than %s';",
            kvl_method_at(0)->name);
    KVL_TRY(kvl_plot_data_init(&data, plot->rows, more, use, plot->rows));
    kvl_plot_data_assign(&data, plot->settings);
    for (int s = 0; s < data.n_series; s++)
        write_block(plot->rows, &data, s, plot->data);
    kvl_plot_data_free(&data);
    return KVL_OK;
}

const struct kvl_figure kvl_figure_latency = {
    .name = "latency",
    .title = "Prefill and decode latency",
    .script = "latency.gp",
    .kinds = KVL_KNOB_BENCH,
    .write = write_figure,
};
