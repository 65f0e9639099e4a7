/* `kvlab analyze overlap|recall|distance|tsp-layer MODEL`: the measurements that a layer to cut at is chosen by. */
#include <stdio.h>
#include <stdlib.h>

#include "core/nearest.h"
#include "harness/analysis.h"
#include "harness/command.h"

static const struct kvl_analysis *const analyses[] = {&kvl_analysis_overlap, &kvl_analysis_recall, &kvl_analysis_distance,
                                                      &kvl_analysis_tsp_layer};
enum { N_ANALYSES = sizeof analyses / sizeof *analyses };

static const char *analysis_name(const void *context, int i)
{
    (void)context;
    return i < (int)N_ANALYSES ? analyses[i]->name : NULL;
}

static enum kvl_status find_analysis(const char *name, const struct kvl_analysis **out)
{
    for (int i = 0; i < (int)N_ANALYSES; i++)
        if (strcmp(analyses[i]->name, name) == 0) {
            *out = analyses[i];
            return KVL_OK;
        }
    const char *near = kvl_nearest(name, analysis_name, NULL);
    if (near != NULL)
        return kvl_fail(KVL_E_ARG, "unknown analysis '%.100s': did you mean '%s'?", name, near);
    return kvl_fail(KVL_E_ARG, "unknown analysis '%.100s': overlap, recall, distance or tsp-layer", name);
}

/* ---- what goes together ------------------------------------------------------------------------------------------------ */

/* A given option that this analysis does not read would be ignored in silence. */
static enum kvl_status refuse_foreign(const struct kvl_analysis *analysis, const struct kvl_options *o)
{
    const struct {
        const char *option;
        bool given, fits;
    } rows[] = {
        {"--top", o->tops.n > 0, !analysis->cuts},
        {"--window", o->window >= 0, !analysis->cuts},
        {"--method", o->methods.n > 0, analysis->cuts},
        {"--set", o->n_settings > 0, analysis->cuts},
        {"--kv-rate", o->kv_rates.n > 0, analysis->cuts},
        {"--kv-budget", o->kv_budgets.n > 0, analysis->cuts},
        {"--profile", o->profiles.n > 0, analysis->cuts},
        {"--layer", o->layers.n > 0, analysis->cuts && !analysis->bounded},
        {"--bound", o->bound >= 0, analysis->bounded},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        KVL_REQUIRE(!rows[i].given || rows[i].fits, "analyze %s does not take %s", analysis->name, rows[i].option);
    return KVL_OK;
}

static enum kvl_status check(const struct kvl_analysis *analysis, const struct kvl_options *o)
{
    KVL_TRY(refuse_foreign(analysis, o));
    KVL_REQUIRE(o->tasks.n > 0 || o->texts != NULL, "analyze needs --task, or --texts with a file or folder of your own");
    KVL_REQUIRE(o->tasks.n == 0 || o->texts == NULL, "--task and --texts contradict each other: give one");
    KVL_REQUIRE(o->texts != NULL || o->contexts.n > 0, "--task needs --context: the prompt's tokens, such as 1k,2k");
    KVL_REQUIRE(!o->resume || o->output != NULL, "--resume needs -o FILE: the file to go on with");
    return KVL_OK;
}

/* ---- the grid ---------------------------------------------------------------------------------------------------------- */

/* The user's options with what the model makes of them: the methods, and every layer as a setting. */
struct resolved {
    struct kvl_options options; /* the lists below are its own */
    struct kvl_words methods;
    struct kvl_words layers;    /* as text */
    struct kvl_set_option *settings;
};

static enum kvl_status resolve_layers(struct resolved *resolved, const struct kvl_analysis *analysis, int64_t n_layer,
                                      int64_t bound)
{
    const struct kvl_reals *given = &resolved->options.layers;
    int64_t n = given->n > 0 ? given->n : analysis->bounded ? bound + 1 : n_layer;
    for (int64_t i = 0; i < n; i++) {
        char text[32];
        int64_t layer = given->n > 0 ? (int64_t)given->items[i] : i;
        KVL_REQUIRE(layer < n_layer, "%s %lld: the model has layers 0 to %lld", analysis->bounded ? "--bound" : "--layer",
                    (long long)(analysis->bounded ? bound : layer), (long long)n_layer - 1);
        snprintf(text, sizeof text, "%lld", (long long)layer);
        KVL_TRY(kvl_words_parse("--layer", text, &resolved->layers));
    }
    return KVL_OK;
}

/* Whether a method sends chosen tokens on, rather than begin again with them: what a TSP layer is a layer of. */
static bool sends_on(const struct kvl_method *method, const struct kvl_shape *shape)
{
    struct kvl_method_run *run = aligned_alloc(_Alignof(struct kvl_method_run), sizeof *run);
    struct kvl_plan *plan = malloc(sizeof *plan);
    bool fits = run != NULL && plan != NULL
                && kvl_method_init(run, method, KVL_PROFILE_DEFAULT, (struct kvl_budget){0}, shape, NULL, 0) == KVL_OK
                && kvl_plan_make(plan, &run->policy, shape, shape->n_context, 0) == KVL_OK && plan->restart_layer < 0;
    free(plan);
    free(run);
    return fits;
}

/* Without --method: all that cut at a layer; for the layer search those that send tokens on. */
static enum kvl_status resolve_methods(struct resolved *resolved, const struct kvl_analysis *analysis,
                                       const struct kvl_shape *shape)
{
    const struct kvl_words *given = &resolved->options.methods;
    const struct kvl_method *method;
    if (!analysis->cuts)
        return kvl_words_parse("--method", kvl_method_at(0)->name, &resolved->methods);
    for (int i = 0; i < given->n; i++) {
        KVL_TRY(kvl_method_find(given->items[i], &method));
        KVL_REQUIRE(kvl_cut_param(method) >= 0, "--method %s: it cuts at no layer, so there is none to compare", method->name);
        KVL_TRY(kvl_words_parse("--method", method->name, &resolved->methods));
    }
    for (int i = 0; given->n == 0 && (method = kvl_method_at(i)) != NULL; i++)
        if (kvl_cut_param(method) >= 0 && (!analysis->bounded || sends_on(method, shape)))
            KVL_TRY(kvl_words_parse("--method", method->name, &resolved->methods));
    return KVL_OK;
}

/* A method's layers as one more --set; the user's own settings go before. */
static enum kvl_status resolve_settings(struct resolved *resolved)
{
    struct kvl_options *o = &resolved->options;
    const struct kvl_set_option *given = o->settings;
    int n_given = o->n_settings;
    resolved->settings = calloc((size_t)(n_given + resolved->methods.n), sizeof *resolved->settings);
    if (resolved->settings == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for the settings");
    for (int i = 0; i < n_given; i++)
        resolved->settings[i] = given[i];
    for (int m = 0; m < resolved->methods.n; m++) {
        const struct kvl_method *method;
        KVL_TRY(kvl_method_find(resolved->methods.items[m], &method));
        const char *param = method->params[kvl_cut_param(method)].name;
        for (int i = 0; i < n_given; i++)
            KVL_REQUIRE(strcmp(given[i].method, method->name) != 0 || strcmp(given[i].param, param) != 0,
                        "--set %s.%s: the analysis goes through the layers itself; use --layer or --bound", method->name, param);
        resolved->settings[n_given + m] = (struct kvl_set_option){(char *)(uintptr_t)method->name, (char *)(uintptr_t)param,
                                                                  resolved->layers};
    }
    o->settings = resolved->settings;
    o->n_settings = n_given + resolved->methods.n;
    return KVL_OK;
}

static enum kvl_status resolve(struct resolved *resolved, const struct kvl_analysis *analysis, const struct kvl_options *options,
                               const struct kvl_shape *shape)
{
    *resolved = (struct resolved){.options = *options};
    KVL_TRY(resolve_methods(resolved, analysis, shape));
    resolved->options.methods = resolved->methods;
    if (!analysis->cuts)
        return KVL_OK;
    KVL_TRY(resolve_layers(resolved, analysis, shape->n_layer, options->bound >= 0 ? options->bound : kvl_default_bound(shape)));
    return resolve_settings(resolved);
}

static void resolved_free(struct resolved *resolved)
{
    kvl_words_free(&resolved->methods);
    kvl_words_free(&resolved->layers);
    free(resolved->settings);
}

/* ---- the prompts ------------------------------------------------------------------------------------------------------- */

/* Every task at every context, or the texts at every context (or whole). */
static enum kvl_status list_sources(const struct kvl_workbench *bench, const struct kvl_texts *texts,
                                    struct kvl_prompt_source **sources, int *n)
{
    const struct kvl_options *o = bench->options;
    int n_contexts = o->contexts.n > 0 ? o->contexts.n : 1, n_prompts = texts->n > 0 ? 1 : o->tasks.n;
    *n = 0;
    *sources = calloc((size_t)(n_contexts * n_prompts), sizeof **sources);
    if (*sources == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for a list of prompts");
    for (int c = 0; c < n_contexts; c++)
        for (int p = 0; p < n_prompts; p++) {
            struct kvl_prompt_source *source = &(*sources)[(*n)++];
            *source = (struct kvl_prompt_source){.bench = bench, .n_samples = o->n_samples};
            source->n_context = o->contexts.n > 0 ? (int64_t)o->contexts.items[c] : 0;
            source->texts = texts->n > 0 ? texts : NULL;
            if (texts->n > 0 && texts->n < o->n_samples)
                source->n_samples = texts->n;
            if (texts->n == 0)
                KVL_TRY(kvl_task_find(o->tasks.items[p], &source->task));
        }
    return KVL_OK;
}

/* Whether a prompt of n tokens can be analysed: by every configuration, and behind the window that observes. */
static enum kvl_status check_length(const struct kvl_workbench *bench, const struct kvl_analysis *analysis,
                                    const struct kvl_grid *grid, int64_t n)
{
    int64_t window = bench->options->window >= 0 ? bench->options->window : KVL_DEFAULT_WINDOW;
    for (int c = 0; c < grid->n; c++)
        KVL_TRY(kvl_config_check(&grid->configs[c], &bench->model->shape, n, 0));
    KVL_REQUIRE(analysis->cuts || window < n, "--window %lld: a prompt has %lld tokens; give fewer, or 0 for all rows",
                (long long)window, (long long)n);
    return KVL_OK;
}

/* Before any work: each task's first prompt, and every text. */
static enum kvl_status check_sources(const struct kvl_prompt_source *sources, int n, const struct kvl_analysis *analysis,
                                     const struct kvl_grid *grid)
{
    for (int s = 0; s < n; s++)
        for (int64_t i = 0; i < (sources[s].texts != NULL ? sources[s].n_samples : 1); i++) {
            struct kvl_ids ids = {0};
            enum kvl_status status = kvl_prompt_source_ids(&sources[s], i, &ids);
            if (status == KVL_OK)
                status = check_length(sources[s].bench, analysis, grid, ids.n);
            kvl_ids_free(&ids);
            KVL_TRY(status);
        }
    return KVL_OK;
}

/* ---- running ----------------------------------------------------------------------------------------------------------- */

static enum kvl_status run_all(const struct kvl_analysis *analysis, const struct kvl_workbench *bench, const struct kvl_grid *grid,
                               const struct kvl_texts *texts)
{
    struct kvl_prompt_source *sources = NULL;
    struct kvl_sink sink = {0};
    struct kvl_progress progress;
    struct kvl_analysis_run run = {.bench = bench, .grid = grid, .sink = &sink, .progress = &progress};
    enum kvl_status status;
    KVL_TRY_OUT(list_sources(bench, texts, &sources, &run.n_sources));
    KVL_TRY_OUT(check_sources(sources, run.n_sources, analysis, grid));
    KVL_TRY_OUT(kvl_sink_init(&sink, bench->options));
    sink.print = analysis->print;
    run.sources = sources;
    KVL_TRY_OUT(analysis->run(&run));
    KVL_TRY_OUT(kvl_sink_finish(&sink));
out:
    kvl_sink_free(&sink);
    free(sources);
    return status;
}

static enum kvl_status run_on_model(const struct kvl_analysis *analysis, const struct kvl_options *options)
{
    struct kvl_workbench bench = {0};
    struct kvl_grid grid = {0};
    struct kvl_texts texts = {0};
    struct resolved resolved = {0};
    enum kvl_status status;
    if (options->texts != NULL)
        KVL_TRY(kvl_texts_init(&texts, options->texts));
    KVL_TRY_OUT(kvl_workbench_init(&bench, options, true));
    KVL_TRY_OUT(resolve(&resolved, analysis, options, &bench.model->shape));
    bench.options = &resolved.options;
    KVL_TRY_OUT(kvl_grid_init(&grid, &resolved.options, &bench.model->shape));
    KVL_TRY_OUT(run_all(analysis, &bench, &grid, &texts));
out:
    kvl_grid_free(&grid);
    kvl_workbench_free(&bench);
    resolved_free(&resolved);
    kvl_texts_free(&texts);
    return status;
}

/* The model is what stands behind the analysis. */
static enum kvl_status run(const struct kvl_options *options)
{
    const struct kvl_analysis *analysis = NULL;
    KVL_TRY(find_analysis(options->positional.items[0], &analysis));
    KVL_TRY(check(analysis, options));
    struct kvl_options own = *options;
    own.positional = (struct kvl_words){options->positional.items + 1, options->positional.n - 1};
    return run_on_model(analysis, &own);
}

const struct kvl_command kvl_command_analyze = {
    .name = "analyze",
    .arguments = "overlap|recall|distance|tsp-layer MODEL",
    .help = "What layers look at, and where a method may cut.",
    .min_positional = 2,
    .max_positional = 2,
    .keys = "tcn\x80\x81\x82\x83\x84" "mrbPSsoRJeBdjICMN",
    .run = run,
};
