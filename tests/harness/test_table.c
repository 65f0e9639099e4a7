/* Tables in the three formats. */
#include "harness/table.h"
#include "tests/support/golden.h"

/* Text of a table, malloc'd. */
static char *print(const struct kvl_table *table, enum kvl_table_format format)
{
    char *text = NULL;
    size_t n;
    FILE *stream = open_memstream(&text, &n);
    assert_non_null(stream);
    assert_ok(kvl_table_print(table, format, stream));
    fclose(stream);
    return text;
}

static void assert_prints(const struct kvl_table *table, enum kvl_table_format format, const char *expected)
{
    char *text = print(table, format);
    assert_string_equal(text, expected);
    free(text);
}

static void fill(struct kvl_table *table)
{
    static const char *const cells[][3] = {
        {"name", "score", "why"},
        {"a|b", "97.5 ± 1.2", "fine"},
        {"7b-chat", "-", "said \"no\", twice"},
        {"é", "oom", NULL},
    };
    assert_ok(kvl_table_init(table, 3));
    for (int row = 0; row < 4; row++) {
        assert_ok(kvl_table_add_row(table));
        for (int c = 0; c < 3; c++)
            if (cells[row][c] != NULL)
                assert_ok(kvl_table_set(table, c, "%s", cells[row][c]));
    }
}

static void text(void **state)
{
    (void)state;
    struct kvl_table table;
    fill(&table);
    assert_prints(&table, KVL_TABLE_TEXT,
                  "name          score  why\n"
                  "-------  ----------  ----------------\n"
                  "a|b      97.5 ± 1.2  fine\n"
                  "7b-chat           -  said \"no\", twice\n"
                  "é               oom  \n");
    kvl_table_free(&table);
}

static void markdown(void **state)
{
    (void)state;
    struct kvl_table table;
    fill(&table);
    assert_prints(&table, KVL_TABLE_MARKDOWN,
                  "| name | score | why |\n"
                  "|---|---:|---|\n"
                  "| a\\|b | 97.5 ± 1.2 | fine |\n"
                  "| 7b-chat | - | said \"no\", twice |\n"
                  "| é | oom |  |\n");
    kvl_table_free(&table);
}

static void csv(void **state)
{
    (void)state;
    struct kvl_table table;
    fill(&table);
    assert_prints(&table, KVL_TABLE_CSV,
                  "name,score,why\n"
                  "a|b,97.5 ± 1.2,fine\n"
                  "7b-chat,-,\"said \"\"no\"\", twice\"\n"
                  "é,oom,\n");
    kvl_table_free(&table);
}

static void latex(void **state)
{
    (void)state;
    struct kvl_table table;
    fill(&table);
    assert_prints(&table, KVL_TABLE_LATEX,
                  "\\begin{tabular}{lrl}\n\\toprule\nname & score & why \\\\\n\\midrule\n"
                  "a$|$b & 97.5 $\\pm$ 1.2 & fine \\\\\n"
                  "7b-chat & - & said ''no'', twice \\\\\n"
                  "é & oom &  \\\\\n"
                  "\\bottomrule\n\\end{tabular}\n");
    kvl_table_free(&table);
}

/* Every character that TeX would take for something else. */
static void latex_escapes(void **state)
{
    (void)state;
    struct kvl_table table;
    assert_ok(kvl_table_init(&table, 1));
    assert_ok(kvl_table_add_row(&table));
    assert_ok(kvl_table_set(&table, 0, "\\ { } # $ %% & _ ~ ^ < > 1-2 -3 [-4, -5] a-b ΔNLL ·"));
    assert_prints(&table, KVL_TABLE_LATEX,
                  "\\begin{tabular}{l}\n\\toprule\n"
                  "\\textbackslash{} \\{ \\} \\# \\$ \\% \\& \\_ \\textasciitilde{} \\textasciicircum{} $<$ $>$ 1-2 $-$3 [$-$4, $-$5] "
                  "a-b $\\Delta$NLL $\\cdot$ \\\\\n"
                  "\\bottomrule\n\\end{tabular}\n");
    kvl_table_free(&table);
}

/* Two rows of header, marks, and a part. */
static void fill_with_heads(struct kvl_table *table)
{
    static const char *const cells[][4] = {
        {"", "1k", "1k", "2k"}, {"name", "a", "b", "a"}, {"x", "1.0", "2.0", "3.0"}, {"y", "4.0", "5.0", "60.0"}};
    assert_ok(kvl_table_init(table, 4));
    table->n_heads = 2;
    for (int row = 0; row < 4; row++) {
        assert_ok(kvl_table_add_row(table));
        for (int c = 0; c < 4; c++)
            assert_ok(kvl_table_set(table, c, "%s", cells[row][c]));
    }
    kvl_table_mark(table, 1, KVL_MARK_BEST);
    kvl_table_mark(table, 2, KVL_MARK_SECOND);
    kvl_table_begin_part(table);
    assert_int_equal(kvl_table_span(table, 0, 0), 1);
    assert_int_equal(kvl_table_span(table, 0, 1), 2);
    assert_int_equal(kvl_table_span(table, 1, 1), 1);
}

static void heads_and_marks(void **state)
{
    (void)state;
    struct kvl_table table;
    fill_with_heads(&table);
    assert_prints(&table, KVL_TABLE_TEXT,
                  "      ---- 1k ----    2k\n"
                  "name      a      b     a\n"
                  "----  -----  -----  ----\n"
                  "x     1.0    2.0     3.0\n"
                  "y     4.0 ●  5.0 ○  60.0\n");
    assert_prints(&table, KVL_TABLE_MARKDOWN,
                  "| name | 1k<br>a | 1k<br>b | 2k<br>a |\n"
                  "|---|---:|---:|---:|\n"
                  "| x | 1.0 | 2.0 | 3.0 |\n"
                  "| y | **4.0** | <u>5.0</u> | 60.0 |\n");
    assert_prints(&table, KVL_TABLE_CSV, "name,1k a,1k b,2k a\nx,1.0,2.0,3.0\ny,4.0,5.0,60.0\n");
    assert_prints(&table, KVL_TABLE_LATEX,
                  "\\begin{tabular}{lrrr}\n\\toprule\n"
                  " & \\multicolumn{2}{c}{1k} & \\multicolumn{1}{c}{2k} \\\\\n\\cmidrule(lr){2-3}\n\\cmidrule(lr){4-4}\n"
                  "name & a & b & a \\\\\n\\midrule\n"
                  "x & 1.0 & 2.0 & 3.0 \\\\\n\\midrule\n"
                  "y & \\textbf{4.0} & \\underline{5.0} & 60.0 \\\\\n"
                  "\\bottomrule\n\\end{tabular}\n");
    kvl_table_free(&table);
}

static void csv_quotes_line_ends(void **state)
{
    (void)state;
    struct kvl_table table;
    assert_ok(kvl_table_init(&table, 1));
    assert_ok(kvl_table_add_row(&table));
    assert_ok(kvl_table_set(&table, 0, "one\ntwo"));
    assert_prints(&table, KVL_TABLE_CSV, "\"one\ntwo\"\n");
    kvl_table_free(&table);
}

static void many_rows_and_set_twice(void **state)
{
    (void)state;
    struct kvl_table table;
    assert_ok(kvl_table_init(&table, 2));
    for (int row = 0; row < 100; row++) {
        assert_ok(kvl_table_add_row(&table));
        assert_ok(kvl_table_set(&table, 1, "before"));
        assert_ok(kvl_table_set(&table, 1, "%d", row));
    }
    assert_int_equal(table.n_rows, 100);
    assert_null(table.cells[2 * 99]);
    assert_string_equal(table.cells[2 * 99 + 1], "99");
    kvl_table_free(&table);
    assert_null(table.cells);
}

static void formats_by_name(void **state)
{
    (void)state;
    enum kvl_table_format format;
    assert_ok(kvl_table_format_find("markdown", &format));
    assert_int_equal(format, KVL_TABLE_MARKDOWN);
    assert_int_equal(kvl_table_format_find("markdwon", &format), KVL_E_ARG);
    assert_non_null(strstr(kvl_last_error(), "did you mean 'markdown'?"));
    assert_int_equal(kvl_table_format_find("excel", &format), KVL_E_ARG);
    assert_non_null(strstr(kvl_last_error(), "table, markdown, csv or latex"));
}

static void full_disk(void **state)
{
    (void)state;
    struct kvl_table table;
    fill(&table);
    FILE *stream = fopen("/dev/full", "w");
    assert_non_null(stream);
    assert_int_equal(kvl_table_print(&table, KVL_TABLE_TEXT, stream), KVL_E_IO);
    fclose(stream);
    kvl_table_free(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text),
        cmocka_unit_test(markdown),
        cmocka_unit_test(csv),
        cmocka_unit_test(latex),
        cmocka_unit_test(latex_escapes),
        cmocka_unit_test(heads_and_marks),
        cmocka_unit_test(csv_quotes_line_ends),
        cmocka_unit_test(many_rows_and_set_twice),
        cmocka_unit_test(formats_by_name),
        cmocka_unit_test(full_disk),
    };
    return test_result(cmocka_run_group_tests(tests, NULL, NULL));
}
