#!/usr/bin/env bash
# Runs the tests that reach the crate's `unsafe` (src/kernel/level.rs and threads.rs) where a wrong access is noticed:
#
#     tools/sanitize.sh address     AddressSanitizer, on every CPU level of this machine; needs a nightly toolchain
#     tools/sanitize.sh valgrind    memcheck, which has no AVX-512: the levels below it; needs valgrind
#
# Both run optimised code, whose loops are vectorised. Each takes a few minutes on a quiet machine; a wrong access or a lost allocation ends it with an error.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
    echo "$1" >&2
    exit 2
}

host=$(rustc -vV | sed -n 's/^host: //p')

address() {
    cargo +nightly --version > /dev/null 2>&1 || fail "a nightly toolchain is needed: rustup toolchain install nightly"
    # With --target, build scripts and macros stay without it.
    local test=(env RUSTFLAGS=-Zsanitizer=address cargo +nightly test --release -p wane --all-features --target "$host")
    "${test[@]}" --lib
    "${test[@]}" --test properties -- threads:: every_level_gives cutting_a_parameter
}

memcheck() {
    command -v valgrind > /dev/null || fail "valgrind is needed"
    # * Threads take turns, as those that spin would keep the others waiting.
    # * Nothing in the crate is uninitialised by its own doing, but optimised code works out the power of a `Pass` that has none, and
    #   drops it: so undefined values are let through, and only accesses and allocations are judged.
    # * The threads of the process's pool never end, so what they hold is only possibly lost.
    local valgrind="valgrind --quiet --fair-sched=yes --undef-value-errors=no --leak-check=full --show-leak-kinds=definite"
    valgrind+=" --errors-for-leak-kinds=definite --error-exitcode=1"
    # Its fused multiply-add loses the sign of a zero, which the tests of division look at; there is no `unsafe` in them.
    local runner=${host^^}
    env "CARGO_TARGET_${runner//-/_}_RUNNER=$valgrind" cargo test --release -p wane --all-features --lib -- \
        --test-threads=1 --skip kernel::divide
}

case "$*" in
    address) address ;;
    valgrind) memcheck ;;
    *) fail "usage: tools/sanitize.sh address|valgrind" ;;
esac
