/* Chat templates of the supported models, by name.
 *
 * A template turns one user message (and an optional system message) into the text that the model was trained on, with
 * the assistant's header at the end, so that whatever follows is the model's own answer. The text contains special
 * tokens and is tokenized with KVL_SPECIAL_PARSE; it does not contain the BOS token unless the model's own template
 * begins with text that is that token (ChatML). */
#ifndef KVL_CHAT_TEMPLATE_H
#define KVL_CHAT_TEMPLATE_H

#include "core/tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif

struct kvl_chat_template {
    const char *name;  /* "smollm2", "chatml", "llama-3", "llama-3.1", "mistral-tekken" */
    const char *title; /* which models use it */
    const char *family; /* "chatml", "llama", "mistral" */
    bool wants_bos;    /* one BOS stands before the text */
};

/* The table; *n rows. */
const struct kvl_chat_template *kvl_chat_templates(int *n);

/* By name; KVL_E_ARG with the near name if there is none. "none" gives *out = NULL. */
enum kvl_status kvl_chat_template_find(const char *name, const struct kvl_chat_template **out);

/* Recognizes a file's Jinja template among the ones we know. An empty or NULL source gives *out = NULL (a base model);
 * an unknown one is KVL_E_UNSUPPORTED with a sentence that offers `--template NAME|none`. */
enum kvl_status kvl_chat_template_recognize(const char *jinja, const struct kvl_chat_template **out);

/* Renders into a malloc'd, NUL-terminated text. `system` NULL: the template's own default. `answer_prefix` (may be "")
 * goes after the assistant's header. With `chat` NULL the text is user + answer_prefix. */
enum kvl_status kvl_chat_template_render(const struct kvl_chat_template *chat, const char *system, const char *user,
                                         const char *answer_prefix, char **text);

#ifdef __cplusplus
}
#endif
#endif
