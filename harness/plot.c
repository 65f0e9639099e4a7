#define _GNU_SOURCE /* memmem, strcasecmp */
#include "harness/plot.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/nearest.h"
#include "harness/gnuplot.h"
#include "harness/output_file.h"
#include "harness/paths.h"
#include "harness/plot_data.h"
#include "harness/report.h"

static const struct kvl_figure *const figures[] = {
    &kvl_figure_accuracy_kv_rate, &kvl_figure_accuracy_tsp_rate, &kvl_figure_tsp_grid, &kvl_figure_accuracy_latency,
    &kvl_figure_latency,          &kvl_figure_prefill,           &kvl_figure_e2e,      &kvl_figure_memory,
    &kvl_figure_needle,           &kvl_figure_overlap,           &kvl_figure_recall,   &kvl_figure_distance,
};

enum { N_FIGURES = sizeof figures / sizeof *figures };

const struct kvl_figure *kvl_figure_at(int i)
{
    return i >= 0 && i < (int)N_FIGURES ? figures[i] : NULL;
}

static const char *figure_name(const void *context, int i)
{
    (void)context;
    return i < (int)N_FIGURES ? figures[i]->name : NULL;
}

enum kvl_status kvl_figure_find(const char *name, const struct kvl_figure **out)
{
    for (int i = 0; i < (int)N_FIGURES; i++)
        if (strcmp(figures[i]->name, name) == 0) {
            *out = figures[i];
            return KVL_OK;
        }
    const char *near = kvl_nearest(name, figure_name, NULL);
    if (near != NULL)
        return kvl_fail(KVL_E_ARG, "unknown figure '%.100s': did you mean '%s'?", name, near);
    return kvl_fail(KVL_E_ARG, "unknown figure '%.100s'; `kvlab list figures` shows them", name);
}

/* Output formats: the terminal that makes one, and how a whole file ends (gnuplot does not tell of a full disk). */
static const struct format {
    const char *extension, *terminal, *end;
} formats[] = {
    {".png", "pngcairo noenhanced size 1200,700 font \"DejaVu Sans,13\" background \"#ffffff\"", "IEND"},
    {".svg",
     "svg noenhanced size 1200,700 dynamic font \"DejaVu Sans,Verdana,sans-serif\" fontscale 1.35 background \"#ffffff\"",
     "</svg>"},
    {".pdf", "pdfcairo noenhanced size 8.4in,4.9in font \"DejaVu Sans,13\" background \"#ffffff\"", "%%EOF"},
};

static const struct format *find_format(const char *path)
{
    const char *slash = strrchr(path, '/'), *dot = strrchr(slash != NULL ? slash : path, '.');
    for (size_t i = 0; dot != NULL && i < sizeof formats / sizeof *formats; i++)
        if (strcasecmp(dot, formats[i].extension) == 0)
            return &formats[i];
    return NULL;
}

enum kvl_status kvl_plot_check_output(const char *path)
{
    if (find_format(path) == NULL)
        return kvl_fail(KVL_E_ARG, "cannot tell the format of %.300s: give a name that ends in .png, .svg or .pdf", path);
    return KVL_OK;
}

/* ---- what the script is told ------------------------------------------------------------------------------------------ */

/* Above the figure: what it shows and the model; below that, smaller, what it was measured with. */
static enum kvl_status assign_titles(FILE *settings, const struct kvl_figure *figure, const struct kvl_rows *rows,
                                     const char *title)
{
    const char *model = json_string_value(kvl_rows_common(rows, kvl_knob_find("model")));
    char *heading = kvl_report_heading(rows, title != NULL), text[512];
    if (heading == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for a figure's title");
    if (title == NULL)
        snprintf(text, sizeof text, "%s%s%.300s", figure->title, model != NULL ? ": " : "", model != NULL ? model : "");
    kvl_plot_assign(settings, "title", title != NULL ? title : text);
    kvl_plot_assign(settings, "subtitle", heading);
    free(heading);
    return KVL_OK;
}

/* ---- drawing ---------------------------------------------------------------------------------------------------------- */

static bool is_whole(const char *path, const char *end)
{
    char tail[64];
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    bool found = fseek(file, 0, SEEK_END) == 0;
    long size = ftell(file), from = size > (long)sizeof tail ? size - (long)sizeof tail : 0;
    found = found && size > 0 && fseek(file, from, SEEK_SET) == 0;
    size_t n = found ? fread(tail, 1, sizeof tail, file) : 0;
    fclose(file);
    return memmem(tail, n, end, strlen(end)) != NULL;
}

static enum kvl_status find_script(const struct kvl_figure *figure, char *folder, size_t n_folder, char *script,
                                   size_t n_script)
{
    KVL_TRY(kvl_data_folder("plots", folder, n_folder));
    if (snprintf(script, n_script, "%s/%s", folder, figure->script) >= (int)n_script || access(script, R_OK) != 0)
        return kvl_fail(KVL_E_IO, "cannot read the script of figure %s, %s: %s", figure->name, script, strerror(errno));
    return KVL_OK;
}

/* Runs the script with everything that it is told. */
static enum kvl_status run_script(const struct kvl_figure *figure, const char *settings, const struct format *format,
                                  const char *output)
{
    char folder[PATH_MAX], script[PATH_MAX + 64], *all = NULL;
    size_t n;
    KVL_TRY(find_script(figure, folder, sizeof folder, script, sizeof script));
    FILE *stream = open_memstream(&all, &n);
    if (stream == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for the settings of a figure");
    kvl_plot_assign(stream, "folder", folder);
    kvl_plot_assign(stream, "output", output);
    kvl_plot_assign(stream, "terminal", format->terminal);
    fputs(settings, stream);
    enum kvl_status status = fclose(stream) == 0 ? kvl_gnuplot_run(script, all)
                                                 : kvl_fail(KVL_E_OOM, "no memory for the settings of a figure");
    free(all);
    return status;
}

/* Into a file that waits beside its place. */
static enum kvl_status draw_to(const struct kvl_figure *figure, const char *settings, const char *path)
{
    const struct format *format = find_format(path);
    struct kvl_output_file file;
    KVL_TRY(kvl_output_file_open(&file, path));
    enum kvl_status status;
    if (file.temporary == NULL)
        status = kvl_fail(KVL_E_ARG, "cannot plot into %s: it is not a regular file", path);
    else
        status = run_script(figure, settings, format, file.temporary);
    if (status == KVL_OK && !is_whole(file.temporary, format->end))
        status = kvl_fail(KVL_E_IO, "gnuplot could not write all of %s: is the disk full?", path);
    if (status == KVL_OK)
        return kvl_output_file_commit(&file);
    kvl_output_file_discard(&file);
    return status;
}

/* Data to a temporary file, everything else to settings, then the script. */
static enum kvl_status write_and_draw(const struct kvl_figure *figure, struct kvl_plot *plot, const char *title,
                                      const char *data_path, char **settings, const char *path)
{
    size_t n;
    plot->settings = open_memstream(settings, &n);
    if (plot->settings == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for the settings of a figure");
    kvl_plot_assign(plot->settings, "data", data_path);
    enum kvl_status status = assign_titles(plot->settings, figure, plot->rows, title);
    if (status == KVL_OK)
        status = figure->write(plot);
    if (fclose(plot->settings) != 0 && status == KVL_OK)
        status = kvl_fail(KVL_E_OOM, "no memory for the settings of a figure");
    if (status == KVL_OK && (fflush(plot->data) != 0 || ferror(plot->data)))
        status = kvl_fail(KVL_E_IO, "cannot write %s: %s", data_path, strerror(errno));
    return status == KVL_OK ? draw_to(figure, *settings, path) : status;
}

static enum kvl_status draw_rows(const struct kvl_figure *figure, const struct kvl_rows *rows, const char *title,
                                 const char *path, FILE *notes)
{
    const char *folder = getenv("TMPDIR");
    char data_path[PATH_MAX], *settings = NULL;
    snprintf(data_path, sizeof data_path, "%s/kvlab_XXXXXX", folder != NULL && folder[0] != '\0' ? folder : "/tmp");
    int fd = mkstemp(data_path);
    if (fd < 0)
        return kvl_fail(KVL_E_IO, "cannot make a temporary file %s: %s", data_path, strerror(errno));
    struct kvl_plot plot = {.rows = rows, .data = fdopen(fd, "w"), .notes = notes};
    enum kvl_status status;
    if (plot.data == NULL) {
        close(fd);
        status = kvl_fail(KVL_E_OOM, "no memory for a temporary file");
    } else {
        status = write_and_draw(figure, &plot, title, data_path, &settings, path);
        fclose(plot.data);
    }
    free(settings);
    unlink(data_path);
    return status;
}

enum kvl_status kvl_plot_draw(const struct kvl_figure *figure, const struct kvl_record_set *set, const char *title,
                              const char *path, FILE *notes)
{
    KVL_TRY(kvl_plot_check_output(path));
    struct kvl_rows rows;
    KVL_TRY(kvl_rows_init(&rows, set, figure->kinds));
    enum kvl_status status = draw_rows(figure, &rows, title, path, notes);
    kvl_rows_free(&rows);
    return status;
}
