/* Tables as LaTeX: a tabular with the rules of the package booktabs. */
#ifndef KVL_TABLE_LATEX_H
#define KVL_TABLE_LATEX_H

#include "harness/table.h"

#ifdef __cplusplus
extern "C" {
#endif

/* `right`: [n_cols], columns to be right-aligned. */
void kvl_table_print_latex(const struct kvl_table *table, const bool *right, FILE *stream);

/* Text in which every character stands for itself; signs that TeX's own fonts lack become formulas. */
void kvl_latex_escape(const char *text, FILE *stream);

#ifdef __cplusplus
}
#endif
#endif
