/* Figures: drawn in every format where gnuplot is at hand, and what is refused. */
#include <sys/stat.h>

#include "harness/command.h"
#include "harness/plot.h"
#include "tests/harness/made_up.h"
#include "tests/support/skipping.h"

static enum kvl_status run(const char *figure, const char *input, const char *output)
{
    char *words[] = {(char *)figure, (char *)input};
    const struct kvl_options options = {.positional = {words, 2}, .output = output};
    return kvl_command_plot.run(&options);
}

/* One record of each analysis of a model of four layers. */
static void add_analyses(const char *path)
{
    static const char *const common = "{s:s, s:s, s:i, s:i, s:f, s:f}";
    json_t *overlap = made_up_record("analyze", "full", NAN, 1024), *recall = made_up_record("analyze", "full", NAN, 1024);
    json_object_update_new(overlap, json_pack(common, "analysis", "overlap", "task", "needle/multi_key", "n_layer", 4, "window", 8,
                                              "top", 0.1, "tokens_in_mean", 1020.0));
    json_object_update_new(overlap, json_pack("{s:f, s:i, s:[fffn], s:[ffnn]}", "top_tokens_mean", 102.0, "first_late_layer", 2,
                                              "overlap_by_distance_early", 1.0, 0.5, 0.25, "overlap_by_distance_late", 1.0, 0.75));
    json_object_update_new(recall, json_pack(common, "analysis", "recall", "task", "needle/multi_key", "n_layer", 4, "window", 8,
                                             "top", 512.0, "tokens_in_mean", 1020.0));
    json_object_update_new(recall, json_pack("{s:[ffff], s:[nfff]}", "recall", 0.25, 0.5, 0.75, 0.875, "recall_stderr", 0.1, 0.1,
                                             0.0));
    json_object_set_new(overlap, "config_key", json_string("overlap"));
    json_object_set_new(recall, "config_key", json_string("recall"));
    made_up_append(path, overlap);
    made_up_append(path, recall);
    for (int layer = 0; layer < 4; layer++) {
        json_t *record = made_up_record("analyze", layer % 2 == 0 ? "fastkv" : "gemfilter", 0.2, 1024);
        json_object_update_new(record, json_pack("{s:s, s:s, s:i, s:s, s:f, s:[ff], s:f, s:[f]}", "analysis", "distance", "task",
                                                 "needle/multi_key", "layer", layer, "layer_param", "layer", "hidden_l2", 0.5,
                                                 "hidden_l2_samples", 0.25, 0.75, "logits_l2", 0.1, "logits_l2_samples", 0.1));
        json_object_set_new(record, "config_key", json_sprintf("distance %d", layer));
        made_up_append(path, record);
    }
}

static const char *input(void)
{
    const char *path = made_up_path("plot.jsonl");
    made_up_write(path, "");
    made_up_main_job(path);
    add_analyses(path);
    return path;
}

/* A folder for outputs and temporary files, whose content is counted. */
static const char *out_folder(void)
{
    static char folder[300];
    if (folder[0] == '\0') {
        snprintf(folder, sizeof folder, "%s", made_up_path("out"));
        mkdir(folder, 0777);
        setenv("TMPDIR", folder, 1);
    }
    return folder;
}

static const char *out_path(const char *name)
{
    static char path[400];
    snprintf(path, sizeof path, "%s/%s", out_folder(), name);
    return path;
}

static int n_files(void)
{
    DIR *folder = opendir(out_folder());
    assert_non_null(folder);
    int n = 0;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(folder);
    return n;
}

static bool has_gnuplot(void)
{
    return system("command -v gnuplot >/dev/null 2>&1") == 0;
}

static void assert_refused(enum kvl_status got, enum kvl_status expected, const char *sentence)
{
    if (got != expected || strstr(kvl_last_error(), sentence) == NULL)
        fail_msg("status %d, \"%s\", and not %d with \"%s\"", got, kvl_last_error(), expected, sentence);
    assert_int_equal(n_files(), 0);
}

/* ---- what is drawn ---------------------------------------------------------------------------------------------------- */

static void assert_drawn(const char *figure, const char *records, const char *name, const char *magic)
{
    char path[400], head[16] = "";
    snprintf(path, sizeof path, "%s", out_path(name));
    assert_ok(run(figure, records, path));
    assert_int_equal(n_files(), 1); /* no temporary file is left */
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fread(head, 1, sizeof head - 1, file), sizeof head - 1);
    fseek(file, 0, SEEK_END);
    assert_true(ftell(file) > 5000);
    fclose(file);
    assert_memory_equal(head, magic, strlen(magic));
    assert_int_equal(unlink(path), 0);
}

/* Each figure from the records that it is about. */
static const char *records_of(const char *figure)
{
    static const struct {
        const char *figure;
        void (*write)(const char *path);
    } writers[] = {{"accuracy-tsp-rate", made_up_tsp_job}, {"tsp-grid", made_up_tsp_job}, {"needle", made_up_needle_job},
                   {"overlap", add_analyses}, {"recall", add_analyses}, {"distance", add_analyses}};
    const char *path = made_up_path("of_figure.jsonl");
    made_up_write(path, "");
    for (size_t i = 0; i < sizeof writers / sizeof *writers; i++)
        if (strcmp(writers[i].figure, figure) == 0) {
            writers[i].write(path);
            return path;
        }
    made_up_main_job(path);
    return path;
}

static void every_figure_in_every_format(void **state)
{
    (void)state;
    if (!has_gnuplot())
        skip_because("gnuplot is not installed");
    const struct kvl_figure *figure;
    int i;
    for (i = 0; (figure = kvl_figure_at(i)) != NULL; i++) {
        assert_drawn(figure->name, records_of(figure->name), "a figure's.png", "\x89PNG\r\n");
        assert_drawn(figure->name, records_of(figure->name), "figure.SVG", "<?xml");
        assert_drawn(figure->name, records_of(figure->name), "figure.pdf", "%PDF-");
    }
    assert_int_equal(i, 12);
}

/* Every figure names what it shows, the model and the commit. */
static void titles(void **state)
{
    (void)state;
    if (!has_gnuplot())
        skip_because("gnuplot is not installed");
    const struct kvl_figure *figure;
    for (int i = 0; (figure = kvl_figure_at(i)) != NULL; i++) {
        char title[200];
        snprintf(title, sizeof title, "%s: Tiny-1M", figure->title);
        assert_ok(run(figure->name, records_of(figure->name), out_path("title.svg")));
        char *svg = made_up_read(out_path("title.svg"));
        if (strstr(svg, title) == NULL || strstr(svg, "kvlab 0123456789") == NULL)
            fail_msg("%s lacks its title, model or commit", figure->name);
        free(svg);
    }
    assert_int_equal(unlink(out_path("title.svg")), 0);
}

/* ---- the data that gnuplot is given ----------------------------------------------------------------------------------- */

/* Runs a figure with a program in gnuplot's place that keeps the settings and the data; both malloc'd. */
static void catch_data(const char *figure, const char *records, char **settings, char **data)
{
    char *path = strdup(getenv("PATH")), program[300], text[1200];
    snprintf(program, sizeof program, "%s", made_up_path("gnuplot"));
    snprintf(text, sizeof text,
             "#!/bin/sh\nPATH='%s'\nprintf '%%s' \"$3\" >'%s'\n"
             "data=${3#*data=\\'}; cp \"${data%%%%\\'*}\" '%s'\n"
             "output=${3#*output=\\'}; printf IEND >\"${output%%%%\\'*}\"\n",
             path, made_up_path("settings"), made_up_path("data"));
    made_up_write(program, text);
    assert_int_equal(chmod(program, 0755), 0);
    char both[1024];
    snprintf(both, sizeof both, "%s:%s", made_up_folder(), path);
    setenv("PATH", both, 1);
    assert_ok(run(figure, records, out_path("caught.png")));
    setenv("PATH", path, 1);
    free(path);
    assert_int_equal(unlink(program), 0);
    assert_int_equal(unlink(out_path("caught.png")), 0);
    *settings = made_up_read(made_up_path("settings"));
    *data = made_up_read(made_up_path("data"));
}

/* Each line of `parts` must be in the settings; the data must be exactly `expected`. */
static void assert_given(const char *figure, const char *records, const char *const *parts, const char *expected)
{
    char *settings, *data;
    catch_data(figure, records, &settings, &data);
    for (; *parts != NULL; parts++)
        if (strstr(settings, *parts) == NULL)
            fail_msg("%s: no %s in %s", figure, *parts, settings);
    if (strcmp(data, expected) != 0)
        fail_msg("%s: the data are\n%s\nand not\n%s", figure, data, expected);
    free(settings);
    free(data);
}

static const char *empty_records(void)
{
    static char path[300];
    snprintf(path, sizeof path, "%s", made_up_path("given.jsonl"));
    made_up_write(path, "");
    return path;
}

static json_t *timed(const char *method, double rate, int context, double prefill, double decode, double e2e)
{
    json_t *record = made_up_bench(method, rate, context, prefill, decode);
    json_object_set_new(record, "e2e_median_ns", json_real(1e6 * e2e));
    return record;
}

static void data_of_accuracy(void **state)
{
    (void)state;
    const char *path = empty_records();
    made_up_append(path, made_up_eval("full", NAN, 1024, "needle/vt", 0.75, 0.125));
    made_up_append(path, made_up_eval("snapkv", 0.2, 1024, "needle/vt", 0.5, 0.0625));
    made_up_append(path, made_up_eval("snapkv", 0.1, 1024, "needle/vt", 0.25, NAN));
    made_up_append(path, made_up_eval("snapkv", 0.1, 2048, "other/x", 1, 0)); /* a family of its own: a panel */
    json_t *fidelity = made_up_eval("snapkv", 0.1, 1024, "fidelity/text", 0.5, 0); /* no score: neither drawn nor named */
    json_object_set_new(fidelity, "kl_mean", json_real(0.25));
    made_up_append(path, fidelity);
    static const char *const parts[] = {"x_title='KV rate';", "y_title='Score (%)';",
                                        "remark='needle/vt, other/x; with the standard error of the mean';", "ticks[1]=0.1;ticks[2]=0.2;", "n_references=1;",
                                        "groups[1]='needle, 1k tokens';", "groups[2]='other, 2k tokens';", NULL};
    assert_given("accuracy-kv-rate", path, parts,
                 "NaN\t75\t12.5\n\n\n0.1\t25\t0\n0.2\t50\t6.25\n\n\nNaN\tNaN\tNaN\n\n\n0.1\t100\t0\n\n\n");
}

/* One line per KV rate, the parameter on the axis not in its name. */
static void data_of_tsp_rate(void **state)
{
    (void)state;
    const char *path = empty_records();
    for (int rate = 1; rate <= 2; rate++)
        for (int tsp = 1; tsp <= 2; tsp++)
            made_up_append(path, made_up_with(made_up_eval("fastkv", 0.1 * rate, 1024, "needle/vt", 0.25 * rate + 0.125 * tsp, 0.01),
                                              "params", json_pack("{s:f, s:i}", "tsp_rate", 0.2 * tsp, "tsp_layer", 15)));
    static const char *const parts[] = {"x_title='TSP rate';", "series[1]='FastKV, KV rate 0.1';", "series[2]='FastKV, KV rate 0.2';",
                                        "n_references=0;", NULL};
    assert_given("accuracy-tsp-rate", path, parts, "0.2\t37.5\t1\n0.4\t50\t1\n\n\n0.2\t62.5\t1\n0.4\t75\t1\n\n\n");
}

static void data_of_tsp_grid(void **state)
{
    (void)state;
    const char *path = empty_records();
    for (int layer = 5; layer <= 10; layer += 5)
        for (int tsp = 1; tsp <= 2; tsp++)
            if (layer == 5 || tsp == 1) /* a cell of the grid is missing */
                made_up_append(path, made_up_with(made_up_eval("fastkv", 0.1, 1024, "needle/vt", 0.05 * layer + 0.125 * tsp, 0.01),
                                                  "params", json_pack("{s:f, s:i}", "tsp_rate", 0.2 * tsp, "tsp_layer", layer)));
    static const char *const parts[] = {"x_labels[1]='5';x_labels[2]='10';", "y_labels[1]='0.2';y_labels[2]='0.4';",
                                        "panels[1]='FastKV, KV rate 0.1; 1k tokens';", "n_panels=1;", NULL};
    assert_given("tsp-grid", path, parts, "0\t0\t37.5\n1\t0\t62.5\n0\t1\t50\n1\t1\tNaN\n\n\n");
}

static void data_of_latency(void **state)
{
    (void)state;
    const char *path = empty_records();
    made_up_append(path, timed("full", NAN, 1024, 1000, 20, 1620));
    made_up_append(path, timed("fastkv", 0.1, 1024, 500, 10, 810));
    static const char *const parts[] = {"panels[1]='Prefill (ms)';column_of[1]=2;panels[2]='Decode (ms/token)';column_of[2]=6;",
                                        "series[2]='FastKV, KV rate 0.1';", "groups[1]='1k tokens';", NULL};
    assert_given("latency", path, parts,
                 "0\t1000\t970\t1060\t-\t20\t19.6\t21\t-\n\n\n0\t500\t485\t530\t2.00x\t10\t9.8\t10.5\t2.00x\n\n\n");
    static const char *const stacked[] = {"remark='32 new tokens; medians", NULL};
    assert_given("e2e", path, stacked, "0\t1000\t1620\t1620\t1620\t-\n\n\n0\t500\t810\t810\t810\t2.00x\n\n\n");
    static const char *const memory[] = {"panels[1]='KV cache (MB)';", NULL};
    assert_given("memory", path, memory,
                 "0\t47.18592\t47.18592\t47.18592\t-\t400\t400\t400\t-\n\n\n"
                 "0\t4.718592\t4.718592\t4.718592\t10%\t400\t400\t400\t-\n\n\n");
}

static void data_of_prefill(void **state)
{
    (void)state;
    const char *path = empty_records();
    made_up_append(path, timed("fastkv", 0.1, 2048, 500, 10, 810));
    made_up_append(path, timed("fastkv", 0.1, 1024, 200, 10, 510));
    static const char *const parts[] = {"tick_labels[1]='1k';", "ticks[2]=2048;", "groups[1]='';", NULL};
    assert_given("prefill", path, parts, "1024\t200\t194\t212\n2048\t500\t485\t530\n\n\n");
}

/* The steps lead over what none beats: not over streamingllm, which is slower and worse than fastkv at 0.1. */
static void data_of_pareto(void **state)
{
    (void)state;
    const char *path = empty_records();
    static const struct {
        const char *method;
        double rate, score, e2e;
    } rows[] = {{"full", NAN, 0.9, 1000}, {"streamingllm", 0.1, 0.25, 900}, {"fastkv", 0.1, 0.5, 600}, {"fastkv", 0.2, 0.75, 700}};
    for (int i = 0; i < 4; i++) {
        made_up_append(path, made_up_eval(rows[i].method, rows[i].rate, 1024, "needle/vt", rows[i].score, 0.02));
        made_up_append(path, timed(rows[i].method, rows[i].rate, 1024, 100, 10, rows[i].e2e));
    }
    made_up_append(path, made_up_eval("snapkv", 0.1, 1024, "needle/vt", 0.99, 0.02)); /* no time: no point */
    static const char *const parts[] = {"x_title='End to end (ms)';", "n_series=3;", NULL};
    assert_given("accuracy-latency", path, parts,
                 "1000\t1000\t1000\t90\t2\t-\n\n\n900\t900\t900\t25\t2\t0.1\n\n\n"
                 "600\t600\t600\t50\t2\t0.1\n700\t700\t700\t75\t2\t0.2\n\n\n600\t50\n700\t75\n1000\t90\n\n\n");
}

/* Cells are means over samples of a depth; samples without a depth or a score are passed over. */
static void data_of_needle(void **state)
{
    (void)state;
    static const double scores[] = {1, 0.5, 0.25, 0.75, 1}, depths[] = {0, 0, 1, 1, NAN};
    const char *path = empty_records();
    for (int context = 1024; context <= 2048; context *= 2) {
        json_t *record = made_up_samples(made_up_eval("full", NAN, context, "niah", 0, 0), scores, NULL, 5), *list = json_array();
        for (int i = 0; i < 5; i++)
            json_array_append_new(list, made_up_real(context == 1024 || i < 2 ? depths[i] : NAN));
        json_object_set_new(record, "depths", list);
        made_up_append(path, record);
    }
    static const char *const parts[] = {"x_labels[1]='1k';x_labels[2]='2k';", "y_labels[1]='0';y_labels[2]='100';",
                                        "panels[1]='Full cache';n_panels=1;", NULL};
    assert_given("needle", path, parts, "0\t0\t75\n1\t0\t75\n0\t1\t50\n1\t1\tNaN\n\n\n");
}

/* Depths anywhere are counted in ten parts. */
static void depths_anywhere(void **state)
{
    (void)state;
    enum { N = 100 };
    double scores[N];
    const char *path = empty_records();
    json_t *list = json_array();
    for (int i = 0; i < N; i++) {
        scores[i] = i < 50;
        json_array_append_new(list, json_real((i + 0.5) / N));
    }
    json_t *record = made_up_samples(made_up_eval("full", NAN, 1024, "niah", 0, 0), scores, NULL, N);
    json_object_set_new(record, "depths", list);
    made_up_append(path, record);
    static const char *const parts[] = {"n_y=10;", "y_labels[1]='5';", "y_labels[10]='95';", NULL};
    assert_given("needle", path, parts,
                 "0\t0\t100\n0\t1\t100\n0\t2\t100\n0\t3\t100\n0\t4\t100\n0\t5\t0\n0\t6\t0\n0\t7\t0\n0\t8\t0\n0\t9\t0\n\n\n");
}

/* ---- odd records ------------------------------------------------------------------------------------------------------ */

/* Names with quotes, backquotes and control characters stay text. */
static void names_are_quoted(void **state)
{
    (void)state;
    if (!has_gnuplot())
        skip_because("gnuplot is not installed");
    char mark[400];
    snprintf(mark, sizeof mark, "%s", out_path("mark"));
    json_t *record = made_up_bench("full", NAN, 1024, 100, 10);
    json_object_set_new(record, "model", json_sprintf("it's `touch %s`\"; system('touch %s') #\n_{x}", mark, mark));
    const char *path = made_up_path("quoted.jsonl");
    made_up_write(path, "");
    made_up_append(path, record);
    assert_ok(run("latency", path, out_path("quoted.svg")));
    assert_int_equal(n_files(), 1);
    char *svg = made_up_read(out_path("quoted.svg"));
    assert_non_null(strstr(svg, "it's `touch"));
    free(svg);
    assert_int_equal(unlink(out_path("quoted.svg")), 0);
}

/* Several contexts, one of them without the reference, budgets in place of rates, a method of which nothing is known. */
static void odd_records(void **state)
{
    (void)state;
    if (!has_gnuplot())
        skip_because("gnuplot is not installed");
    const char *path = made_up_path("odd.jsonl");
    made_up_write(path, "");
    for (int context = 1000; context <= 5000; context += 1000)
        for (int budget = 128; budget <= 512; budget *= 2) {
            json_t *record = made_up_eval("newkv", NAN, context, "needle/multi_key", 0.5, NAN);
            json_object_set_new(record, "kv_budget", json_integer(budget));
            json_object_set_new(record, "config_key", json_sprintf("%d %d", context, budget));
            made_up_append(path, record);
        }
    made_up_append(path, made_up_eval("full", NAN, 1000, "needle/multi_key", 0.5, 0));
    made_up_append(path, made_up_bench("newkv", NAN, 1000, 10, NAN));
    assert_ok(run("accuracy-kv-rate", path, out_path("odd.svg")));
    char *svg = made_up_read(out_path("odd.svg"));
    assert_non_null(strstr(svg, "KV budget"));
    assert_non_null(strstr(svg, "5000 tokens"));
    assert_non_null(strstr(svg, "newkv"));
    free(svg);
    assert_ok(run("latency", path, out_path("odd.svg")));
    svg = made_up_read(out_path("odd.svg"));
    assert_non_null(strstr(svg, "Prefill (ms)"));
    assert_null(strstr(svg, "Decode (ms/token)"));
    free(svg);
    assert_int_equal(unlink(out_path("odd.svg")), 0);
}

/* What the panels and lines of an analysis are called, and that chance is drawn. */
static void analyses(void **state)
{
    (void)state;
    if (!has_gnuplot())
        skip_because("gnuplot is not installed");
    const struct {
        const char *figure, *texts[4];
    } rows[] = {
        {"overlap", {"1k tokens: the top 10 % of the tokens", "from layers 0 to 1", "from layers 2 to 3", "needle/multi_key"}},
        {"recall", {"the top 512 of the tokens", "Share of the attention (%)", "1k tokens", "standard error"}},
        {"distance", {"FastKV, KV rate 0.2", "GemFilter, KV rate 0.2", "1k tokens: hidden state", "1k tokens: logits"}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_ok(run(rows[i].figure, input(), out_path("analysis.svg")));
        char *svg = made_up_read(out_path("analysis.svg"));
        for (size_t t = 0; t < 4; t++)
            if (strstr(svg, rows[i].texts[t]) == NULL)
                fail_msg("%s lacks '%s'", rows[i].figure, rows[i].texts[t]);
        free(svg);
    }
    assert_int_equal(unlink(out_path("analysis.svg")), 0);
}

static void title(void **state)
{
    (void)state;
    if (!has_gnuplot())
        skip_because("gnuplot is not installed");
    char *words[] = {"latency", (char *)input()};
    struct kvl_options options = {.positional = {words, 2}, .output = out_path("title.svg")};
    assert_ok(kvl_command_plot.run(&options));
    char *svg = made_up_read(out_path("title.svg"));
    assert_non_null(strstr(svg, "Prefill and decode latency: Tiny-1M"));
    assert_non_null(strstr(svg, "kvlab 0123456789"));
    assert_non_null(strstr(svg, "1.62x"));
    free(svg);
    options.title = "A title of one's own";
    assert_ok(kvl_command_plot.run(&options));
    svg = made_up_read(out_path("title.svg"));
    assert_non_null(strstr(svg, "A title of one's own"));
    assert_non_null(strstr(svg, "Tiny-1M"));
    free(svg);
    assert_int_equal(unlink(out_path("title.svg")), 0);
}

/* ---- what is refused -------------------------------------------------------------------------------------------------- */

static void wrong_names(void **state)
{
    (void)state;
    const char *records = input();
    assert_refused(run("latencie", records, out_path("x.png")), KVL_E_ARG, "did you mean 'latency'?");
    assert_refused(run("pie", records, out_path("x.png")), KVL_E_ARG, "unknown figure 'pie'");
    assert_refused(run("latency", records, NULL), KVL_E_ARG, "-o FILE.png");
    assert_refused(run("latency", records, out_path("x.jpg")), KVL_E_ARG, "x.jpg");
    assert_refused(run("latency", records, out_path("png")), KVL_E_ARG, ".png, .svg or .pdf");
    assert_refused(run("latency", made_up_path("none.jsonl"), out_path("x.png")), KVL_E_IO, "none.jsonl");
}

static void nothing_to_draw(void **state)
{
    (void)state;
    const char *path = made_up_path("few.jsonl");
    made_up_write(path, "");
    made_up_append(path, made_up_eval("full", NAN, 1024, "needle/multi_key", 0.5, 0.1));
    assert_refused(run("latency", path, out_path("x.png")), KVL_E_FORMAT, "nothing to plot");
    static const char *const others[] = {"accuracy-kv-rate", "accuracy-tsp-rate", "tsp-grid", "accuracy-latency", "prefill", "e2e", "needle",
                                         "overlap", "distance"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_refused(run(others[i], path, out_path("x.png")), KVL_E_FORMAT, "nothing to plot");
    made_up_append(path, made_up_failure(made_up_bench("full", NAN, 1024, 1, 1), "oom", "12 GB are needed"));
    assert_refused(run("latency", path, out_path("x.png")), KVL_E_FORMAT, "nothing to plot");
}

static void unwritable_output(void **state)
{
    (void)state;
    const char *records = input();
    assert_refused(run("latency", records, out_path("no/such/folder.png")), KVL_E_IO, "no/such/folder.png");
    assert_int_equal(mkdir(out_path("folder.png"), 0777), 0);
    assert_int_equal(run("latency", records, out_path("folder.png")), KVL_E_IO);
    assert_non_null(strstr(kvl_last_error(), "folder.png"));
    assert_int_equal(rmdir(out_path("folder.png")), 0);
}

static void no_gnuplot(void **state)
{
    (void)state;
    char *path = strdup(getenv("PATH"));
    setenv("PATH", made_up_folder(), 1);
    assert_refused(run("latency", input(), out_path("x.png")), KVL_E_UNSUPPORTED, "gnuplot is not installed");
    setenv("PATH", path, 1);
    free(path);
}

/* An old figure stays when a new one fails. */
static void broken_gnuplot(void **state)
{
    (void)state;
    char *path = strdup(getenv("PATH")), program[300], old[400];
    snprintf(program, sizeof program, "%s", made_up_path("gnuplot"));
    made_up_write(program, "#!/bin/sh\necho; echo '     line 7: it hurts' >&2; echo >&2; exit 3\n");
    assert_int_equal(chmod(program, 0755), 0);
    snprintf(old, sizeof old, "%s", out_path("old.png"));
    made_up_write(old, "old");
    setenv("PATH", made_up_folder(), 1);
    assert_int_equal(run("latency", input(), old), KVL_E_INTERNAL);
    setenv("PATH", path, 1);
    free(path);
    assert_non_null(strstr(kvl_last_error(), "latency.gp: line 7: it hurts"));
    char *text = made_up_read(old);
    assert_string_equal(text, "old");
    free(text);
    assert_int_equal(unlink(old), 0);
    assert_int_equal(n_files(), 0);
}

/* gnuplot says nothing of a full disk: a file without its end gives it away. */
static void cut_off_figure(void **state)
{
    (void)state;
    char *path = strdup(getenv("PATH")), program[300];
    snprintf(program, sizeof program, "%s", made_up_path("gnuplot"));
    made_up_write(program, "#!/bin/sh\nexit 0\n");
    assert_int_equal(chmod(program, 0755), 0);
    setenv("PATH", made_up_folder(), 1);
    assert_refused(run("latency", input(), out_path("x.png")), KVL_E_IO, "is the disk full?");
    setenv("PATH", path, 1);
    free(path);
}

static void no_scripts(void **state)
{
    (void)state;
    setenv("KVLAB_DATA", made_up_folder(), 1);
    assert_refused(run("latency", input(), out_path("x.png")), KVL_E_IO, "KVLAB_DATA");
    unsetenv("KVLAB_DATA");
}

static int clean_up(void **state)
{
    rmdir(out_folder());
    return made_up_remove(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_names),
        cmocka_unit_test(nothing_to_draw),
        cmocka_unit_test(unwritable_output),
        cmocka_unit_test(no_gnuplot),
        cmocka_unit_test(broken_gnuplot),
        cmocka_unit_test(cut_off_figure),
        cmocka_unit_test(no_scripts),
        cmocka_unit_test(every_figure_in_every_format),
        cmocka_unit_test(titles),
        cmocka_unit_test(data_of_accuracy),
        cmocka_unit_test(data_of_tsp_rate),
        cmocka_unit_test(data_of_tsp_grid),
        cmocka_unit_test(data_of_latency),
        cmocka_unit_test(data_of_prefill),
        cmocka_unit_test(data_of_pareto),
        cmocka_unit_test(data_of_needle),
        cmocka_unit_test(depths_anywhere),
        cmocka_unit_test(names_are_quoted),
        cmocka_unit_test(odd_records),
        cmocka_unit_test(analyses),
        cmocka_unit_test(title),
    };
    return test_result(cmocka_run_group_tests(tests, NULL, clean_up));
}
