/* The product of what the command line lists: one configuration per method, profile, budget and set of parameter values.
 * Equal configurations (a method without a budget under several rates) appear once. */
#ifndef KVL_GRID_H
#define KVL_GRID_H

#include "harness/options.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { KVL_MAX_SETTINGS = 32, KVL_MAX_CONFIGS = 4096 };

struct kvl_config {
    const struct kvl_method *method;
    enum kvl_profile profile;
    struct kvl_budget budget; /* as given; {0} where the method has none */
    struct kvl_setting settings[KVL_MAX_SETTINGS];
    int n_settings;
    struct kvl_method_run *run; /* resolved for the model */
};

struct kvl_grid {
    struct kvl_config *configs;
    int n, n_allocated;
};

/* KVL_E_ARG where a parameter is wrong, or a setting names a method that is not in the list. */
enum kvl_status kvl_grid_init(struct kvl_grid *grid, const struct kvl_options *options, const struct kvl_shape *shape);

/* The one configuration that all others are compared with: the first method of the table with its defaults. */
enum kvl_status kvl_grid_init_reference(struct kvl_grid *grid, const struct kvl_shape *shape);
void kvl_grid_free(struct kvl_grid *grid);

/* Whether a prompt of n tokens can be run: the method's own rules (KVL_E_ARG names them) and the model's context. */
enum kvl_status kvl_config_check(const struct kvl_config *config, const struct kvl_shape *shape, int64_t n, int64_t n_new);

/* "METHOD r=0.1", for progress and warnings. */
void kvl_config_label(const struct kvl_config *config, char *text, size_t size);

#ifdef __cplusplus
}
#endif
#endif
