#include "core/shape.h"

#include <math.h>

/* Bounds that no published model comes near; they keep every product of sizes inside 64 bits. */
enum { MAX_EMBD = 1 << 20, MAX_FF = 1 << 22, MAX_VOCAB = 1 << 24, MAX_HEADS = 1 << 12, MAX_CONTEXT = 1 << 30 };

static enum kvl_status in_range(const char *name, int64_t value, int64_t least, int64_t most)
{
    if (value < least || value > most)
        return kvl_fail(KVL_E_UNSUPPORTED, "%s is %lld; kvlab runs models with %lld to %lld", name, (long long)value,
                        (long long)least, (long long)most);
    return KVL_OK;
}

static enum kvl_status check_heads(const struct kvl_shape *s)
{
    KVL_TRY(in_range("num_attention_heads", s->n_head, 1, MAX_HEADS));
    KVL_TRY(in_range("num_key_value_heads", s->n_kv, 1, s->n_head));
    if (s->n_head % s->n_kv != 0)
        return kvl_fail(KVL_E_UNSUPPORTED, "num_attention_heads %lld is not a multiple of num_key_value_heads %lld",
                        (long long)s->n_head, (long long)s->n_kv);
    if (s->n_head / s->n_kv > KVL_MAX_GROUP)
        return kvl_fail(KVL_E_UNSUPPORTED, "%lld query heads share a KV head; kvlab runs models with up to %d",
                        (long long)(s->n_head / s->n_kv), KVL_MAX_GROUP);
    KVL_TRY(in_range("head_dim", s->head_size, 2, KVL_MAX_HEAD_SIZE));
    if (s->head_size % 2 != 0)
        return kvl_fail(KVL_E_UNSUPPORTED, "head_dim is %lld; rotary embedding needs an even one", (long long)s->head_size);
    return KVL_OK;
}

static enum kvl_status in_real_range(const char *name, double value, double least, double most)
{
    if (!(value >= least && value <= most))
        return kvl_fail(KVL_E_UNSUPPORTED, "%s is %g; kvlab runs models with %g to %g", name, value, least, most);
    return KVL_OK;
}

static enum kvl_status check_rope(const struct kvl_shape *s)
{
    const struct kvl_rope *r = &s->rope;
    KVL_TRY(in_real_range("rope_theta", r->theta, 1, 1e15));
    if (r->scaling != KVL_ROPE_NONE)
        KVL_TRY(in_real_range("the factor of rope_scaling", r->factor, 1e-3, 1e6));
    if (r->scaling == KVL_ROPE_LLAMA3) {
        KVL_TRY(in_real_range("low_freq_factor of rope_scaling", r->low_freq_factor, 1e-3, 1e6));
        KVL_TRY(in_real_range("high_freq_factor of rope_scaling", r->high_freq_factor, 1e-3, 1e6));
        if (r->high_freq_factor <= r->low_freq_factor)
            return kvl_fail(KVL_E_UNSUPPORTED, "high_freq_factor %g of rope_scaling is not above low_freq_factor %g",
                            r->high_freq_factor, r->low_freq_factor);
        KVL_TRY(in_range("original_max_position_embeddings of rope_scaling", r->original_context, 1, MAX_CONTEXT));
    }
    if (r->scaling == KVL_ROPE_DIVISORS)
        for (int64_t c = 0; c < s->head_size / 2; c++)
            KVL_TRY(in_real_range("a divisor in rope_freqs.weight", r->divisor[c], 1e-6, 1e9));
    return KVL_OK;
}

enum kvl_status kvl_shape_check(const struct kvl_shape *s)
{
    KVL_TRY(in_range("num_hidden_layers", s->n_layer, 1, KVL_MAX_LAYERS));
    KVL_TRY(in_range("hidden_size", s->n_embd, 1, MAX_EMBD));
    KVL_TRY(check_heads(s));
    KVL_TRY(in_range("intermediate_size", s->n_ff, 1, MAX_FF));
    KVL_TRY(in_range("vocab_size", s->n_vocab, 1, MAX_VOCAB));
    KVL_TRY(in_range("max_position_embeddings", s->n_context, 1, MAX_CONTEXT));
    KVL_TRY(in_real_range("rms_norm_eps", (double)s->norm_eps, 0, 1));
    KVL_TRY(check_rope(s));
    for (int64_t i = 0; i < s->n_layer; i++)
        KVL_TRY(in_range("sliding_window", s->window[i], 0, INT32_MAX));
    return KVL_OK;
}

/* transformers' "llama3": wave lengths above original/low are divided by the factor, those below original/high stay, and
 * between them the two are mixed linearly in original/wavelength. */
static double llama3(const struct kvl_rope *rope, double frequency)
{
    double wavelength = 2 * M_PI / frequency, original = (double)rope->original_context;
    if (wavelength < original / rope->high_freq_factor)
        return frequency;
    if (wavelength > original / rope->low_freq_factor)
        return frequency / rope->factor;
    double mix = (original / wavelength - rope->low_freq_factor) / (rope->high_freq_factor - rope->low_freq_factor);
    return (1 - mix) * frequency / rope->factor + mix * frequency;
}

void kvl_rope_inv_freq(const struct kvl_shape *shape, float *inv_freq)
{
    const struct kvl_rope *rope = &shape->rope;
    for (int64_t c = 0; c < shape->head_size / 2; c++) {
        double f = pow(rope->theta, -2.0 * (double)c / (double)shape->head_size);
        switch (rope->scaling) {
        case KVL_ROPE_NONE: break;
        case KVL_ROPE_LINEAR: f /= rope->factor; break;
        case KVL_ROPE_LLAMA3: f = llama3(rope, f); break;
        case KVL_ROPE_DIVISORS: f /= (double)rope->divisor[c]; break;
        }
        inv_freq[c] = (float)f;
    }
}

int64_t kvl_shape_n_linear(const struct kvl_shape *s)
{
    int64_t q = s->n_head * s->head_size, kv = s->n_kv * s->head_size;
    return s->n_layer * (s->n_embd * (2 * q + 2 * kv) + 3 * s->n_embd * s->n_ff);
}

int64_t kvl_shape_n_params(const struct kvl_shape *s)
{
    int64_t norms = (2 * s->n_layer + 1) * s->n_embd, tables = s->n_vocab * s->n_embd * (s->tied ? 1 : 2);
    return kvl_shape_n_linear(s) + norms + tables;
}
