#!/bin/sh
# Where a prefill's time goes on a GPU, by Nsight Systems: kernels and ranges of each method, and the gaps between kernels.
#
#   tests/gpu_profile.sh [PROGRAM [FOLDER_OF_RESULTS]]   (a kvlab; else build/gpu/pack/kvlab and build/gpu/profile)
#   tests/gpu_profile.sh --self-test                      (the arithmetic alone, on made-up files: runs anywhere)
#
# Writes METHOD.nsys-rep, METHOD.kernels.csv and METHOD.ranges.csv, and prints the share of gaps in the last prefill, which should be
# below 3 %. KVLAB_GPU_MODEL, KVLAB_GPU_CONTEXT and KVLAB_GPU_METHODS choose. The part that calls nsys has never run: no GPU was at hand.
set -eu

# gaps KERNELS.csv RANGES.csv: of the last range `prefill`, as the device saw it, the share in which no kernel ran. The first file is
# nsys' report cuda_gpu_trace, the second nvtx_gpu_proj_trace; columns are found by their titles, lines may come in any order.
gaps() {
    awk -F, '
        function column(title,    i) { for (i = 1; i <= NF; i++) if ($i == title) return i; print "no column " title; exit 2 }
        NR == 1 { start = column("Projected Start (ns)"); span = column("Projected Duration (ns)"); name = column("Name"); next }
        NR == FNR { if ($name ~ /prefill"?$/ && $start > begin) { begin = $start; end = $start + $span } next }
        FNR == 1 { start = column("Start (ns)"); span = column("Duration (ns)"); next }
        $start + $span > begin && $start < end { printf "%.0f %.0f %.0f %.0f\n", $start, $start + $span, begin, end }' "$2" "$1" |
        sort -n |
        awk '{ from = $1 > $3 ? $1 : $3; to = $2 < $4 ? $2 : $4; from = from > seen ? from : seen
               if (to > from) { busy += to - from; seen = to }
               whole = $4 - $3; n++ }
             END { if (whole <= 0) { print "no prefill"; exit 1 }
                   printf "%.2f %% gaps in a prefill of %.3f ms, %d kernels\n", 100 * (1 - busy / whole), whole / 1e6, n }'
}

self_test() {
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    # Two prefills; behind 20 s in the second, 1000 to 2000, kernels at 950-1100, 1200-1500 and, overlapping, 1400-1990: busy 100 + 790 of 1000.
    cat >"$work/ranges" <<END
Name,Projected Start (ns),Projected Duration (ns),Orig Start (ns)
kvlab:prefill,20000000100,500,90
"kvlab:prefill",20000001000,1000,900
kvlab:decode step,20000003000,100,2900
END
    cat >"$work/kernels" <<END
Start (ns),Duration (ns),CorrId,Name
20000001400,590,4,"mass<(int)128, 1>"
20000000120,300,1,norm
20000000950,150,2,norm
20000001200,300,3,attend
20000003000,50,5,append
END
    expected="11.00 % gaps in a prefill of 0.001 ms, 3 kernels"
    [ "$(gaps "$work/kernels" "$work/ranges")" = "$expected" ] || { gaps "$work/kernels" "$work/ranges"; exit 1; }
    sed -i 's/prefill/other/' "$work/ranges"
    ! gaps "$work/kernels" "$work/ranges" >"$work/out" && [ "$(cat "$work/out")" = "no prefill" ]
}

if [ "${1:-}" = "--self-test" ]; then
    self_test
    exit
fi
cd "$(dirname "$0")/.."
program=${1:-build/gpu/pack/kvlab}
results=${2:-build/gpu/profile}
command -v nsys >/dev/null || { echo "skipped: no nsys on this machine; it comes with the CUDA toolkit (Nsight Systems)"; exit 77; }
[ -x "$program" ] || { echo "$program is not there: cmake --preset gpu && cmake --build --preset gpu" >&2; exit 2; }
mkdir -p "$results"
export XDG_CACHE_HOME="${XDG_CACHE_HOME:-/tmp/kvlab-cache}"
methods=${KVLAB_GPU_METHODS:-full streamingllm h2o snapkv gemfilter pyramidinfer random fastkv}
run="$program bench ${KVLAB_GPU_MODEL:-random:llama-3.1-8b} --backend cuda --context ${KVLAB_GPU_CONTEXT:-32k} --phase e2e \
    --new-tokens 8 --warmup 1 --samples 1"

$run --method full >"$results/ceilings.log" 2>&1 # the machine's limits are measured without the profiler, and kept
for method in $methods; do
    nsys profile --force-overwrite true --trace=cuda,nvtx --nvtx-domain-include=kvlab --cuda-graph-trace=node \
        -o "$results/$method" $run --method "$method" >"$results/$method.log" 2>&1
    for report in cuda_gpu_kern_sum:kernels nvtx_sum:ranges cuda_gpu_trace:trace nvtx_gpu_proj_trace:projected; do
        nsys stats --force-export true --report "${report%:*}" --format csv "$results/$method.nsys-rep" 2>/dev/null |
            sed -n '/(ns)/,$p' >"$results/$method.${report#*:}.csv"
    done
    printf '%-14s %s\n' "$method" "$(gaps "$results/$method.trace.csv" "$results/$method.projected.csv")"
done | tee "$results/gaps.txt"
