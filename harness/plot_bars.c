/* Figures of bars by context, one for each method and KV rate: latency (prefill and decode, with the ratio to the reference
 * above each bar), memory (cache and peak), and e2e (prefill and decode stacked). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "harness/plot_data.h"
#include "methods/method.h"

static const char *const sizes[] = {"kv_rate", "kv_budget", NULL}, *const nothing[] = {NULL};

/* What a bar shows; NaN where there is none. `label` stands above it; "-" in the data where there is none. */
struct bar {
    double value, low, high;
    char label[32]; /* "": none */
};

/* A panel of a figure. */
struct panel {
    const char *title; /* without the unit of a time in milliseconds */
    const char *key, *low, *high; /* fields of a record; low and high NULL: no whisker */
    double scale;
    struct bar (*read)(const struct kvl_rows *rows, const struct kvl_row *row, const struct panel *panel);
};

static const struct bar no_bar = {NAN, NAN, NAN, ""};

/* A time with "1.62x" above it: the reference's over this one; the reference itself has none. */
static struct bar read_time(const struct kvl_rows *rows, const struct kvl_row *row, const struct panel *panel)
{
    const json_t *record = kvl_row_measured(rows, row, panel->key);
    if (!kvl_record_is_ok(record))
        return no_bar;
    const json_t *reference = kvl_rows_reference(rows, row, record, panel->key);
    double low = kvl_record_number(record, panel->low), high = kvl_record_number(record, panel->high);
    struct bar bar = {.value = panel->scale * kvl_record_number(record, panel->key)};
    bar.low = isnan(low) ? bar.value : panel->scale * low;
    bar.high = isnan(high) ? bar.value : panel->scale * high;
    if (reference != NULL && !kvl_row_is_reference(row))
        snprintf(bar.label, sizeof bar.label, "%.2fx", panel->scale * kvl_record_number(reference, panel->key) / bar.value);
    return bar;
}

/* The row's newest record of either kind that knows the size of its cache, the bench first. */
static const json_t *cache_record(const struct kvl_rows *rows, const struct kvl_row *row)
{
    const int groups[] = {row->bench_group, row->eval_group};
    const json_t *record;
    for (int g = 0; g < 2; g++)
        for (int i = 0; (record = kvl_rows_next(rows, groups[g], &i)) != NULL;)
            if (kvl_record_is_ok(record) && !isnan(kvl_record_number(record, "kv_bytes")))
                return record;
    return NULL;
}

/* The cache, with its share of the whole one above it. */
static struct bar read_cache(const struct kvl_rows *rows, const struct kvl_row *row, const struct panel *panel)
{
    const json_t *record = cache_record(rows, row);
    if (record == NULL)
        return no_bar;
    double value = kvl_record_number(record, panel->key), share = 100 * value / kvl_record_number(record, "kv_bytes_full");
    struct bar bar = {panel->scale * value, panel->scale * value, panel->scale * value, ""};
    if (isfinite(share) && !kvl_row_is_reference(row))
        snprintf(bar.label, sizeof bar.label, "%.0f%%", share);
    return bar;
}

/* The peak of bench alone: eval runs several methods together. */
static struct bar read_peak(const struct kvl_rows *rows, const struct kvl_row *row, const struct panel *panel)
{
    const json_t *record = row->bench != NULL ? kvl_row_measured(rows, row, panel->key) : NULL;
    double value = kvl_record_is_ok(record) ? panel->scale * kvl_record_number(record, panel->key) : NAN;
    return (struct bar){value, value, value, ""};
}

static const struct panel times[] = {
    {"Prefill", "prefill_median_ns", "prefill_p05_ns", "prefill_p95_ns", 1e-6, read_time},
    {"Decode (ms/token)", "decode_token_median_ns", "decode_token_p05_ns", "decode_token_p95_ns", 1e-6, read_time},
};

static const struct panel memory[] = {
    {"KV cache (MB)", "kv_bytes", NULL, NULL, 1e-6, read_cache},
    {"Peak of memory (MB)", "peak_bytes", NULL, NULL, 1e-6, read_peak},
};

enum { N_PANELS = 2 };

struct source {
    const struct kvl_rows *rows;
    const struct panel *panels; /* [N_PANELS] */
    double factors[N_PANELS];   /* into the unit of the figure */
};

static struct bar read_bar(const struct source *source, const struct kvl_row *row, int panel)
{
    struct bar bar = row != NULL ? source->panels[panel].read(source->rows, row, &source->panels[panel]) : no_bar;
    bar.value *= source->factors[panel];
    bar.low *= source->factors[panel];
    bar.high *= source->factors[panel];
    return bar;
}

/* The title with the unit of a time; others have theirs. */
static void title_panel(const struct kvl_rows *rows, const struct panel *panel, double *factor, char *title, size_t size)
{
    double longest = 0;
    *factor = 1;
    snprintf(title, size, "%s", panel->title);
    if (strchr(panel->title, '(') != NULL)
        return;
    for (int r = 0; r < rows->n; r++)
        longest = fmax(longest, panel->read(rows, &rows->rows[r], panel).high); /* passes over NaN */
    snprintf(title, size, "%s (%s)", panel->title, kvl_plot_time_unit(longest, factor));
}

static bool use(const void *context, const struct kvl_row *row, int facet)
{
    (void)facet;
    for (int p = 0; p < N_PANELS; p++)
        if (!isnan(read_bar(context, row, p).value))
            return true;
    return false;
}

/* A block per series, a line per group: the group's number from 0, then value, low, high and label of each panel. */
static void write_block(const struct source *source, const struct kvl_plot_data *data, int series, FILE *stream)
{
    for (int g = 0; g < data->n_groups; g++) {
        int r = 0;
        const struct kvl_row *row = kvl_plot_data_next(data, source->rows, series, g, &r);
        fprintf(stream, "%d", g);
        for (int p = 0; p < N_PANELS; p++) {
            struct bar bar = read_bar(source, row, p);
            putc('\t', stream);
            kvl_plot_number(stream, bar.value, '\t');
            kvl_plot_number(stream, bar.low, '\t');
            kvl_plot_number(stream, bar.high, '\t');
            fputs(bar.label[0] != '\0' ? bar.label : "-", stream);
        }
        putc('\n', stream);
    }
    fputs("\n\n", stream);
}

/* Those that have a bar anywhere. */
static int assign_panels(struct source *source, FILE *settings)
{
    int n = 0;
    char title[64];
    fprintf(settings, "array panels[%d];array column_of[%d];", N_PANELS, N_PANELS);
    for (int p = 0; p < N_PANELS; p++) {
        title_panel(source->rows, &source->panels[p], &source->factors[p], title, sizeof title);
        for (int r = 0; r < source->rows->n; r++)
            if (!isnan(read_bar(source, &source->rows->rows[r], p).value)) {
                kvl_plot_assign_item(settings, "panels", ++n, title);
                fprintf(settings, "column_of[%d]=%d;", n, 2 + 4 * p);
                break;
            }
    }
    fprintf(settings, "n_panels=%d;", n);
    return n;
}

static enum kvl_status write_bars(const struct kvl_plot *plot, const struct panel *panels, const char *remark,
                                  const char *lacking)
{
    struct source source = {.rows = plot->rows, .panels = panels};
    const struct kvl_plot_layout layout = {.more = sizes, .except = nothing, .use = use, .context = &source};
    struct kvl_plot_data data;
    if (assign_panels(&source, plot->settings) == 0)
        return kvl_fail(KVL_E_FORMAT, "%s: nothing to plot", lacking);
    kvl_plot_assign(plot->settings, "remark", remark);
    KVL_TRY(kvl_plot_data_init(&data, plot->rows, &layout));
    kvl_plot_data_assign(&data, plot->settings);
    for (int s = 0; s < data.n_series; s++)
        write_block(&source, &data, s, plot->data);
    kvl_plot_data_free(&data);
    return KVL_OK;
}

static enum kvl_status write_latency(const struct kvl_plot *plot)
{
    char remark[160];
    snprintf(remark, sizeof remark, "medians, lines from p05 to p95; above the bars: times faster than %s",
             kvl_method_at(0)->name);
    return write_bars(plot, times, remark, "no bench record with a prefill or decode time");
}

static enum kvl_status write_memory(const struct kvl_plot *plot)
{
    char remark[160];
    snprintf(remark, sizeof remark, "behind the prefill; above the bars of the cache: share of %s", kvl_method_at(0)->name);
    return write_bars(plot, memory, remark, "no record with the size of its cache");
}

/* ---- prefill and decode stacked --------------------------------------------------------------------------------------- */

static const struct panel end_to_end = {"End to end", "e2e_median_ns", "e2e_p05_ns", "e2e_p95_ns", 1e-6, read_time};

static bool use_stacked(const void *context, const struct kvl_row *row, int facet)
{
    (void)facet;
    return !isnan(read_time(context, row, &end_to_end).value) && !isnan(read_time(context, row, &times[0]).value);
}

/* A block per series, a line per group: its number, the prefill, the whole with low and high, the label. The rest is
 * decoding. */
static void write_stacked(const struct kvl_rows *rows, const struct kvl_plot_data *data, int series, double factor,
                          FILE *stream)
{
    for (int g = 0; g < data->n_groups; g++) {
        int r = 0;
        const struct kvl_row *row = kvl_plot_data_next(data, rows, series, g, &r);
        struct bar prefill = row != NULL ? read_time(rows, row, &times[0]) : no_bar;
        struct bar whole = row != NULL ? read_time(rows, row, &end_to_end) : no_bar;
        fprintf(stream, "%d\t", g);
        kvl_plot_number(stream, factor * prefill.value, '\t');
        kvl_plot_number(stream, factor * whole.value, '\t');
        kvl_plot_number(stream, factor * whole.low, '\t');
        kvl_plot_number(stream, factor * whole.high, '\t');
        fprintf(stream, "%s\n", whole.label[0] != '\0' ? whole.label : "-");
    }
    fputs("\n\n", stream);
}

static enum kvl_status write_e2e(const struct kvl_plot *plot)
{
    const struct kvl_plot_layout layout = {.more = sizes, .except = nothing, .use = use_stacked, .context = plot->rows};
    struct kvl_plot_data data;
    char remark[160], tokens[32], title[64];
    double factor;
    const json_t *new_tokens = kvl_rows_common(plot->rows, kvl_knob_find("new_tokens"));
    KVL_TRY(kvl_plot_data_init(&data, plot->rows, &layout));
    if (data.n_series == 0) {
        kvl_plot_data_free(&data);
        return kvl_fail(KVL_E_FORMAT, "no bench record with both a prefill and an end-to-end time: nothing to plot");
    }
    kvl_knob_format(new_tokens, tokens, sizeof tokens);
    snprintf(remark, sizeof remark, "%s%smedians, lines from p05 to p95; above the bars: times faster than %s", tokens,
             tokens[0] != '\0' ? " new tokens; " : "", kvl_method_at(0)->name);
    kvl_plot_assign(plot->settings, "remark", remark);
    title_panel(plot->rows, &end_to_end, &factor, title, sizeof title);
    kvl_plot_assign(plot->settings, "y_title", title);
    kvl_plot_data_assign(&data, plot->settings);
    for (int s = 0; s < data.n_series; s++)
        write_stacked(plot->rows, &data, s, factor, plot->data);
    kvl_plot_data_free(&data);
    return KVL_OK;
}

const struct kvl_figure kvl_figure_latency = {
    .name = "latency",
    .title = "Prefill and decode latency",
    .script = "latency.gp",
    .kinds = KVL_KNOB_BENCH,
    .write = write_latency,
};

const struct kvl_figure kvl_figure_memory = {
    .name = "memory",
    .title = "Memory",
    .script = "memory.gp",
    .kinds = KVL_KNOB_EVAL | KVL_KNOB_BENCH,
    .write = write_memory,
};

const struct kvl_figure kvl_figure_e2e = {
    .name = "e2e",
    .title = "End-to-end latency",
    .script = "e2e.gp",
    .kinds = KVL_KNOB_BENCH,
    .write = write_e2e,
};
