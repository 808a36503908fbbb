#![no_main]

#[path = "../../gallery/tests/fuzz/idx.rs"]
mod idx;
#[path = "../../tests/fuzz/memory.rs"]
mod memory;
#[path = "../../gallery/tests/fuzz/source.rs"]
mod source;

libfuzzer_sys::fuzz_target!(|input: &[u8]| idx::run(input));
