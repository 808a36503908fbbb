#!/usr/bin/env bash
# Compares the public API with its listing in git; a difference ends it with 1. One that is meant goes into the same commit.
#
#     tools/public_api.sh            prints what differs
#     tools/public_api.sh --write    brings the listing up to date
#
# Auto traits and derived traits are left out of the listing; `tests/auto_traits.rs` pins the former.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly listing=docs/public-api.txt present=target/public-api.txt
# The tool reads what rustdoc writes about a crate, a format that changes with either: so both are pinned.
readonly tool=0.52.0 toolchain=1.95.0

fail() {
    echo "$1" >&2
    exit 2
}

[[ "$*" == "" || "$*" == --write ]] || fail "usage: tools/public_api.sh [--write]"
found=$(cargo public-api --version 2> /dev/null) || true
[ "$found" = "cargo-public-api $tool" ] ||
    fail "cargo-public-api $tool is needed, found ${found:-none}: cargo install cargo-public-api --locked --version $tool"
sysroot=$(rustc "+$toolchain" --print sysroot 2> /dev/null) ||
    fail "Rust $toolchain is needed: rustup toolchain install $toolchain"

mkdir -p target
# The toolchain's own cargo: behind rustup's the tool would take the latest nightly. The variable lets a stable one write that format.
PATH="$sysroot/bin:$PATH" RUSTC_BOOTSTRAP=1 cargo public-api -p wane -sss --all-features > "$present"

if [ "$*" = --write ]; then
    cp "$present" "$listing"
elif ! diff -u "$listing" "$present"; then
    echo "the public API is not as in $listing; if that is meant: tools/public_api.sh --write" >&2
    exit 1
fi
