/* kvlab plot FIGURE FILE.. -o out.png|svg|pdf: one figure from records. */
#include "harness/command.h"
#include "harness/plot.h"

static enum kvl_status run(const struct kvl_options *options)
{
    const struct kvl_figure *figure;
    KVL_TRY(kvl_figure_find(options->positional.items[0], &figure));
    KVL_REQUIRE(options->output != NULL, "plot needs a file to draw into: -o FILE.png, FILE.svg or FILE.pdf");
    KVL_TRY(kvl_plot_check_output(options->output));
    struct kvl_record_set set;
    KVL_TRY(kvl_record_set_load(&set, options->positional.items + 1, options->positional.n - 1, stderr));
    enum kvl_status status = kvl_plot_draw(figure, &set, options->title, options->output, stderr);
    kvl_record_set_free(&set);
    return status;
}

const struct kvl_command kvl_command_plot = {
    .name = "plot",
    .arguments = "FIGURE FILE.. -o out.png|svg|pdf",
    .help = "one figure from the records of eval and bench",
    .min_positional = 2,
    .max_positional = 1000,
    .keys = "oT",
    .run = run,
};
