//! The documentation of every setting says what is allowed and which error the rest is.

use std::fs;
use std::path::Path;

/// The tables of settings in a file: the cells of their rows, below the head.
fn tables(text: &str) -> Vec<Vec<Vec<&str>>> {
    let cells = |line| -> Option<Vec<_>> {
        let row = str::strip_prefix(line, "/// |")?.strip_suffix('|')?;
        Some(row.split('|').map(str::trim).collect())
    };
    let lines: Vec<_> = text.lines().collect();
    let starts = (0..lines.len()).filter(|&i| lines[i].starts_with("/// | setting |"));
    starts.map(|i| lines[i..].iter().map_while(|line| cells(line)).collect()).collect()
}

#[test]
fn every_setting_names_its_error() {
    let mut seen = 0;
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for folder in ["rule", "rule/matrix", "engine"] {
        for file in fs::read_dir(src.join(folder)).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            let text = if file.is_file() { fs::read_to_string(&file).expect("a source file") } else { String::new() };
            for table in tables(&text) {
                let [.., allowed, otherwise] = &table[0][..] else { panic!("{file:?}") };
                assert_eq!([*allowed, *otherwise], ["allowed", "else"], "{file:?}");
                for row in &table[2..] {
                    let [setting, .., allowed, otherwise] = &row[..] else { panic!("{file:?}: {row:?}") };
                    assert_eq!(row.len(), table[0].len(), "{file:?}: {setting}");
                    let named = otherwise.starts_with("[`") || *otherwise == "see there" || allowed.starts_with("see its page");
                    assert!(named != allowed.is_empty(), "{file:?}: {setting} is {allowed}, else {otherwise}");
                }
                seen += 1;
            }
        }
    }
    // Nine optimizers, and what all of them share.
    assert_eq!(seen, 10);
}
