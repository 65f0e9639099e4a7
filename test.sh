#!/bin/sh
# Installs what is missing, builds, fetches the test models, runs every test. `./test.sh asan` tests another preset.
set -eu
cd "$(dirname "$0")"
. harness/setup.sh
. tests/fetch_tokenizers.sh

preset=${1:-release}
install_packages
build "$preset"
fetch_small_model || printf 'the small model could not be fetched: its tests will be skipped\n' >&2
fetch_tokenizers || printf 'the LLaMA-3 and Tekken tokenizers could not be fetched: their tests will be skipped\n' >&2
[ -f "$SMALL_MODEL" ] && export KVLAB_SMALL_MODEL="$PWD/$SMALL_MODEL"
export KVLAB_TOKENIZERS="$PWD/models/tokenizers"
say "testing"
ctest --preset "$preset" -j "$(nproc)"
