/* Runs gnuplot on one of our scripts. */
#ifndef KVL_GNUPLOT_H
#define KVL_GNUPLOT_H

#include <stdio.h>

#include "kernels/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Runs `script` after `settings` (assignments, separated by semicolons), without a shell and without the user's gnuplotrc.
 * KVL_E_UNSUPPORTED where gnuplot is missing; KVL_E_INTERNAL with gnuplot's own words where it fails. */
enum kvl_status kvl_gnuplot_run(const char *script, const char *settings);

/* Writes text as a gnuplot string: in single quotes, in which nothing is expanded; control characters become spaces. */
void kvl_gnuplot_quote(FILE *stream, const char *text);

#ifdef __cplusplus
}
#endif
#endif
