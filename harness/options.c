#include "harness/options.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* A value that the list holds already would be run twice. */
static enum kvl_status push_word(struct kvl_words *words, const char *text, size_t n)
{
    for (int i = 0; i < words->n; i++)
        if (strlen(words->items[i]) == n && memcmp(words->items[i], text, n) == 0)
            return KVL_OK;
    char **items = realloc(words->items, (size_t)(words->n + 1) * sizeof *items);
    if (items == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for the options");
    words->items = items;
    items[words->n] = strndup(text, n);
    if (items[words->n] == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for the options");
    words->n++;
    return KVL_OK;
}

enum kvl_status kvl_words_parse(const char *option, const char *text, struct kvl_words *out)
{
    for (const char *at = text;; at++) {
        size_t n = strcspn(at, ",");
        KVL_REQUIRE(n > 0, "%s: '%s' has an empty item: separate names by single commas", option, text);
        KVL_TRY(push_word(out, at, n));
        at += n;
        if (*at == '\0')
            return KVL_OK;
    }
}

void kvl_words_free(struct kvl_words *words)
{
    for (int i = 0; i < words->n; i++)
        free(words->items[i]);
    free(words->items);
    *words = (struct kvl_words){0};
}

static enum kvl_status push_real(struct kvl_reals *reals, double value)
{
    for (int i = 0; i < reals->n; i++)
        if (reals->items[i] == value)
            return KVL_OK;
    double *items = realloc(reals->items, (size_t)(reals->n + 1) * sizeof *items);
    if (items == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for the options");
    reals->items = items;
    items[reals->n++] = value;
    return KVL_OK;
}

/* A number with an optional k or m behind it; *end points past it. */
static bool read_number(const char *text, const char **end, double *value)
{
    char *stop;
    if (strchr("0123456789.-+", *text) == NULL || *text == '\0')
        return false;
    *value = strtod(text, &stop);
    if (stop == text)
        return false;
    if (*stop == 'k' || *stop == 'K')
        *value *= 1024.0, stop++;
    else if (*stop == 'm' || *stop == 'M')
        *value *= 1048576.0, stop++;
    *end = stop;
    return isfinite(*value);
}

static enum kvl_status push_range(const char *option, const char *text, double first, const char *at, struct kvl_reals *out)
{
    double last, step;
    const char *end;
    if (!read_number(at + 1, &end, &last) || *end != ':' || !read_number(end + 1, &end, &step) || *end != '\0')
        return kvl_fail(KVL_E_ARG, "%s: '%s' is not a range: write first:last:step", option, text);
    KVL_REQUIRE(step > 0.0 && last >= first && (last - first) / step < 10000.0,
                "%s: the range '%s' must ascend in steps above 0, at most 10000 of them", option, text);
    int64_t n = (int64_t)floor((last - first) / step + 1e-9);
    for (int64_t i = 0; i <= n; i++) {
        char rounded[32]; /* 0.1 + 2 * 0.1 shall be 0.3 */
        snprintf(rounded, sizeof rounded, "%.12g", first + (double)i * step);
        KVL_TRY(push_real(out, strtod(rounded, NULL)));
    }
    return KVL_OK;
}

enum kvl_status kvl_reals_parse(const char *option, const char *text, struct kvl_reals *out)
{
    struct kvl_words words = {0};
    enum kvl_status status = kvl_words_parse(option, text, &words);
    for (int i = 0; i < words.n && status == KVL_OK; i++) {
        const char *end;
        double value;
        if (!read_number(words.items[i], &end, &value) || (*end != '\0' && *end != ':'))
            status = kvl_fail(KVL_E_ARG, "%s: '%s' is not a number", option, words.items[i]);
        else if (*end == ':')
            status = push_range(option, words.items[i], value, end, out);
        else
            status = push_real(out, value);
    }
    kvl_words_free(&words);
    return status;
}

enum kvl_status kvl_number_parse(const char *option, const char *text, bool whole, double min, double max, double *out)
{
    const char *end;
    if (!read_number(text, &end, out) || *end != '\0' || (whole ? *out != floor(*out) : strpbrk(text, "kKmM") != NULL))
        return kvl_fail(KVL_E_ARG, "%s: '%s' is not a %s", option, text, whole ? "whole number" : "number");
    if (*out < min || *out > max)
        return kvl_fail(KVL_E_ARG, "%s %s is out of range: give %.15g to %.15g", option, text, min, max);
    return KVL_OK;
}

void kvl_options_init(struct kvl_options *options, const struct kvl_command *command, int argc, char **argv)
{
    *options = (struct kvl_options){.command = command, .argc = argc, .argv = argv, .backend = "auto", .dtype = KVL_BF16,
                                    .n_samples = 10, .n_warmups = 2, .window = -1, .bound = -1, .threshold_score = 0.02,
                                    .threshold_nats = 0.01, .threshold_latency = 0.05, .threshold_memory = 0.02, .alpha = 0.05};
}

void kvl_options_free(struct kvl_options *options)
{
    struct kvl_words *words[] = {&options->positional, &options->methods, &options->tasks, &options->phases, &options->profiles,
                                 &options->operations};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        kvl_words_free(words[i]);
    free(options->contexts.items);
    free(options->kv_rates.items);
    free(options->kv_budgets.items);
    free(options->layers.items);
    free(options->tops.items);
    for (int i = 0; i < options->n_settings; i++) {
        free(options->settings[i].method);
        free(options->settings[i].param);
        kvl_words_free(&options->settings[i].values);
    }
    free(options->settings);
    free(options->given);
    *options = (struct kvl_options){0};
}
