#include "datasets/score/numbers.h"

#include <string.h>

double kvl_number_share(const char *text, struct kvl_text_part number)
{
    struct kvl_text_part rest = kvl_text_part_of(text), one;
    int64_t n = 0, n_right = 0;
    while (kvl_python_next_run(&rest, kvl_python_is_digit, &one)) {
        n++;
        n_right += one.n == number.n && memcmp(one.data, number.data, (size_t)one.n) == 0;
    }
    return n > 0 ? (double)n_right / (double)n : 0;
}
