#include "harness/grid.h"

#include <stdio.h>
#include <stdlib.h>

static bool same(const struct kvl_config *a, const struct kvl_config *b)
{
    if (a->method != b->method || a->profile != b->profile || a->run->budget.rate != b->run->budget.rate
        || a->run->budget.budget != b->run->budget.budget)
        return false;
    return memcmp(a->run->values, b->run->values, sizeof a->run->values) == 0;
}

static enum kvl_status add(struct kvl_grid *grid, const struct kvl_config *config, const struct kvl_shape *shape)
{
    KVL_REQUIRE(grid->n < KVL_MAX_CONFIGS, "the lists make more than %d configurations: give shorter ones", KVL_MAX_CONFIGS);
    if (grid->n == grid->n_allocated) {
        int n = grid->n_allocated > 0 ? 2 * grid->n_allocated : 16;
        struct kvl_config *configs = realloc(grid->configs, (size_t)n * sizeof *configs);
        if (configs == NULL)
            return kvl_fail(KVL_E_OOM, "no memory for %d configurations", n);
        grid->configs = configs;
        grid->n_allocated = n;
    }
    struct kvl_config *last = &grid->configs[grid->n];
    *last = *config;
    last->run = aligned_alloc(_Alignof(struct kvl_method_run), sizeof *last->run);
    if (last->run == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for a configuration");
    enum kvl_status status = kvl_method_init(last->run, config->method, config->profile, config->budget, shape,
                                             config->settings, config->n_settings);
    bool known = false;
    for (int i = 0; i < grid->n && status == KVL_OK && !known; i++)
        known = same(&grid->configs[i], last);
    if (status != KVL_OK || known) {
        free(last->run);
        return status;
    }
    grid->n++;
    return KVL_OK;
}

/* Walks the values of the settings from `index` on. */
static enum kvl_status add_settings(struct kvl_grid *grid, const struct kvl_options *options, const struct kvl_shape *shape,
                                    const struct kvl_config *config, int index)
{
    if (index == options->n_settings)
        return add(grid, config, shape);
    const struct kvl_set_option *set = &options->settings[index];
    if (strcmp(set->method, config->method->name) != 0)
        return add_settings(grid, options, shape, config, index + 1);
    KVL_REQUIRE(config->n_settings < KVL_MAX_SETTINGS, "more than %d times --set for %s", KVL_MAX_SETTINGS, set->method);
    for (int i = 0; i < set->values.n; i++) {
        struct kvl_config next = *config;
        next.settings[next.n_settings++] = (struct kvl_setting){set->method, set->param, set->values.items[i]};
        KVL_TRY(add_settings(grid, options, shape, &next, index + 1));
    }
    return KVL_OK;
}

static enum kvl_status add_budgets(struct kvl_grid *grid, const struct kvl_options *options, const struct kvl_shape *shape,
                                   struct kvl_config config)
{
    if (options->kv_rates.n + options->kv_budgets.n == 0)
        return add_settings(grid, options, shape, &config, 0);
    for (int i = 0; i < options->kv_rates.n; i++) {
        config.budget = (struct kvl_budget){.rate = options->kv_rates.items[i]};
        KVL_TRY(add_settings(grid, options, shape, &config, 0));
    }
    for (int i = 0; i < options->kv_budgets.n; i++) {
        config.budget = (struct kvl_budget){.budget = (int64_t)options->kv_budgets.items[i]};
        KVL_TRY(add_settings(grid, options, shape, &config, 0));
    }
    return KVL_OK;
}

static enum kvl_status check_settings(const struct kvl_options *options)
{
    for (int i = 0; i < options->n_settings; i++) {
        bool used = false;
        for (int j = 0; j < options->methods.n && !used; j++)
            used = strcmp(options->settings[i].method, options->methods.items[j]) == 0;
        KVL_REQUIRE(used, "--set %s.%s: %s is not among the methods of this run; add it to --method or leave the setting out",
                    options->settings[i].method, options->settings[i].param, options->settings[i].method);
    }
    return KVL_OK;
}

static enum kvl_status fill(struct kvl_grid *grid, const struct kvl_options *options, const struct kvl_shape *shape)
{
    KVL_TRY(check_settings(options));
    for (int m = 0; m < options->methods.n; m++)
        for (int p = 0; p < (options->profiles.n > 0 ? options->profiles.n : 1); p++) {
            struct kvl_config config = {.profile = KVL_PROFILE_DEFAULT};
            KVL_TRY(kvl_method_find(options->methods.items[m], &config.method));
            if (options->profiles.n > 0)
                KVL_TRY(kvl_profile_find(options->profiles.items[p], &config.profile));
            KVL_TRY(add_budgets(grid, options, shape, config));
        }
    return KVL_OK;
}

enum kvl_status kvl_grid_init(struct kvl_grid *grid, const struct kvl_options *options, const struct kvl_shape *shape)
{
    *grid = (struct kvl_grid){0};
    enum kvl_status status = fill(grid, options, shape);
    if (status != KVL_OK)
        kvl_grid_free(grid);
    return status;
}

enum kvl_status kvl_grid_init_reference(struct kvl_grid *grid, const struct kvl_shape *shape)
{
    *grid = (struct kvl_grid){0};
    return add(grid, &(struct kvl_config){.method = kvl_method_at(0), .profile = KVL_PROFILE_DEFAULT}, shape);
}

void kvl_grid_free(struct kvl_grid *grid)
{
    for (int i = 0; i < grid->n; i++)
        free(grid->configs[i].run);
    free(grid->configs);
    *grid = (struct kvl_grid){0};
}

enum kvl_status kvl_config_check(const struct kvl_config *config, const struct kvl_shape *shape, int64_t n, int64_t n_new)
{
    struct kvl_plan *plan = malloc(sizeof *plan);
    if (plan == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for a plan");
    enum kvl_status status = kvl_plan_make(plan, &config->run->policy, shape, n, n_new);
    free(plan);
    return status;
}

void kvl_config_label(const struct kvl_config *config, char *text, size_t size)
{
    const struct kvl_budget *budget = &config->run->budget;
    if (budget->budget > 0)
        snprintf(text, size, "%s c=%lld", config->method->name, (long long)budget->budget);
    else if (budget->rate > 0.0)
        snprintf(text, size, "%s r=%g", config->method->name, budget->rate);
    else
        snprintf(text, size, "%s", config->method->name);
}
