#!/bin/sh
# Everything that needs a GPU, in one command and under 8 minutes: the CUDA tests, compute-sanitizer on small shapes, and a sweep of
# all methods over a model of real size.
#
#   tests/gpu.sh [PROGRAMS [FOLDER_OF_RESULTS]]   (both as seen from the repository's root)
#
# The programs come from `cmake --preset gpu && cmake --build --preset gpu` on any machine with nvcc: build/gpu/pack, and the same as
# one file, build/gpu/pack.tar.gz. Copy either and the sources to a machine with a GPU and run this there. Records, logs and the tables go to the
# second folder ($OUT, else build/gpu/results). Exit code 0: everything ran and passed; what could not run is named at the end.
# KVLAB_GPU_CONTEXTS="8k 32k" picks the prompt lengths, KVLAB_GPU_MODEL the model.
set -u
cd "$(dirname "$0")/.."
pack=${1:-build/gpu/pack}
results=${2:-${OUT:-build/gpu/results}}
model=${KVLAB_GPU_MODEL:-random:llama-3.1-8b}
contexts=${KVLAB_GPU_CONTEXTS:-8k 32k}
case $pack in
*.tar.gz) tar xzf "$pack" -C "$(dirname "$pack")" && pack=${pack%.tar.gz} ;;
esac
case $pack in
/*) ;;
*) pack=$PWD/$pack ;;
esac
# cuBLASLt comes with the toolkit, or with a Python package (PyTorch's); which version, the program says.
cublas=$(grep -aoh 'libcublasLt\.so\.[0-9]*' "$pack"/lib/libkvlab_kernels.so 2>/dev/null | head -n 1)
cublas=$(find /usr/local/cuda/lib64/ /usr/local /usr/lib /opt -name "${cublas:-none}" -print -quit 2>/dev/null)
export LD_LIBRARY_PATH="$pack/lib${cublas:+:${cublas%/*}}${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
export KVLAB_TEST_BACKEND=cuda KVLAB_GOLDEN_DIR="$PWD/tests/golden" XDG_CACHE_HOME="${XDG_CACHE_HOME:-/tmp/kvlab-cache}"
logs="$results/logs"
mkdir -p "$logs" "$XDG_CACHE_HOME"
started=$(date +%s)
limit=460
summary="$results/summary.txt"
: >"$summary"
failed=0

note() { printf '%-34s %s\n' "$1" "$2" | tee -a "$summary"; }
left() { echo $((limit - ($(date +%s) - started))); }

# check NAME SECONDS COMMAND..: one line of the summary; the output goes to NAME.log.
check() {
    name=$1 seconds=$2
    shift 2
    [ "$(left)" -lt "$seconds" ] && seconds=$(left)
    if [ "$seconds" -le 5 ]; then
        note "$name" "NOT RUN: no time left"
        failed=1
        return
    fi
    begun=$(date +%s)
    timeout "$seconds" "$@" >"$logs/$name.log" 2>&1
    code=$?
    case $code in
    0) note "$name" "ok ($(($(date +%s) - begun)) s)" ;;
    77) note "$name" "SKIPPED: $(grep -m1 '^skipped' "$logs/$name.log")" && failed=1 ;;
    124) note "$name" "TIMED OUT after $seconds s" && failed=1 ;;
    *) note "$name" "FAILED, exit $code: $(grep -m1 -E 'error: |ERROR SUMMARY: [1-9]|[0-9] hazards|kvlab: ' "$logs/$name.log")" && failed=1 ;;
    esac
}

find_sanitizer() {
    for tool in "$(command -v compute-sanitizer)" /usr/local/cuda/bin/compute-sanitizer \
        /usr/local/cuda/compute-sanitizer/compute-sanitizer /opt/nvidia/compute-sanitizer/compute-sanitizer; do
        [ -n "$tool" ] && [ -x "$tool" ] && echo "$tool" && return
    done
    find /opt /usr/local -name compute-sanitizer -type f -print -quit 2>/dev/null
}

[ -x "$pack/kvlab" ] || { echo "$pack/kvlab is not there: cmake --preset gpu && cmake --build --preset gpu" >&2; exit 2; }
nvidia-smi --query-gpu=name,driver_version,clocks.max.sm,clocks.max.mem,memory.total --format=csv,noheader 2>/dev/null | tee -a "$summary"

for program in "$pack"/tests/test_*; do
    check "${program##*/}" 60 "$program"
done

# Every kernel on small shapes, in bf16 and f32, by a whole run of every method.
methods=$("$pack/kvlab" list methods --json | sed -n 's/^  "name": "\([a-z0-9]*\)",*$/\1/p' | paste -sd, -)
[ -n "$methods" ] || methods=full,streamingllm,h2o,snapkv,gemfilter,pyramidinfer,fastkv,random
sanitizer=$(find_sanitizer)
for tool in memcheck racecheck; do
    for dtype in bf16 f32; do
        small="bench random:tiny-mistral --backend cuda --dtype $dtype --method $methods --context 150 --new-tokens 3 --samples 2 --warmup 1"
        # The limits of the machine are measured without the tool first and are then read from the cache.
        "$pack/kvlab" $small >"$logs/small-$dtype.log" 2>&1
        if [ -n "$sanitizer" ]; then
            check "$tool-$dtype" 60 "$sanitizer" --tool "$tool" --error-exitcode 9 "$pack/kvlab" $small
        else
            note "$tool-$dtype" "NOT RUN: no compute-sanitizer on this machine" && failed=1
        fi
    done
done

# Every operation by itself at these lengths: right, and how near to what the device can do.
check kernels 90 "$pack/kvlab" bench "$model" --kernels --backend cuda --context "$(echo $contexts | tr ' ' ,)" --time-limit 15 \
    -o "$results/kernels.jsonl"
[ -f "$results/kernels.jsonl" ] && "$pack/kvlab" report "$results/kernels.jsonl" 2>&1 | tee "$results/kernels.txt"

for context in $contexts; do
    check "sweep-$context" "$(left)" "$pack/kvlab" bench "$model" --backend cuda --method "$methods" --context "$context" \
        --new-tokens 32 --samples 3 --warmup 1 --time-limit 60 -o "$results/records.jsonl"
done

cp "$summary" "$results/table.txt"
[ -f "$results/records.jsonl" ] && "$pack/kvlab" report "$results/records.jsonl" 2>&1 | tee -a "$results/table.txt"
tar czf "$results/logs.tar.gz" -C "$results" logs && rm -rf "$logs"
printf '\n%s\n' "$(grep -cE ' ok \(' "$summary") ok, $(grep -cE 'FAILED|TIMED OUT' "$summary") failed, $(grep -cE 'SKIPPED|NOT RUN' "$summary") not run, $(($(date +%s) - started)) s; everything is in $results"
exit $failed
