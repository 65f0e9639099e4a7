#include "core/chat_template.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/nearest.h"
#include "core/unicode.h"

static const struct kvl_chat_template TEMPLATES[] = {
    {"smollm2", "SmolLM2 Instruct: ChatML with its own system message", "chatml", false},
    {"chatml", "ChatML without a system message of its own", "chatml", false},
    {"llama-3", "LLaMA-3 Instruct", "llama", true},
    {"llama-3.1", "LLaMA-3.1 Instruct: a system message with two dates always comes first", "llama", true},
    {"mistral-tekken", "Mistral Nemo, Ministral 8B Instruct (V3 tekken)", "mistral", true},
};
#define KNOWN "smollm2, chatml, llama-3, llama-3.1, mistral-tekken"
enum { N_TEMPLATES = sizeof TEMPLATES / sizeof TEMPLATES[0], MAX_MARKERS = 12 };

#define LLAMA(role) "<|start_header_id|>" role "<|end_header_id|>\n\n"

/* A conversation of one turn: open, [system_open, system, system_close], user_open, user, user_close, answer prefix. */
static const struct parts {
    const char *open, *system_open, *system_close, *user_open, *user_close;
    const char *system; /* where the caller gives none; NULL: no system part then */
    bool trims;         /* white space round both messages is cut off */
} PARTS[N_TEMPLATES] = {
    {"", "<|im_start|>system\n", "<|im_end|>\n", "<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n",
     "You are a helpful AI assistant named SmolLM, trained by Hugging Face", false},
    {"", "<|im_start|>system\n", "<|im_end|>\n", "<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n", NULL, false},
    {"", LLAMA("system"), "<|eot_id|>", LLAMA("user"), "<|eot_id|>" LLAMA("assistant"), NULL, true},
    {"", LLAMA("system") "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n", "<|eot_id|>", LLAMA("user"),
     "<|eot_id|>" LLAMA("assistant"), "", true},
    {"[INST]", "", "\n\n", "", "[/INST]", NULL, false},
};

/* What must and must not occur in a file's Jinja text, in the plain form that `plain_form` gives it. `n_outputs`: how many
 * times the text writes something ("{{"), where that is few enough to tell it from its relatives; 0: not looked at. */
static const struct markers {
    const char *must[MAX_MARKERS], *must_not[MAX_MARKERS];
    int n_outputs;
} MARKERS[N_TEMPLATES] = {
    {{"{{'<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n'}}",
      "{{'<|im_start|>'+message['role']+'\n'+message['content']+'<|im_end|>\n'}}",
      "{{'<|im_start|>assistant\n'}}"},
     {"bos_token", "'role':", "'content':"},
     3},
    {{"{{'<|im_start|>'+message['role']+'\n'+message['content']+'<|im_end|>\n'}}",
      "{{'<|im_start|>assistant\n'}}"},
     {"bos_token", "'role':", "'content':", "<|im_start|>system"},
     2},
    {{"'<|start_header_id|>'+message['role']+'<|end_header_id|>\n\n'+message['content']|trim+'<|eot_id|>'",
      "setcontent=bos_token+content%}",
      "{{content}}",
      "{{'" LLAMA("assistant") "'}}"},
     {"'role':", "'content':", "Cutting Knowledge"},
     2},
    {{"{{bos_token}}",
      "setdate_string='26 Jul 2024'%}",
      "setsystem_message=''%}",
      "{{'" LLAMA("system") "'}}",
      "{{'Cutting Knowledge Date: December 2023\n'}}",
      "{{'Today Date: '+date_string+'\n\n'}}",
      "{{system_message}}{{'<|eot_id|>'}}",
      "{{'<|start_header_id|>'+message['role']+'<|end_header_id|>\n\n'+message['content']|trim+'<|eot_id|>'}}",
      "{{'" LLAMA("assistant") "'}}"},
     {"strftime_now", "ifsystem_message", "'role':"},
     0},
    {{"{{bos_token}}",
      "{{'[INST]'+system_message+'\n\n'+message['content']+'[/INST]'}}",
      "{{'[INST]'+message['content']+'[/INST]'}}"},
     {"[INST] ", " [INST]", " [/INST]", "[SYSTEM_PROMPT]", "<<SYS>>", "setsystem_message='", "strftime_now", "'role':"},
     0},
};

const struct kvl_chat_template *kvl_chat_templates(int *n)
{
    *n = N_TEMPLATES;
    return TEMPLATES;
}

static const char *name_at(const void *context, int i)
{
    (void)context;
    return i < N_TEMPLATES ? TEMPLATES[i].name : i == N_TEMPLATES ? "none" : NULL;
}

enum kvl_status kvl_chat_template_find(const char *name, const struct kvl_chat_template **out)
{
    *out = NULL;
    if (strcmp(name, "none") == 0)
        return KVL_OK;
    for (int i = 0; i < N_TEMPLATES; i++)
        if (strcmp(name, TEMPLATES[i].name) == 0) {
            *out = &TEMPLATES[i];
            return KVL_OK;
        }
    const char *near = kvl_nearest(name, name_at, NULL);
    return kvl_fail(KVL_E_ARG, "chat template \"%.60s\" is not known%s%s%s; known are " KNOWN ", none", name,
                    near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

/* Ways of saying the same that `plain_form` makes one. */
static const struct {
    const char *from, *to;
} SAME[] = {{"message.role", "message['role']"}, {"message.content", "message['content']"}, {"{{-", "{{"}, {"-}}", "}}"},
            {"{%-", "{%"}, {"-%}", "%}"}};

/* Jinja without comments and without white space outside strings; all quotes single, "\n" in strings a newline, and strings
 * that are joined one string. `out` has room for twice the length. */
static void plain_form(const char *jinja, char *out)
{
    char quote = 0, *to = out;
    while (*jinja) {
        size_t i = 0, n_same = sizeof SAME / sizeof SAME[0];
        if (quote && jinja[0] == '\\' && jinja[1]) {
            if (jinja[1] != 'n')
                *to++ = jinja[0];
            *to++ = jinja[1] == 'n' ? '\n' : jinja[1];
            jinja += 2;
        } else if (!quote && strncmp(jinja, "{#", 2) == 0) {
            const char *end = strstr(jinja, "#}");
            jinja = end ? end + 2 : jinja + strlen(jinja);
        } else if (quote ? *jinja == quote : *jinja == '\'' || *jinja == '"') {
            quote = quote ? 0 : *jinja;
            if (quote && to - out >= 2 && to[-1] == '+' && to[-2] == '\'')
                to -= 2;
            else
                *to++ = '\'';
            jinja++;
        } else if (!quote && isspace((unsigned char)*jinja)) {
            jinja++;
        } else {
            while (!quote && i < n_same && strncmp(jinja, SAME[i].from, strlen(SAME[i].from)) != 0)
                i++;
            if (!quote && i < n_same) {
                to = stpcpy(to, SAME[i].to);
                jinja += strlen(SAME[i].from);
            } else {
                *to++ = *jinja++;
            }
        }
    }
    *to = 0;
}

static bool has_markers(const struct markers *m, const char *plain)
{
    int n_outputs = 0;
    for (int i = 0; i < MAX_MARKERS && m->must[i]; i++)
        if (!strstr(plain, m->must[i]))
            return false;
    for (int i = 0; i < MAX_MARKERS && m->must_not[i]; i++)
        if (strstr(plain, m->must_not[i]))
            return false;
    for (const char *at = plain; (at = strstr(at, "{{")); at += 2)
        n_outputs++;
    return m->n_outputs == 0 || m->n_outputs == n_outputs;
}

enum kvl_status kvl_chat_template_recognize(const char *jinja, const struct kvl_chat_template **out)
{
    *out = NULL;
    if (!jinja || !*jinja)
        return KVL_OK;
    char *plain = malloc(2 * strlen(jinja) + 1);
    if (!plain)
        return kvl_fail(KVL_E_OOM, "no memory for a chat template");
    plain_form(jinja, plain);
    for (int i = 0; i < N_TEMPLATES && !*out; i++)
        if (has_markers(&MARKERS[i], plain))
            *out = &TEMPLATES[i];
    free(plain);
    if (*out)
        return KVL_OK;
    return kvl_fail(KVL_E_UNSUPPORTED, "the model's chat template is none that kvlab knows; choose one with --template NAME|none "
                    "(" KNOWN ")");
}

/* As Python's str.strip, which Jinja's trim is: Unicode's white space and U+001C..U+001F. */
static bool is_trimmed(uint32_t code)
{
    return kvl_is_white_space(code) || (code >= 0x1C && code <= 0x1F);
}

/* The part of a message that goes into the prompt: from *text on, the returned number of bytes. */
static int64_t trim(const char **text, bool trims)
{
    int size;
    int64_t n = (int64_t)strlen(*text);
    while (trims && n > 0 && is_trimmed(kvl_utf8_get(*text, 0, n, &size))) {
        *text += size;
        n -= size;
    }
    while (trims && n > 0 && is_trimmed(kvl_utf8_get_before(*text, n, &size)))
        n -= size;
    return n;
}

enum kvl_status kvl_chat_template_render(const struct kvl_chat_template *chat, const char *system, const char *user,
                                         const char *answer_prefix, char **text)
{
    static const struct parts PLAIN = {"", "", "", "", "", NULL, false};
    const struct parts *p = chat ? &PARTS[chat - TEMPLATES] : &PLAIN;
    const char *said = !chat ? NULL : system ? system : p->system;
    const char *pieces[] = {p->open,      said ? p->system_open : "", said ? said : "", said ? p->system_close : "",
                            p->user_open, user,                       p->user_close,    answer_prefix};
    enum { SYSTEM = 2, USER = 5, N_PIECES = sizeof pieces / sizeof pieces[0] };
    int64_t lengths[N_PIECES], n = 0;
    for (int i = 0; i < N_PIECES; i++)
        n += lengths[i] = trim(&pieces[i], p->trims && (i == SYSTEM || i == USER));
    char *to = *text = malloc((size_t)n + 1);
    if (!to)
        return kvl_fail(KVL_E_OOM, "no memory for a prompt of %lld bytes", (long long)n);
    for (int i = 0; i < N_PIECES; to += lengths[i++])
        memcpy(to, pieces[i], (size_t)lengths[i]);
    *to = 0;
    return KVL_OK;
}
