#include "harness/analysis.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness/record_set.h"

int kvl_cut_param(const struct kvl_method *method)
{
    for (int i = 0; i < method->n_params; i++)
        if (method->params[i].cuts)
            return i;
    return -1;
}

int64_t kvl_default_bound(const struct kvl_shape *shape)
{
    return shape->n_layer >= 2 ? shape->n_layer / 2 - 1 : 0;
}

enum kvl_status kvl_analysis_record(const struct kvl_analysis_run *run, const char *analysis, const struct kvl_config *config,
                                    const struct kvl_prompt_source *source, json_t **out)
{
    KVL_TRY(kvl_workbench_record(run->bench, "analyze", config, out));
    json_object_set_new(*out, "analysis", json_string(analysis));
    if (source != NULL)
        kvl_prompt_source_describe(source, *out);
    return KVL_OK;
}

json_t *kvl_number_json(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

json_t *kvl_mean_json(double x)
{
    char text[32];
    snprintf(text, sizeof text, "%.7g", x);
    return isfinite(x) ? json_real(strtod(text, NULL)) : json_null();
}

void kvl_analysis_prompts(const json_t *record, char *label, size_t size)
{
    const char *task = kvl_record_text(record, "task"), *texts = kvl_record_text(record, "texts");
    const char *name = task != NULL ? task : texts != NULL ? texts : "";
    double context = kvl_record_number(record, "context");
    if (isnan(context))
        snprintf(label, size, "%.80s", name);
    else
        snprintf(label, size, "%.80s %.0f", name, context);
}
