//! What the fuzz targets have kept, replayed without a fuzzer.

mod common;
#[path = "fuzz/memory.rs"]
mod memory;
#[path = "fuzz/replay.rs"]
mod replay;
#[path = "fuzz/settings.rs"]
mod settings;
#[cfg(feature = "safetensors")]
#[path = "fuzz/states.rs"]
mod states;
#[path = "fuzz/texts.rs"]
mod texts;

use replay::replay;

#[test]
fn all_texts() {
    replay(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fuzz/texts"), texts::run);
}

#[test]
fn all_settings() {
    replay(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fuzz/settings"), settings::run);
}

#[cfg(feature = "safetensors")]
#[test]
fn all_states() {
    replay(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fuzz/states"), states::run);
}
