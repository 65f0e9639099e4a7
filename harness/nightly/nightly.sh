#!/bin/sh
# One night: runs an experiment to a dated file, goes on with it where a run was cut off, and compares it with the base and with the
# last night. Exit code 1 where something became worse.
#   nightly.sh [EXPERIMENT] [FOLDER]   default harness/experiments/nightly.json, .kvlab/nightly
#   KVLAB           the program (default build/release/kvlab)
#   KVLAB_COMPARE   more options for compare, such as --threshold-latency 0.1
#   KVLAB_NIGHT     the night's name in place of the date
# FOLDER/base.jsonl is a link to the first night; to accept a change, point it at a newer one. FOLDER/last.jsonl follows by itself.
set -eu
cd "$(dirname "$0")/../.."
kvlab=${KVLAB:-build/release/kvlab} experiment=${1:-harness/experiments/nightly.json} folder=${2:-.kvlab/nightly}
night=${KVLAB_NIGHT:-$(date -u +%Y-%m-%d)}.jsonl

mkdir -p "$folder"
"$kvlab" run "$experiment" -o "$folder/$night"

status=0
for side in base last; do
    against=$(readlink "$folder/$side.jsonl" || true)
    [ -n "$against" ] || ln -s "$night" "$folder/$side.jsonl"
    [ -n "$against" ] && [ "$against" != "$night" ] || continue
    [ "$side" = base ] || [ "$against" != "$(readlink "$folder/base.jsonl")" ] || continue
    printf '\n== against %s (%s)\n' "$side" "$against"
    # shellcheck disable=SC2086
    "$kvlab" compare "$folder/$against" "$folder/$night" ${KVLAB_COMPARE:-} || status=1
done
ln -sfn "$night" "$folder/last.jsonl"
exit $status
