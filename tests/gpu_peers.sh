#!/bin/sh
# Ours and transformers on the same card in the same hour: `full`, plain and with a cache that is copied at every step, beside Hugging
# Face's model of the same shape with random weights. One table at the end.
#
#   tests/gpu_peers.sh [PROGRAM [FOLDER_OF_RESULTS]]   (a kvlab; else build/gpu/pack/kvlab and build/gpu)
#
# PYTHON names an interpreter with torch and transformers. KVLAB_GPU_CONTEXTS="8k,32k,128k". It has never run: no GPU was at hand.
set -eu
cd "$(dirname "$0")/.."
program=${1:-build/gpu/pack/kvlab}
results=${2:-build/gpu}
contexts=${KVLAB_GPU_CONTEXTS:-8k,32k,128k}
python=${PYTHON:-python3}
"$python" -c "import torch, transformers" 2>/dev/null || { echo "skipped: $python has no torch and transformers"; exit 77; }
mkdir -p "$results"
for copy in "" --copy-cache; do
    "$program" bench random:llama-3.1-8b --backend cuda --method full --context "$contexts" --new-tokens 32 --model-context 131200 \
        --time-limit 60 $copy -o "$results/ours.jsonl"
done
"$python" tests/reference/peer_transformers.py llama-3.1-8b --context "$contexts" --new-tokens 32 --time-limit 60 \
    -o "$results/transformers.jsonl"
"$program" report "$results/ours.jsonl" "$results/transformers.jsonl"
