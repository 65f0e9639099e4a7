#include "harness/table_latex.h"

#include <ctype.h>
#include <string.h>

/* What stands for a character, or for a sign of several bytes. */
static const struct {
    const char *sign, *latex;
} signs[] = {
    {"\\", "\\textbackslash{}"}, {"{", "\\{"}, {"}", "\\}"}, {"#", "\\#"}, {"$", "\\$"}, {"%", "\\%"}, {"&", "\\&"},
    {"_", "\\_"}, {"~", "\\textasciitilde{}"}, {"^", "\\textasciicircum{}"}, {"<", "$<$"}, {">", "$>$"}, {"|", "$|$"},
    {"\"", "''"}, {"±", "$\\pm$"}, {"·", "$\\cdot$"}, {"Δ", "$\\Delta$"}, {"\n", " "}, {"\r", " "},
};

enum { N_SIGNS = sizeof signs / sizeof *signs };

/* A minus, not a hyphen: before a digit, and behind nothing that a word could end in. */
static bool is_minus(const char *text, const char *here)
{
    return *here == '-' && isdigit((unsigned char)here[1]) && (here == text || here[-1] == ' ' || here[-1] == '[');
}

void kvl_latex_escape(const char *text, FILE *stream)
{
    for (const char *here = text; *here != '\0';) {
        int i;
        for (i = 0; i < (int)N_SIGNS; i++)
            if (strncmp(here, signs[i].sign, strlen(signs[i].sign)) == 0)
                break;
        if (i < (int)N_SIGNS)
            fputs(signs[i].latex, stream);
        else if (is_minus(text, here))
            fputs("$-$", stream);
        else
            putc(*here, stream);
        here += i < (int)N_SIGNS ? strlen(signs[i].sign) : 1;
    }
}

static void print_row(const struct kvl_table *table, int row, FILE *stream)
{
    static const char *const before[] = {"", "\\textbf{", "\\underline{"};
    for (int c = 0; c < table->n_cols; c++) {
        enum kvl_table_mark mark = table->marks[row * table->n_cols + c];
        fprintf(stream, "%s%s", c > 0 ? " & " : "", before[mark]);
        kvl_latex_escape(kvl_table_cell(table, row, c), stream);
        fputs(mark != KVL_MARK_NONE ? "}" : "", stream);
    }
    fputs(" \\\\\n", stream);
}

/* Heads over columns, and below each a rule as long as they are. */
static void print_heads(const struct kvl_table *table, int row, FILE *stream)
{
    for (int c = 0, n; c < table->n_cols; c += n) {
        n = kvl_table_span(table, row, c);
        fputs(c > 0 ? " & " : "", stream);
        if (kvl_table_cell(table, row, c)[0] == '\0')
            continue;
        fprintf(stream, "\\multicolumn{%d}{c}{", n);
        kvl_latex_escape(kvl_table_cell(table, row, c), stream);
        putc('}', stream);
    }
    fputs(" \\\\\n", stream);
    for (int c = 0, n; c < table->n_cols; c += n) {
        n = kvl_table_span(table, row, c);
        if (kvl_table_cell(table, row, c)[0] != '\0')
            fprintf(stream, "\\cmidrule(lr){%d-%d}\n", c + 1, c + n);
    }
}

void kvl_table_print_latex(const struct kvl_table *table, const bool *right, FILE *stream)
{
    fputs("\\begin{tabular}{", stream);
    for (int c = 0; c < table->n_cols; c++)
        putc(right[c] ? 'r' : 'l', stream);
    fputs("}\n\\toprule\n", stream);
    for (int row = 0; row < table->n_rows; row++) {
        if (row == table->n_heads || table->parts[row])
            fputs("\\midrule\n", stream);
        if (row < table->n_heads - 1)
            print_heads(table, row, stream);
        else
            print_row(table, row, stream);
    }
    fputs("\\bottomrule\n\\end{tabular}\n", stream);
}
