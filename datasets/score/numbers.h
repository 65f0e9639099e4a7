/* How often one number is among those that a text names. */
#ifndef KVL_NUMBERS_H
#define KVL_NUMBERS_H

#include "datasets/score/python_text.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The share of the text's runs of decimal digits that are `number`, compared as strings; 0 where there are none. */
double kvl_number_share(const char *text, struct kvl_text_part number);

#ifdef __cplusplus
}
#endif
#endif
