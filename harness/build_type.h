/* How this program was built. */
#ifndef KVL_BUILD_TYPE_H
#define KVL_BUILD_TYPE_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* "release", "debug", ..., with sanitizers behind it: "relwithdebinfo address,undefined". */
const char *kvl_build_type(void);

/* Whether its times mean anything: optimized, without assertions and sanitizers. */
bool kvl_build_is_timed(void);

#ifdef __cplusplus
}
#endif
#endif
