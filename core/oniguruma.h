/* Regular expressions in Oniguruma's syntax, rewritten for PCRE2 so that they mean the same.
 *
 * \s \S \d \D \w \W and \p{..} are spelled out, also inside classes: PCRE2's \s holds U+180E, its \w other characters, and
 * its Unicode tables may be older. Literals become \x{..}. What we cannot promise to mean the same (anchors, back references,
 * nested classes, options other than i, ...) is KVL_E_UNSUPPORTED, not a guess. */
#ifndef KVL_ONIGURUMA_H
#define KVL_ONIGURUMA_H

#include "kernels/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The pattern for pcre2_compile with PCRE2_UTF | PCRE2_UCP, malloc'd. `source` names the file in error sentences. */
enum kvl_status kvl_oniguruma_to_pcre2(const char *pattern, const char *source, char **out);

#ifdef __cplusplus
}
#endif
#endif
