/* A method: a row of a table with its parameters, and the policy that it becomes once they are resolved.
 *
 * Adding a method: one file that defines a `const struct kvl_method`, one row in methods/table.c, one golden file. */
#ifndef KVL_METHOD_H
#define KVL_METHOD_H

#include <stdalign.h>

#include "core/policy.h"

#ifdef __cplusplus
extern "C" {
#endif

enum kvl_param_type { KVL_PARAM_INT, KVL_PARAM_REAL, KVL_PARAM_BOOL, KVL_PARAM_CHOICE };

/* A resolved value. A choice is the index of its name. */
union kvl_value {
    int64_t i;
    double r;
    bool b;
};

/* `paper`: as its own paper defines the method; `fastkv`: as the FastKV authors ran it for their tables. */
enum kvl_profile { KVL_PROFILE_PAPER, KVL_PROFILE_FASTKV, KVL_N_PROFILES, KVL_PROFILE_DEFAULT = KVL_PROFILE_FASTKV };

struct kvl_param {
    const char *name;
    enum kvl_param_type type;
    union kvl_value defaults[KVL_N_PROFILES];
    /* Where not NULL the default depends on the model and this gives it; `text` for people says how. */
    union kvl_value (*derive)(const struct kvl_shape *shape, enum kvl_profile profile);
    const char *derived; /* "the middle layer, L/2 - 1, unless the model is in the table"; NULL without derive */
    double min, max;     /* inclusive bounds of INT and REAL */
    bool odd;            /* INT: must be odd */
    bool cuts;           /* INT: the layer whose attention chooses the prompt tokens that later computation goes on with */
    const char *const *choices; /* NULL-terminated names of a CHOICE */
    const char *help;
};

enum { KVL_MAX_PARAMS = 16, KVL_MAX_MEMORY = 16, KVL_METHOD_STATE = 4096 };

/* How much is kept: `rate` of the prompt, or `budget` entries; one is set, the other 0. Both 0: the method's own default. */
struct kvl_budget {
    double rate;
    int64_t budget;
};

/* A method bound to its parameters. Plain data plus device memory owned between begin and end. */
struct kvl_method_run {
    const struct kvl_method *method;
    enum kvl_profile profile;
    struct kvl_budget budget;
    union kvl_value values[KVL_MAX_PARAMS]; /* in the order of method->params */
    struct kvl_policy policy;               /* policy.self is this struct */
    struct kvl_ctx *ctx;                    /* between begin and end */
    void *memory[KVL_MAX_MEMORY];           /* device memory, freed by the common end */
    int n_memory;
    alignas(16) char state[KVL_METHOD_STATE]; /* the method's own, of method->state_size bytes */
};

struct kvl_method {
    const char *name;
    const char *title;
    const char *source;
    struct kvl_budget default_budget[KVL_N_PROFILES]; /* all 0: the method has no budget; kv-rate and kv-budget do nothing */
    const struct kvl_param *params; /* [n_params] */
    int n_params;
    size_t state_size; /* of the struct that lives in kvl_method_run.state, at most KVL_METHOD_STATE */
    enum kvl_status (*plan)(const struct kvl_method_run *run, const struct kvl_shape *shape, struct kvl_plan *plan);
    enum kvl_status (*begin)(struct kvl_method_run *run, const struct kvl_shape *shape, const struct kvl_plan *plan);
    enum kvl_status (*after_attention)(struct kvl_method_run *run, const struct kvl_view *view, struct kvl_verdict *verdict);
    enum kvl_status (*before_decode)(struct kvl_method_run *run, const struct kvl_view *view, struct kvl_verdict *verdict);
    enum kvl_status (*after_decode)(struct kvl_method_run *run, const struct kvl_view *view, struct kvl_verdict *verdict);
    bool evicts[KVL_N_PROFILES]; /* the decode hooks apply in this profile */
};

/* The i-th method, NULL past the end. */
const struct kvl_method *kvl_method_at(int i);

/* By name; KVL_E_ARG with the near name if there is none. */
enum kvl_status kvl_method_find(const char *name, const struct kvl_method **out);

const char *kvl_profile_name(enum kvl_profile profile);
enum kvl_status kvl_profile_find(const char *name, enum kvl_profile *out);

/* One `method.param=value` of the command line. Strings are borrowed. */
struct kvl_setting {
    const char *method, *param, *value;
};

/* Resolves every parameter: defaults of the profile for this model, then the settings that name this method. KVL_E_ARG
 * names the parameter, the value and its bounds, or the near name. The run must not move afterwards. */
enum kvl_status kvl_method_init(struct kvl_method_run *run, const struct kvl_method *method, enum kvl_profile profile,
                                struct kvl_budget budget, const struct kvl_shape *shape, const struct kvl_setting *settings,
                                int n_settings);

/* A value as text, for records and tables. */
void kvl_value_format(const struct kvl_param *param, union kvl_value value, char *text, size_t size);

/* ---- for the methods themselves --------------------------------------------------------------------------------------- */

/* Value of a parameter by name; the name must exist. */
union kvl_value kvl_run_value(const struct kvl_method_run *run, const char *param);

/* Entries that the budget allows a layer of n tokens: floor(n * rate) in double precision, or the budget. */
int64_t kvl_run_cap(const struct kvl_method_run *run, int64_t n);

/* The usage error of a cap that is smaller than what is always kept: `what` entries ("an observation window of 8"). */
enum kvl_status kvl_run_refuse_cap(const struct kvl_method_run *run, int64_t cap, int64_t n, const char *what);

/* Device memory that lives until the run ends (at most KVL_MAX_MEMORY pieces). */
enum kvl_status kvl_run_alloc(struct kvl_method_run *run, int64_t bytes, void **out);

#ifdef __cplusplus
}
#endif
#endif
