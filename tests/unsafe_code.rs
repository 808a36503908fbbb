//! Where the crate holds `unsafe`, block by block: a new one is noticed here, and belongs into the table of CONTRIBUTING.md.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The files of `src` with `unsafe` in them, and how often.
const KNOWN: &[(&str, usize)] = &[("kernel/level.rs", 2), ("kernel/threads.rs", 1)];

#[test]
fn every_unsafe_is_known() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = BTreeMap::new();
    count(&src, &src, &mut found);
    assert!(found.len() > 50, "{found:?}");
    found.retain(|_, uses| *uses > 0);
    let known: BTreeMap<_, _> = KNOWN.iter().map(|&(file, uses)| (file.to_string(), uses)).collect();
    assert_eq!(found, known);
}

/// Counts the keyword in all files of a folder; words of comments do not count.
fn count(folder: &Path, root: &Path, found: &mut BTreeMap<String, usize>) {
    for path in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        if path.is_dir() {
            count(&path, root, found);
            continue;
        }
        let text = fs::read_to_string(&path).expect("a source file");
        let code = text.lines().filter_map(|line| line.split("//").next());
        let words = code.flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_'));
        let name = path.strip_prefix(root).expect("a file of the folder").to_string_lossy().replace('\\', "/");
        found.insert(name, words.filter(|word| *word == "unsafe").count());
    }
}
