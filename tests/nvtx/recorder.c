#include "tests/nvtx/recorder.h"

#include <stdio.h>
#include <string.h>

#include <nvtx3/nvToolsExt.h>

enum { MAX_RANGES = 8192 };

static struct recorded ranges[MAX_RANGES];
static int n_ranges, depth;
static char own_domain; /* its address is the handle of "kvlab" */

static nvtxDomainHandle_t NVTX_API create_domain(const char *name)
{
    return strcmp(name, "kvlab") == 0 ? (nvtxDomainHandle_t)(void *)&own_domain : NULL;
}

static int NVTX_API push(nvtxDomainHandle_t domain, const nvtxEventAttributes_t *event)
{
    if (domain != (nvtxDomainHandle_t)(void *)&own_domain || n_ranges == MAX_RANGES)
        return -1;
    struct recorded *range = &ranges[n_ranges++];
    snprintf(range->name, sizeof range->name, "%s", event->messageType == NVTX_MESSAGE_TYPE_ASCII ? event->message.ascii : "?");
    range->payload = event->payloadType == NVTX_PAYLOAD_TYPE_INT64 ? event->payload.llValue : -1;
    range->depth = depth++;
    return range->depth;
}

static int NVTX_API pop(nvtxDomainHandle_t domain)
{
    return domain == (nvtxDomainHandle_t)(void *)&own_domain ? --depth : -1;
}

const struct recorded *recorder_list(int *n, int *n_open);
const struct recorded *recorder_list(int *n, int *n_open)
{
    *n = n_ranges;
    *n_open = depth;
    return ranges;
}

void recorder_reset(void);
void recorder_reset(void)
{
    n_ranges = depth = 0;
}

/* NVTX calls this once, before the first range. */
int InitializeInjectionNvtx2(NvtxGetExportTableFunc_t get_table);
int InitializeInjectionNvtx2(NvtxGetExportTableFunc_t get_table)
{
    NvtxFunctionTable table;
    unsigned size = 0;
    const NvtxExportTableCallbacks *callbacks = get_table(NVTX_ETID_CALLBACKS);
    if (callbacks == NULL || !callbacks->GetModuleFunctionTable(NVTX_CB_MODULE_CORE2, &table, &size) ||
        size <= NVTX_CBID_CORE2_DomainCreateA)
        return 0;
    *table[NVTX_CBID_CORE2_DomainCreateA] = (NvtxFunctionPointer)create_domain;
    *table[NVTX_CBID_CORE2_DomainRangePushEx] = (NvtxFunctionPointer)push;
    *table[NVTX_CBID_CORE2_DomainRangePop] = (NvtxFunctionPointer)pop;
    return 1;
}
