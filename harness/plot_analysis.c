/* Figures overlap, recall and distance: what `analyze` measured, after figures 1a, 1b and 3 of FastKV, arXiv:2502.01068 v7. */
#include <math.h>
#include <string.h>

#include "harness/analysis.h"
#include "harness/plot_points.h"
#include "harness/statistics.h"

/* Places in the palette of style.gp. */
enum { HUE_FIRST_HALF = 1, HUE_SECOND_HALF = 4, HUE_TOPS = 4 };

/* The points of one record. */
typedef enum kvl_status (*add_record)(struct kvl_points *points, const struct kvl_plot *plot, const json_t *record);

/* Calls `add` for every record of an analysis that has a result. */
static enum kvl_status walk(const struct kvl_plot *plot, const char *analysis, struct kvl_points *points, add_record add)
{
    const struct kvl_record_set *set = plot->rows->set;
    for (int i = 0; i < set->n; i++) {
        const char *own = kvl_record_text(set->records[i], "analysis");
        if (plot->rows->group[i] >= 0 && own != NULL && strcmp(own, analysis) == 0
            && strcmp(kvl_record_text(set->records[i], "status"), "ok") == 0)
            KVL_TRY(add(points, plot, set->records[i]));
    }
    return KVL_OK;
}

/* The task, or the texts. */
static const char *prompts_of(const json_t *record)
{
    const char *task = kvl_record_text(record, "task"), *texts = kvl_record_text(record, "texts");
    return task != NULL ? task : texts != NULL ? texts : "";
}

/* What all records of an analysis have for prompts; NULL where they differ. */
static const char *common_prompts(const struct kvl_plot *plot, const char *analysis)
{
    const char *common = NULL;
    for (int i = 0; i < plot->rows->set->n; i++) {
        const json_t *record = plot->rows->set->records[i];
        const char *own = kvl_record_text(record, "analysis");
        if (own == NULL || strcmp(own, analysis) != 0)
            continue;
        if (common != NULL && strcmp(common, prompts_of(record)) != 0)
            return NULL;
        common = prompts_of(record);
    }
    return common;
}

static enum kvl_status draw(const struct kvl_plot *plot, const char *analysis, const char *remark, add_record add)
{
    struct kvl_points points = {0};
    char text[256];
    const char *prompts = common_prompts(plot, analysis);
    snprintf(text, sizeof text, "%.80s%s%s", prompts != NULL ? prompts : "", prompts != NULL ? "; " : "", remark);
    enum kvl_status status = walk(plot, analysis, &points, add);
    if (status == KVL_OK)
        status = kvl_points_write(&points, plot, text);
    kvl_points_free(&points);
    return status;
}

/* "2k tokens", with "needle/multi_key, " before it where records have different prompts. */
static void prompts_label(const struct kvl_plot *plot, const json_t *record, char *label, size_t size)
{
    double context = kvl_record_number(record, "context");
    const char *name = common_prompts(plot, kvl_record_text(record, "analysis")) == NULL ? prompts_of(record) : "";
    char tokens[40] = "whole texts";
    if (!isnan(context)) {
        kvl_context_format(context, tokens, sizeof tokens - 8);
        strcat(tokens, " tokens");
    }
    snprintf(label, size, "%.50s%s%s", name, name[0] != '\0' ? ", " : "", tokens);
}

/* "10 %" or "512". */
static void top_label(double top, char *label, size_t size)
{
    snprintf(label, size, top <= 1.0 ? "%.3g %%" : "%.0f", top <= 1.0 ? 100.0 * top : top);
}

static double order_of(const json_t *record, const char *key)
{
    double x = kvl_record_number(record, key);
    return isnan(x) ? 0.0 : x;
}

/* Value i of an array; NaN where it is null. */
static double item(const json_t *array, size_t i)
{
    const json_t *value = json_array_get(array, i);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

/* ---- overlap ---------------------------------------------------------------------------------------------------------- */

static enum kvl_status add_half(struct kvl_points *points, const json_t *record, const char *key, struct kvl_point point)
{
    const json_t *values = json_object_get(record, key);
    for (size_t d = 1; d < json_array_size(values); d++) {
        point.x = (double)d;
        point.y = 100.0 * item(values, d);
        if (!isnan(point.y))
            KVL_TRY(kvl_points_add(points, &point));
    }
    return KVL_OK;
}

static enum kvl_status add_overlap(struct kvl_points *points, const struct kvl_plot *plot, const json_t *record)
{
    char prompts[90], top[40];
    double first_late = kvl_record_number(record, "first_late_layer"), n_layer = kvl_record_number(record, "n_layer");
    double n_keys = kvl_record_number(record, "tokens_in_mean") - kvl_record_number(record, "window");
    struct kvl_point point = {.error = NAN, .hue = HUE_FIRST_HALF, .scale = 1};
    prompts_label(plot, record, prompts, sizeof prompts);
    top_label(kvl_record_number(record, "top"), top, sizeof top);
    snprintf(point.panel, sizeof point.panel, "%s: the top %s of the tokens", prompts, top);
    point.panel_order = order_of(record, "context") + order_of(record, "top") * 1e-6;
    point.level = 100.0 * kvl_record_number(record, "top_tokens_mean") / n_keys;
    snprintf(point.line, sizeof point.line, "from layers 0 to %.0f", first_late - 1);
    KVL_TRY(add_half(points, record, "overlap_by_distance_early", point));
    snprintf(point.line, sizeof point.line, "from layers %.0f to %.0f", first_late, n_layer - 1);
    point.hue = HUE_SECOND_HALF;
    point.line_order = 1;
    return add_half(points, record, "overlap_by_distance_late", point);
}

static enum kvl_status write_overlap(const struct kvl_plot *plot)
{
    return draw(plot, "overlap", "dashed: what two random choices would share", add_overlap);
}

/* ---- recall ----------------------------------------------------------------------------------------------------------- */

static enum kvl_status add_recall(struct kvl_points *points, const struct kvl_plot *plot, const json_t *record)
{
    const json_t *values = json_object_get(record, "recall"), *errors = json_object_get(record, "recall_stderr");
    struct kvl_point point = {.hue = HUE_TOPS, .panel_order = order_of(record, "context"), .level = NAN, .scale = 1};
    char top[40];
    prompts_label(plot, record, point.panel, sizeof point.panel);
    top_label(kvl_record_number(record, "top"), top, sizeof top);
    snprintf(point.line, sizeof point.line, "the top %s of the tokens", top);
    point.line_order = kvl_record_number(record, "top");
    for (size_t l = 0; l < json_array_size(values); l++) {
        point.x = (double)l;
        point.y = 100.0 * item(values, l);
        point.error = 100.0 * item(errors, l);
        KVL_TRY(kvl_points_add(points, &point));
    }
    return KVL_OK;
}

static enum kvl_status write_recall(const struct kvl_plot *plot)
{
    return draw(plot, "recall", "the shade is the standard error of the mean over prompts", add_recall);
}

/* ---- distance --------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *key, *samples, *title;
} distances[] = {{"hidden_l2", "hidden_l2_samples", "hidden state"}, {"logits_l2", "logits_l2_samples", "logits"}};
enum { N_DISTANCES = sizeof distances / sizeof *distances, MAX_SAMPLES = 4096 };

static int place_of(const char *name, const char **title)
{
    const struct kvl_method *method;
    int i;
    for (i = 0; (method = kvl_method_at(i)) != NULL; i++)
        if (strcmp(method->name, name) == 0)
            break;
    *title = method != NULL ? method->title : name;
    return i;
}

/* Whether a parameter differs between the records of a method, and is not the layer itself. */
static bool param_varies(const struct kvl_plot *plot, const json_t *record, const char *name, const json_t *value)
{
    const char *layer_param = kvl_record_text(record, "layer_param");
    if (layer_param != NULL && strcmp(name, layer_param) == 0)
        return false;
    for (int i = 0; i < plot->rows->set->n; i++) {
        const json_t *other = plot->rows->set->records[i];
        if (json_object_get(other, "layer_param") != NULL
            && kvl_record_same(json_object_get(other, "method"), json_object_get(record, "method"))
            && !kvl_record_same(json_object_get(json_object_get(other, "params"), name), value))
            return true;
    }
    return false;
}

/* "FastKV, KV rate 0.2", and the parameters that tell lines apart. */
static void method_label(const struct kvl_plot *plot, const json_t *record, const char *title, char *label, size_t size)
{
    double rate = kvl_record_number(record, "kv_rate"), budget = kvl_record_number(record, "kv_budget");
    const char *name;
    json_t *value;
    size_t n = (size_t)snprintf(label, size, isnan(rate) ? "%.40s, KV budget %.10g" : "%.40s, KV rate %.10g", title,
                                isnan(rate) ? budget : rate);
    json_object_foreach (json_object_get(record, "params"), name, value) {
        char text[64];
        if (n >= size || !param_varies(plot, record, name, value))
            continue;
        kvl_knob_format(value, text, sizeof text);
        n += (size_t)snprintf(label + n, size - n, ", %.40s %s", name, text);
    }
}

static double error_of(const json_t *samples)
{
    double values[MAX_SAMPLES];
    int n = 0;
    for (size_t i = 0; i < json_array_size(samples) && n < MAX_SAMPLES; i++)
        values[n++] = item(samples, i);
    return kvl_standard_error(values, n);
}

static enum kvl_status add_distance(struct kvl_points *points, const struct kvl_plot *plot, const json_t *record)
{
    const char *title;
    char prompts[100];
    struct kvl_point point = {.x = kvl_record_number(record, "layer"), .level = NAN};
    point.hue = place_of(kvl_record_text(record, "method"), &title);
    point.line_order = point.hue;
    method_label(plot, record, title, point.line, sizeof point.line);
    prompts_label(plot, record, prompts, sizeof prompts);
    for (int d = 0; d < N_DISTANCES; d++) {
        snprintf(point.panel, sizeof point.panel, "%s: %s", prompts, distances[d].title);
        point.scale = d + 1;
        point.panel_order = d * 1e9 + order_of(record, "context");
        point.y = kvl_record_number(record, distances[d].key);
        point.error = error_of(json_object_get(record, distances[d].samples));
        KVL_TRY(kvl_points_add(points, &point));
    }
    return KVL_OK;
}

static enum kvl_status write_distance(const struct kvl_plot *plot)
{
    return draw(plot, "distance",
                "of the last token, relative to the full cache's length; the shade is the standard error over prompts", add_distance);
}

const struct kvl_figure kvl_figure_overlap = {
    .name = "overlap",
    .title = "Top tokens that two layers share",
    .script = "overlap.gp",
    .kinds = KVL_KNOB_ANALYZE,
    .write = write_overlap,
};

const struct kvl_figure kvl_figure_recall = {
    .name = "recall",
    .title = "Attention that the top tokens hold",
    .script = "recall.gp",
    .kinds = KVL_KNOB_ANALYZE,
    .write = write_recall,
};

const struct kvl_figure kvl_figure_distance = {
    .name = "distance",
    .title = "Distance from the full cache by the layer that cuts",
    .script = "distance.gp",
    .kinds = KVL_KNOB_ANALYZE,
    .write = write_distance,
};
