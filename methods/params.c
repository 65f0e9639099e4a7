/* Resolving a method's parameters from profile, model and settings. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/nearest.h"
#include "methods/method.h"

static const char *const profile_names[KVL_N_PROFILES] = {"paper", "fastkv"};

const char *kvl_profile_name(enum kvl_profile profile)
{
    return profile_names[profile];
}

enum kvl_status kvl_profile_find(const char *name, enum kvl_profile *out)
{
    for (int i = 0; i < KVL_N_PROFILES; i++)
        if (strcmp(name, profile_names[i]) == 0) {
            *out = (enum kvl_profile)i;
            return KVL_OK;
        }
    return kvl_fail(KVL_E_ARG, "unknown profile '%s': use paper or fastkv", name);
}

void kvl_value_format(const struct kvl_param *param, union kvl_value value, char *text, size_t size)
{
    switch (param->type) {
    case KVL_PARAM_INT: snprintf(text, size, "%lld", (long long)value.i); break;
    case KVL_PARAM_REAL: snprintf(text, size, "%.10g", value.r); break;
    case KVL_PARAM_BOOL: snprintf(text, size, "%s", value.b ? "true" : "false"); break;
    case KVL_PARAM_CHOICE: snprintf(text, size, "%s", param->choices[value.i]); break;
    }
}

static const char *next_choice(const void *context, int i)
{
    return ((const struct kvl_param *)context)->choices[i];
}

static enum kvl_status parse_choice(const struct kvl_method *method, const struct kvl_param *param, const char *text,
                                    union kvl_value *value)
{
    char known[128] = "";
    size_t used = 0;
    for (int i = 0; param->choices[i] != NULL; i++) {
        if (strcmp(param->choices[i], text) == 0) {
            value->i = i;
            return KVL_OK;
        }
        if (used < sizeof known)
            used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i > 0 ? ", " : "", param->choices[i]);
    }
    const char *near = kvl_nearest(text, next_choice, param);
    return kvl_fail(KVL_E_ARG, "%s.%s=%s: use one of %s%s%s%s", method->name, param->name, text, known,
                    near != NULL ? " (did you mean " : "", near != NULL ? near : "", near != NULL ? "?)" : "");
}

static enum kvl_status parse_number(const struct kvl_method *method, const struct kvl_param *param, const char *text,
                                    union kvl_value *value)
{
    char *end = NULL;
    double number = strtod(text, &end);
    bool whole = param->type == KVL_PARAM_INT;
    if (*text == '\0' || end == text || *end != '\0' || !isfinite(number) || (whole && number != floor(number)))
        return kvl_fail(KVL_E_ARG, "%s.%s=%s: give %s between %g and %g", method->name, param->name, text,
                        whole ? "a whole number" : "a number", param->min, param->max);
    if (number < param->min || number > param->max)
        return kvl_fail(KVL_E_ARG, "%s.%s=%s is out of range: give %g to %g", method->name, param->name, text, param->min,
                        param->max);
    if (param->odd && (int64_t)number % 2 == 0)
        return kvl_fail(KVL_E_ARG, "%s.%s=%s: give an odd number", method->name, param->name, text);
    if (whole)
        value->i = (int64_t)number;
    else
        value->r = number;
    return KVL_OK;
}

static enum kvl_status parse(const struct kvl_method *method, const struct kvl_param *param, const char *text,
                             union kvl_value *value)
{
    if (param->type == KVL_PARAM_CHOICE)
        return parse_choice(method, param, text, value);
    if (param->type != KVL_PARAM_BOOL)
        return parse_number(method, param, text, value);
    bool yes = strcmp(text, "true") == 0 || strcmp(text, "1") == 0;
    if (!yes && strcmp(text, "false") != 0 && strcmp(text, "0") != 0)
        return kvl_fail(KVL_E_ARG, "%s.%s=%s: use true or false", method->name, param->name, text);
    value->b = yes;
    return KVL_OK;
}

static const char *next_param(const void *context, int i)
{
    const struct kvl_method *method = context;
    return i < method->n_params ? method->params[i].name : NULL;
}

static enum kvl_status apply(struct kvl_method_run *run, const struct kvl_setting *setting)
{
    const struct kvl_method *method = run->method;
    for (int i = 0; i < method->n_params; i++)
        if (strcmp(method->params[i].name, setting->param) == 0)
            return parse(method, &method->params[i], setting->value, &run->values[i]);
    const char *near = kvl_nearest(setting->param, next_param, method);
    return kvl_fail(KVL_E_ARG, "%s has no parameter '%s'%s%s%s; `kvlab list methods` shows them", method->name, setting->param,
                    near != NULL ? ": did you mean '" : "", near != NULL ? near : "", near != NULL ? "'?" : "");
}

void kvl_run_bind(struct kvl_method_run *run);

enum kvl_status kvl_method_init(struct kvl_method_run *run, const struct kvl_method *method, enum kvl_profile profile,
                                struct kvl_budget budget, const struct kvl_shape *shape, const struct kvl_setting *settings,
                                int n_settings)
{
    memset(run, 0, sizeof *run);
    run->method = method;
    run->profile = profile;
    KVL_REQUIRE(budget.rate == 0.0 || (budget.rate > 0.0 && budget.rate <= 1.0),
                "--kv-rate %g is out of range: give more than 0 and at most 1", budget.rate);
    KVL_REQUIRE(budget.budget >= 0, "--kv-budget %lld is out of range: give at least 1", (long long)budget.budget);
    KVL_REQUIRE(budget.rate == 0.0 || budget.budget == 0, "--kv-rate and --kv-budget contradict each other: give one");
    const struct kvl_budget own = method->default_budget[profile];
    bool has_budget = own.rate > 0.0 || own.budget > 0, given = budget.rate > 0.0 || budget.budget > 0;
    run->budget = !has_budget ? (struct kvl_budget){0} : given ? budget : own;
    for (int i = 0; i < method->n_params; i++) {
        const struct kvl_param *param = &method->params[i];
        run->values[i] = param->derive != NULL ? param->derive(shape, profile) : param->defaults[profile];
    }
    for (int i = 0; i < n_settings; i++)
        if (strcmp(settings[i].method, method->name) == 0)
            KVL_TRY(apply(run, &settings[i]));
    kvl_run_bind(run);
    return KVL_OK;
}
