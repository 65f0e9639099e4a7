#include "kernels/nvtx.h"

#ifdef KVL_NVTX

#include <pthread.h>
#include <stdio.h>

#include <nvtx3/nvToolsExt.h>

static nvtxDomainHandle_t domain; /* NULL where no tool listens */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_domain(void)
{
    domain = nvtxDomainCreateA("kvlab");
}

void kvl_nvtx_push(struct kvl_ctx *ctx, const char *name, int64_t payload)
{
    (void)ctx;
    pthread_once(&once, make_domain);
    if (domain == NULL)
        return;
    char text[64];
    snprintf(text, sizeof text, name, (long long)payload);
    nvtxEventAttributes_t event = {.version = NVTX_VERSION, .size = NVTX_EVENT_ATTRIB_STRUCT_SIZE};
    event.messageType = NVTX_MESSAGE_TYPE_ASCII;
    event.message.ascii = text;
    if (payload >= 0) {
        event.payloadType = NVTX_PAYLOAD_TYPE_INT64;
        event.payload.llValue = payload;
    }
    nvtxDomainRangePushEx(domain, &event);
}

void kvl_nvtx_pop(struct kvl_ctx *ctx)
{
    (void)ctx;
    if (domain != NULL)
        nvtxDomainRangePop(domain);
}

#else

void kvl_nvtx_push(struct kvl_ctx *ctx, const char *name, int64_t payload)
{
    (void)ctx, (void)name, (void)payload;
}

void kvl_nvtx_pop(struct kvl_ctx *ctx)
{
    (void)ctx;
}

#endif
