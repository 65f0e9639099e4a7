#!/bin/sh
# Registers, shared memory, stack and spills of the kernels of the hot path, as ptxas reports them for sm_80 and sm_90a.
#
#   tests/cuda_resources.sh [NVCC]
#
# Prints a table; exit code 1 where a kernel has a stack or spills, 77 where there is no nvcc. Shared memory is the static part:
# what a launch asks for comes on top (kernels/cuda/README.md). It compiles by itself: cuobjdump is not everywhere where nvcc is.
set -eu
cd "$(dirname "$0")/.."
nvcc=${1:-$(command -v nvcc || true)}
[ -n "$nvcc" ] && [ -x "$nvcc" ] || { echo "skipped: no nvcc on this machine"; exit 77; }
# The stack of rotate's table is cosf's own, for angles beyond 100,000; it is filled once a pass.
allowed="fill_table"
hot="attend attend_cache mass linear linear_row norm swiglu rotate top_k gather append"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for name in $hot; do
    "$nvcc" -I. -O3 -std=c++20 -Xptxas -v -fatbin -o "$work/$name.fatbin" -gencode arch=compute_80,code=sm_80 \
        -gencode arch=compute_90a,code=sm_90a "kernels/cuda/$name.cu" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
    # One line a kernel: file, architecture, registers, shared, stack, spilled bytes, name.
    awk -v file="$name" '
        function count(pattern) { return match($0, "[0-9]+ " pattern) ? substr($0, RSTART) + 0 : 0 }
        /Compiling entry function/ { split($0, quoted, "\047"); kernel = quoted[2]; arch = quoted[4] }
        /bytes stack frame/ { stack = count("bytes stack"); spilled = count("bytes spill stores") + count("bytes spill loads") }
        /Used [0-9]+ registers/ { print file, arch, count("registers"), count("bytes smem"), stack, spilled, kernel }' "$work/log"
done >"$work/all"
sort -k1,1 -k2,2 -k7,7 "$work/all" | { c++filt 2>/dev/null || cat; } |
    sed -e 's/(anonymous namespace):://g; s/\((int)\|(bool)\|kvl::\|void \)//g; s/__nv_bfloat16/bf16/g' -e 's/>(.*/>/; s/(.*//' \
        >"$work/table"
[ -s "$work/table" ] || { echo "ptxas reported no kernel: has its output changed?"; exit 1; }

awk -v allowed="$allowed" '
     BEGIN { line = "%-13s %-7s %9s %9s %7s %7s  %s\n"
             printf line, "file", "arch", "registers", "shared B", "stack B", "spill B", "kernel" }
     { name = $7; for (i = 8; i <= NF; i++) name = name " " $i; printf line, $1, $2, $3, $4, $5, $6, name }
     $6 > 0 || ($5 > 0 && name != allowed) { bad++ }
     END { printf "%d kernels, %d with a stack or spills\n", NR, bad; exit bad > 0 }' "$work/table"
