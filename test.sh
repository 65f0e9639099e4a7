#!/bin/sh
# Installs what is missing, builds, fetches the test models, runs every test. `./test.sh asan` tests another preset.
set -eu
cd "$(dirname "$0")"
. harness/setup.sh
. tests/fetch_tokenizers.sh

preset=${1:-release}
install_packages
slurm=$(missing_of slurm-wlm munge) # one test runs a real Slurm; without it, it is skipped
[ -z "$slurm" ] || DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $slurm >/dev/null 2>&1 ||
    printf 'Slurm could not be installed: its test will be skipped\n' >&2
build "$preset"
fetch_small_model || printf 'the small model could not be fetched: its tests will be skipped\n' >&2
fetch_tokenizers || printf 'the LLaMA-3 and Tekken tokenizers could not be fetched: their tests will be skipped\n' >&2
[ -f "$SMALL_MODEL" ] && export KVLAB_SMALL_MODEL="$PWD/$SMALL_MODEL"
export KVLAB_TOKENIZERS="$PWD/models/tokenizers"
say "testing"
ctest --preset "$preset" -j "$(nproc)"
