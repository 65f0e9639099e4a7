#include "harness/kept_view.h"

#include <stdlib.h>

#include "core/unicode.h"
#include "harness/kept.h"

/* ---- shares ---------------------------------------------------------------------------------------------------------- */

enum kvl_status kvl_kept_shares(const struct kvl_session *session, double *shares)
{
    const struct kvl_plan *plan = &session->plan;
    int64_t n_layer = kvl_engine_model(session->engine)->shape.n_layer;
    double part = 1.0 / (double)(n_layer * plan->n_lists);
    for (int64_t i = 0; i < plan->n_prompt; i++)
        shares[i] = 0.0;
    for (int64_t l = 0; l < n_layer; l++)
        for (int64_t list = 0; list < plan->n_lists; list++) {
            int32_t *pos;
            int64_t n;
            KVL_TRY(kvl_kept_positions(session, l, list, &pos, &n));
            for (int64_t i = 0; i < n; i++)
                if (pos[i] < plan->n_prompt)
                    shares[pos[i]] += part;
            free(pos);
        }
    return KVL_OK;
}

/* ---- pieces ---------------------------------------------------------------------------------------------------------- */

/* A run of tokens that makes up whole characters (a token may hold a part of one), with their mean share. */
struct piece {
    int64_t first, n_tokens;
    char *text; /* valid UTF-8 */
    double share;
};

static enum kvl_status grow(char **text, int64_t n, const char *more, int64_t n_more)
{
    char *longer = realloc(*text, (size_t)(n + n_more) + 1);
    if (longer == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for the view");
    memcpy(longer + n, more, (size_t)n_more);
    longer[n + n_more] = '\0';
    *text = longer;
    return KVL_OK;
}

static enum kvl_status next_piece(const struct kvl_tokenizer *tokenizer, const struct kvl_ids *prompt, const double *shares,
                                  int64_t first, struct piece *piece)
{
    enum { MAX_TOKENS = 4 }; /* a character has four bytes at most */
    char *bytes = NULL;
    int64_t n = 0, count = 0;
    double sum = 0.0;
    enum kvl_status status = KVL_OK;
    do {
        int64_t n_token = 0;
        const char *token = kvl_tokenizer_token(tokenizer, prompt->data[first + count], &n_token);
        status = grow(&bytes, n, token != NULL ? token : "", token != NULL ? n_token : 0);
        n += token != NULL ? n_token : 0;
        sum += shares[first + count++];
    } while (status == KVL_OK && kvl_utf8_check(bytes, n) >= 0 && count < MAX_TOKENS && first + count < prompt->n);
    char *repaired = status == KVL_OK ? malloc((size_t)(3 * n) + 1) : NULL;
    if (repaired != NULL)
        repaired[kvl_utf8_repair(bytes, n, repaired)] = '\0';
    else if (status == KVL_OK)
        status = kvl_fail(KVL_E_OOM, "no memory for the view");
    free(bytes);
    *piece = (struct piece){first, count, repaired, sum / (double)count};
    return status;
}

/* ---- terminal -------------------------------------------------------------------------------------------------------- */

/* Background colours from "nobody kept it" to "all kept it": xterm's 256-colour cube. */
static const char *const shades[] = {"\033[38;5;244m",          "\033[38;5;252;48;5;17m", "\033[38;5;255;48;5;18m",
                                     "\033[38;5;255;48;5;19m", "\033[38;5;255;48;5;20m", "\033[38;5;255;48;5;21m"};
enum { N_SHADES = sizeof shades / sizeof *shades };

static const char *shade_of(double share)
{
    int level = share <= 0.0 ? 0 : 1 + (int)(share * (N_SHADES - 1) * 0.999999);
    return shades[level < N_SHADES ? level : N_SHADES - 1];
}

enum kvl_status kvl_kept_view_terminal(const struct kvl_tokenizer *tokenizer, const struct kvl_ids *prompt, const double *shares,
                                       FILE *stream)
{
    static const char reset[] = "\033[0m";
    fputs("share of layers and heads that kept a token: ", stream);
    for (int i = 0; i < N_SHADES; i++)
        fprintf(stream, "%s%s%s", shades[i], i == 0 ? "none" : i == N_SHADES - 1 ? " up to all " : "     ", reset);
    fputs("\n\n", stream);
    struct piece piece;
    for (int64_t i = 0; i < prompt->n; i += piece.n_tokens) {
        enum kvl_status status = next_piece(tokenizer, prompt, shares, i, &piece);
        /* The colour ends before a line does, or it would fill the rest of the line. */
        for (const char *at = piece.text; status == KVL_OK && *at != '\0';) {
            size_t n = strcspn(at, "\n");
            if (n > 0)
                fprintf(stream, "%s%.*s%s", shade_of(piece.share), (int)n, at, reset);
            at += n;
            for (; *at == '\n'; at++)
                fputc('\n', stream);
        }
        free(piece.text);
        KVL_TRY(status);
    }
    fputc('\n', stream);
    return KVL_OK;
}

/* ---- page ------------------------------------------------------------------------------------------------------------ */

static void put_escaped(const char *text, FILE *stream)
{
    for (; *text != '\0'; text++) {
        const char *entity = *text == '<' ? "&lt;" : *text == '>' ? "&gt;" : *text == '&' ? "&amp;" : *text == '"' ? "&quot;" : NULL;
        if (entity != NULL)
            fputs(entity, stream);
        else
            fputc(*text, stream);
    }
}

enum kvl_status kvl_kept_view_html(const struct kvl_tokenizer *tokenizer, const struct kvl_ids *prompt, const double *shares,
                                   const char *title, FILE *stream)
{
    fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>", stream);
    put_escaped(title, stream);
    fputs("</title>\n<style>body{font-family:sans-serif;max-width:60em;margin:2em auto}"
          "pre{white-space:pre-wrap;line-height:1.6}</style></head>\n<body><h1>", stream);
    put_escaped(title, stream);
    fputs("</h1>\n<p>The darker a token, the larger the share of layers and heads that kept it: ", stream);
    for (int i = 0; i <= 4; i++)
        fprintf(stream, "<span style=\"background:rgba(0,114,178,%.2f)\">&nbsp;%d&nbsp;%%&nbsp;</span>", 0.2 * i, 25 * i);
    fputs("</p>\n<pre>", stream);
    struct piece piece;
    for (int64_t i = 0; i < prompt->n; i += piece.n_tokens) {
        enum kvl_status status = next_piece(tokenizer, prompt, shares, i, &piece);
        if (status == KVL_OK) {
            fprintf(stream, "<span style=\"background:rgba(0,114,178,%.3f)\" title=\"token %lld: %.0f %%\">", 0.8 * piece.share,
                    (long long)i, 100.0 * piece.share);
            put_escaped(piece.text, stream);
            fputs("</span>", stream);
        }
        free(piece.text);
        KVL_TRY(status);
    }
    fputs("</pre></body></html>\n", stream);
    return ferror(stream) ? kvl_fail(KVL_E_IO, "the page cannot be written") : KVL_OK;
}
