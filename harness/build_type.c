#include "harness/build_type.h"

#include <string.h>

const char *kvl_build_type(void)
{
    return KVL_BUILD_TYPE;
}

bool kvl_build_is_timed(void)
{
#if defined NDEBUG && defined __OPTIMIZE__
    return strchr(KVL_BUILD_TYPE, ' ') == NULL;
#else
    return false;
#endif
}
