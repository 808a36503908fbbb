//! What the fuzz targets of the loaders have kept, replayed without a fuzzer.

#[path = "fuzz/csv.rs"]
mod csv;
#[path = "fuzz/idx.rs"]
mod idx;
#[path = "../../tests/fuzz/memory.rs"]
mod memory;
#[path = "../../tests/fuzz/replay.rs"]
mod replay;
#[path = "fuzz/source.rs"]
mod source;

use replay::replay;

#[test]
fn csv_files() {
    replay(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fuzz/csv"), csv::run);
}

#[test]
fn idx_files() {
    replay(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fuzz/idx"), idx::run);
}
