/* The prompt with each token shaded by the share of layers and heads that kept it, so that a person sees what a method threw
 * away. */
#ifndef KVL_KEPT_VIEW_H
#define KVL_KEPT_VIEW_H

#include <stdio.h>

#include "core/engine.h"

#ifdef __cplusplus
extern "C" {
#endif

/* shares[i], i < n_prompt: of all (layer, stored head) lists, the part that holds prompt token i now. The session was traced. */
enum kvl_status kvl_kept_shares(const struct kvl_session *session, double *shares);

/* With terminal colours (256-colour escape sequences) and a legend, or as a page of its own. */
enum kvl_status kvl_kept_view_terminal(const struct kvl_tokenizer *tokenizer, const struct kvl_ids *prompt, const double *shares,
                                       FILE *stream);
enum kvl_status kvl_kept_view_html(const struct kvl_tokenizer *tokenizer, const struct kvl_ids *prompt, const double *shares,
                                   const char *title, FILE *stream);

#ifdef __cplusplus
}
#endif
#endif
