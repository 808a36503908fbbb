#![no_main]

#[path = "../../tests/fuzz/memory.rs"]
mod memory;
#[path = "../../tests/fuzz/states.rs"]
mod states;

libfuzzer_sys::fuzz_target!(|input: &[u8]| states::run(input));
