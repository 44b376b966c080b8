#!/usr/bin/env bash
# Measures which lines and branches of the firmware crates their own tests reach.
# Usage: bash firmware-under-test/coverage.sh [CRATE...]
#
# Writes coverage.json (llvm.coverage.json.export) and coverage.sha256 (the sources that were measured) to target/coverage,
# for `cooltwin evidence --coverage target/coverage/coverage.json`. Takes cargo llvm-cov where it is installed, else the
# llvm-cov and llvm-profdata of the LLVM that rustc was made with. Ends with 3 where there is neither.
set -euo pipefail
cd "$(dirname "$0")/.."

crates=("$@")
[ $# -gt 0 ] || crates=(units protocol pump orchestrator safety-common safety-cpu1 safety-cpu2)
packages=("${crates[@]/#/--package=}")
out="${CARGO_TARGET_DIR:-target}/coverage"
mkdir -p "$out"
out="$(cd "$out" && pwd)"
rm -f "$out/coverage.json" "$out/coverage.sha256"

# Random tests draw the same each time, so that a line that only they reach is reached in every measurement.
export PROPTEST_RNG_SEED=1
# Counting branches is an option that the compiler does not call stable.
export RUSTC_BOOTSTRAP=1
branches=-Zcoverage-options=branch
major="$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')"

# The tool's name where its major version is the compiler's: another one may not read the profiles.
fitting() {
    local name
    for name in "$1" "$1-$major"; do
        if command -v "$name" >/dev/null && "$name" --version | grep "LLVM version $major\." >/dev/null; then
            echo "$name"
            return
        fi
    done
    return 1
}

sources() {
    find firmware-under-test -name '*.rs' -type f | LC_ALL=C sort | xargs sha256sum
}

# cargo llvm-cov takes the tools that rustup installs beside the compiler, unless it is told of others.
if cov="$(fitting llvm-cov)" && profdata="$(fitting llvm-profdata)"; then
    export LLVM_COV="${LLVM_COV:-$(command -v "$cov")}" LLVM_PROFDATA="${LLVM_PROFDATA:-$(command -v "$profdata")}"
else
    cov="" profdata=""
fi

before="$(sources)"
if cargo llvm-cov --version >/dev/null 2>&1; then
    echo "measuring with $(cargo llvm-cov --version)"
    RUSTFLAGS="$branches" CARGO_TARGET_DIR="$out" \
        cargo llvm-cov test --locked "${packages[@]}" --json --output-path "$out/measured.json"
elif [ -n "$cov" ]; then
    echo "measuring with $cov and $profdata, LLVM $major"
    raw="$out/raw"
    rm -rf "$raw"
    export CARGO_TARGET_DIR="$out" RUSTFLAGS="-Cinstrument-coverage $branches" LLVM_PROFILE_FILE="$raw/%m.profraw"
    cargo test --locked "${packages[@]}" --no-run --message-format=json >"$out/build.json"
    objects=()
    while IFS= read -r object; do
        objects+=("--object=$object")
    done < <(sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' "$out/build.json")
    cargo test --locked "${packages[@]}" --lib --bins --tests
    "$profdata" merge --sparse -o "$out/merged.profdata" "$raw"/*.profraw
    "$cov" export --format=text --instr-profile="$out/merged.profdata" "${objects[@]}" >"$out/measured.json"
else
    printf '\n!! NOT MEASURED: neither cargo llvm-cov nor llvm-cov and llvm-profdata of LLVM %s are installed here.\n' "$major" >&2
    printf '!! Install one: cargo install cargo-llvm-cov, or apt-get install llvm-%s\n' "$major" >&2
    exit 3
fi

if [ "$before" != "$(sources)" ]; then
    printf '\n!! NOT MEASURED: sources changed while they were measured.\n' >&2
    exit 1
fi
mv "$out/measured.json" "$out/coverage.json"
printf '%s\n' "$before" >"$out/coverage.sha256"
echo "$out/coverage.json"
