#!/bin/sh
# Ours and transformers on the same card in the same hour: `full`, plain and with a cache that is copied at every step, beside Hugging
# Face's model of the same shape with random weights. One table at the end.
#
#   tests/gpu_peers.sh [PROGRAM [RECORDS.jsonl]]   (a kvlab; else build/gpu/pack/kvlab and build/gpu/peers.jsonl)
#
# PYTHON names an interpreter with torch and transformers. KVLAB_GPU_CONTEXTS="8k,32k,128k". It has never run: no GPU was at hand.
set -eu
cd "$(dirname "$0")/.."
program=${1:-build/gpu/pack/kvlab}
records=${2:-build/gpu/peers.jsonl}
contexts=${KVLAB_GPU_CONTEXTS:-8k,32k,128k}
python=${PYTHON:-python3}
"$python" -c "import torch, transformers" 2>/dev/null || { echo "skipped: $python has no torch and transformers"; exit 77; }
for copy in "" --copy-cache; do
    "$program" bench random:llama-3.1-8b --backend cuda --method full --context "$contexts" --new-tokens 32 --model-context 131200 \
        --time-limit 60 $copy -o "$records"
done
"$python" tests/reference/peer_transformers.py llama-3.1-8b --context "$contexts" --new-tokens 32 --time-limit 60 -o "$records"
"$program" report "$records"
