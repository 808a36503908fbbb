//! No variant of the error type is left out.

const SOURCE: &str = include_str!("../../src/error.rs");

/// Where the variants are provoked.
const TESTS: [&str; 8] = [
    include_str!("decays.rs"),
    include_str!("gradients.rs"),
    include_str!("groups.rs"),
    include_str!("numbers.rs"),
    include_str!("rounding.rs"),
    include_str!("settings.rs"),
    include_str!("steps.rs"),
    include_str!("texts.rs"),
];

/// Only arrays have a memory layout: these belong to the tests of the feature `ndarray`.
const OF_ARRAYS: [&str; 2] = ["NotRowMajor", "GradientShape"];

/// The names of the variants, read from the definition: an enum that is `non_exhaustive` cannot be matched completely from here.
fn variants() -> Vec<&'static str> {
    let (_, body) = SOURCE.split_once("pub enum Error {").expect("the definition");
    let (body, _) = body.split_once("\n}").expect("its end");
    let name = |line: &'static str| line.strip_prefix("    ")?.strip_suffix(" {").filter(|name| !name.starts_with(' '));
    body.lines().filter_map(name).collect()
}

#[test]
fn every_variant_is_provoked_by_a_test() {
    let variants = variants();
    assert!(variants.len() >= 24 && variants.contains(&"OutOfRange"), "variants are not found any more: {variants:?}");
    for variant in variants.into_iter().filter(|variant| !OF_ARRAYS.contains(variant)) {
        let asserted = format!("Error::{variant} {{");
        assert!(TESTS.iter().any(|test| test.contains(&asserted)), "no test asserts {asserted} .. }}");
    }
}
