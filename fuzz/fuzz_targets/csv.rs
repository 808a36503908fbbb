#![no_main]

#[path = "../../gallery/tests/fuzz/csv.rs"]
mod csv;
#[path = "../../tests/fuzz/memory.rs"]
mod memory;
#[path = "../../gallery/tests/fuzz/source.rs"]
mod source;

libfuzzer_sys::fuzz_target!(|input: &[u8]| csv::run(input));
