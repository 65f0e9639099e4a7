#include "core/tensor_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/dequant.h"

int64_t kvl_tensor_bytes(enum kvl_tensor_type type, int64_t n, int64_t row)
{
    int64_t values = kvl_block_values(type), bytes = kvl_block_bytes(type), total;
    if (values == 0 || row % values != 0 || n % values != 0 || __builtin_mul_overflow(n / values, bytes, &total))
        return -1;
    return total;
}

int64_t kvl_tensor_count(int n_dims, const int64_t *dims)
{
    int64_t n = 1;
    for (int i = 0; i < n_dims; i++)
        if (dims[i] <= 0 || __builtin_mul_overflow(n, dims[i], &n) || n > (int64_t)1 << 62)
            return -1;
    return n;
}

enum kvl_status kvl_tensors_add(struct kvl_tensors *tensors, const struct kvl_tensor *tensor, const char *name,
                                int64_t n_name)
{
    if (tensors->n == tensors->n_allocated) {
        int64_t n = tensors->n_allocated > 0 ? 2 * tensors->n_allocated : 64;
        struct kvl_tensor *all = realloc(tensors->all, (size_t)n * sizeof *all);
        if (all == NULL)
            return kvl_fail(KVL_E_OOM, "no memory for a table of %lld tensors", (long long)n);
        tensors->all = all;
        tensors->n_allocated = n;
    }
    char *copy = strndup(name, (size_t)n_name);
    if (copy == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for a tensor's name");
    tensors->all[tensors->n] = *tensor;
    tensors->all[tensors->n++].name = copy;
    return KVL_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct kvl_tensor *)a)->name, ((const struct kvl_tensor *)b)->name);
}

enum kvl_status kvl_tensors_sort(struct kvl_tensors *tensors)
{
    if (tensors->n > 0)
        qsort(tensors->all, (size_t)tensors->n, sizeof *tensors->all, by_name);
    for (int64_t i = 1; i < tensors->n; i++)
        if (strcmp(tensors->all[i - 1].name, tensors->all[i].name) == 0)
            return kvl_fail(KVL_E_FORMAT, "tensor %s occurs twice", tensors->all[i].name);
    return KVL_OK;
}

static int by_place(const void *a, const void *b)
{
    const struct kvl_tensor *const *x = a, *const *y = b;
    return ((*x)->data > (*y)->data) - ((*x)->data < (*y)->data);
}

enum kvl_status kvl_tensors_check_overlap(const struct kvl_tensors *tensors)
{
    const struct kvl_tensor **order = malloc((size_t)(tensors->n + 1) * sizeof *order);
    if (order == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for a table of %lld tensors", (long long)tensors->n);
    enum kvl_status status = KVL_OK;
    int64_t n = 0;
    for (int64_t i = 0; i < tensors->n; i++)
        if (tensors->all[i].data != NULL)
            order[n++] = &tensors->all[i];
    qsort(order, (size_t)n, sizeof *order, by_place);
    for (int64_t i = 1; i < n && status == KVL_OK; i++)
        if (order[i]->data < order[i - 1]->data + order[i - 1]->bytes)
            status = kvl_fail(KVL_E_FORMAT, "tensors %s and %s overlap", order[i - 1]->name, order[i]->name);
    free(order);
    return status;
}

const struct kvl_tensor *kvl_tensors_find(const struct kvl_tensors *tensors, const char *name)
{
    struct kvl_tensor key = {.name = (char *)(uintptr_t)name};
    return tensors->n > 0 ? bsearch(&key, tensors->all, (size_t)tensors->n, sizeof key, by_name) : NULL;
}

void kvl_tensors_free(struct kvl_tensors *tensors)
{
    for (int64_t i = 0; i < tensors->n; i++)
        free(tensors->all[i].name);
    free(tensors->all);
    *tensors = (struct kvl_tensors){0};
}

void kvl_tensor_rows(const struct kvl_tensor *tensor, int64_t first, int64_t n, float *out)
{
    int64_t row = tensor->dims[tensor->n_dims - 1];
    int64_t row_bytes = row / kvl_block_values(tensor->type) * kvl_block_bytes(tensor->type);
    kvl_dequant(tensor->type, tensor->data + first * row_bytes, n * row, out);
}

void kvl_tensor_describe(int n_dims, const int64_t *dims, char *text, int size)
{
    int used = snprintf(text, (size_t)size, "[");
    for (int i = 0; i < n_dims && used < size; i++)
        used += snprintf(text + used, (size_t)(size - used), "%s%lld", i > 0 ? ", " : "", (long long)dims[i]);
    if (used < size)
        snprintf(text + used, (size_t)(size - used), "]");
}
