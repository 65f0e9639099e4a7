/* Shapes of published models, for random:NAME. */
#include "core/presets.h"

#include <string.h>

#include "core/nearest.h"

#define LLAMA3_ROPE(scale)                                                                                     \
    {.theta = 500000.0, .scaling = KVL_ROPE_LLAMA3, .factor = (scale), .low_freq_factor = 1, .high_freq_factor = 4, \
     .original_context = 8192}

/* A row and its windows: layers i with i % period != 0 slide (period 1: none does, 0: all do). */
static const struct {
    struct kvl_preset preset;
    int32_t window;
    int period;
} PRESETS[] = {
    {{"llama-3.1-8b", "LLaMA-3.1-8B", "meta-llama/Llama-3.1-8B, config.json",
      {.architecture = "llama", .n_layer = 32, .n_embd = 4096, .n_head = 32, .n_kv = 8, .head_size = 128, .n_ff = 14336,
       .n_vocab = 128256, .n_context = 131072, .norm_eps = 1e-5f, .rope = LLAMA3_ROPE(8)}}, 0, 1},
    {{"llama-3.2-1b", "LLaMA-3.2-1B", "meta-llama/Llama-3.2-1B, config.json",
      {.architecture = "llama", .n_layer = 16, .n_embd = 2048, .n_head = 32, .n_kv = 8, .head_size = 64, .n_ff = 8192,
       .n_vocab = 128256, .n_context = 131072, .tied = true, .norm_eps = 1e-5f, .rope = LLAMA3_ROPE(32)}}, 0, 1},
    /* The model card gives the attention pattern "Ragged (128k,32k,32k,32k)": one full layer, then three that slide. */
    {{"ministral-8b", "Ministral-8B-2410", "mistralai/Ministral-8B-Instruct-2410, model card and config.json",
      {.architecture = "ministral", .n_layer = 36, .n_embd = 4096, .n_head = 32, .n_kv = 8, .head_size = 128,
       .n_ff = 12288, .n_vocab = 131072, .n_context = 131072, .norm_eps = 1e-5f, .rope = {.theta = 1e8}}}, 32768, 4},
    {{"mistral-nemo-12b", "Mistral-NeMo-12B", "mistralai/Mistral-Nemo-Instruct-2407, config.json",
      {.architecture = "mistral", .n_layer = 40, .n_embd = 5120, .n_head = 32, .n_kv = 8, .head_size = 128, .n_ff = 14336,
       .n_vocab = 131072, .n_context = 131072, .norm_eps = 1e-5f, .rope = {.theta = 1e6}}}, 0, 1},
    {{"mistral-7b-v0.3", "Mistral-7B-v0.3", "mistralai/Mistral-7B-v0.3, config.json",
      {.architecture = "mistral", .n_layer = 32, .n_embd = 4096, .n_head = 32, .n_kv = 8, .head_size = 128, .n_ff = 14336,
       .n_vocab = 32768, .n_context = 32768, .norm_eps = 1e-5f, .rope = {.theta = 1e6}}}, 0, 1},
    {{"smollm2-135m", "SmolLM2-135M", "HuggingFaceTB/SmolLM2-135M, config.json",
      {.architecture = "llama", .n_layer = 30, .n_embd = 576, .n_head = 9, .n_kv = 3, .head_size = 64, .n_ff = 1536,
       .n_vocab = 49152, .n_context = 8192, .tied = true, .norm_eps = 1e-5f, .rope = {.theta = 1e5}}}, 0, 1},
    {{"smollm2-360m", "SmolLM2-360M", "HuggingFaceTB/SmolLM2-360M, config.json",
      {.architecture = "llama", .n_layer = 32, .n_embd = 960, .n_head = 15, .n_kv = 5, .head_size = 64, .n_ff = 2560,
       .n_vocab = 49152, .n_context = 8192, .tied = true, .norm_eps = 1e-5f, .rope = {.theta = 1e5}}}, 0, 1},
    {{"smollm2-1.7b", "SmolLM2-1.7B", "HuggingFaceTB/SmolLM2-1.7B, config.json",
      {.architecture = "llama", .n_layer = 24, .n_embd = 2048, .n_head = 32, .n_kv = 32, .head_size = 64, .n_ff = 8192,
       .n_vocab = 49152, .n_context = 8192, .tied = true, .norm_eps = 1e-5f, .rope = {.theta = 130000}}}, 0, 1},
    {{"tiny-llama", "tiny LLaMA", "kvlab, for tests",
      {.architecture = "llama", .n_layer = 6, .n_embd = 96, .n_head = 6, .n_kv = 2, .head_size = 16, .n_ff = 160,
       .n_vocab = 320, .n_context = 8192, .tied = true, .norm_eps = 1e-5f, .rope = {.theta = 10000}}}, 0, 1},
    {{"tiny-mistral", "tiny Mistral", "kvlab, for tests",
      {.architecture = "mistral", .n_layer = 6, .n_embd = 64, .n_head = 8, .n_kv = 2, .head_size = 16, .n_ff = 48,
       .n_vocab = 320, .n_context = 8192, .norm_eps = 1e-5f, .rope = {.theta = 10000}}}, 48, 0},
};
enum { N_PRESETS = sizeof PRESETS / sizeof *PRESETS };

const struct kvl_preset *kvl_preset_at(int i)
{
    return i >= 0 && i < N_PRESETS ? &PRESETS[i].preset : NULL;
}

static const char *preset_name(const void *context, int i)
{
    (void)context;
    return i < N_PRESETS ? PRESETS[i].preset.name : NULL;
}

enum kvl_status kvl_preset_shape(const char *name, struct kvl_shape *shape)
{
    for (int i = 0; i < N_PRESETS; i++) {
        if (strcmp(name, PRESETS[i].preset.name) != 0)
            continue;
        *shape = PRESETS[i].preset.shape;
        for (int64_t l = 0; l < shape->n_layer; l++)
            shape->window[l] = PRESETS[i].period == 0 || l % PRESETS[i].period != 0 ? PRESETS[i].window : 0;
        return KVL_OK;
    }
    const char *near = kvl_nearest(name, preset_name, NULL);
    if (near != NULL)
        return kvl_fail(KVL_E_ARG, "random:%.100s: there is no such preset; did you mean random:%s?", name, near);
    return kvl_fail(KVL_E_ARG, "random:%.100s: there is no such preset; `kvlab list models` shows them", name);
}
