//! Replays what a fuzz target has kept, without a fuzzer.

use std::fs;
use std::path::Path;

/// Runs the body of a target on all inputs of a folder, which are there.
pub(crate) fn replay(folder: impl AsRef<Path>, body: fn(&[u8])) {
    let folder = folder.as_ref();
    let mut inputs: Vec<_> = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    inputs.sort();
    for path in &inputs {
        // Shown if the body panics.
        println!("{}", path.display());
        body(&fs::read(path).expect("an input"));
    }
    assert!(!inputs.is_empty(), "no inputs in {}", folder.display());
    println!("{} inputs of {} replayed", inputs.len(), folder.display());
}
