#!/usr/bin/env bash
# Builds this crate in dev and in release, runs both by turns, and prints how much slower dev is, case by case.
set -euo pipefail
cd "$(dirname "$0")"
target="${CARGO_TARGET_DIR:-$PWD/target}"
turns="${1:-5}"

cargo build --quiet
cargo build --quiet --release
for _ in $(seq "$turns"); do
    for profile in debug release; do
        "$target/$profile/downstream" | sed "s/^/$profile /"
    done
done | awk '
    function keep(times, name, time) { if (!(name in times) || time < times[name]) times[name] = time }
    $1 == "debug"   { keep(debug, $2, $3); if (!seen[$2]++) order[++cases] = $2 }
    $1 == "release" { keep(release, $2, $3) }
    END {
        print "| case | dev, ns | release, ns | dev / release |"
        print "|------|--------:|------------:|--------------:|"
        for (i = 1; i <= cases; i++) {
            name = order[i]
            printf "| %s | %d | %d | %.2f |\n", name, debug[name], release[name], debug[name] / release[name]
        }
    }'
