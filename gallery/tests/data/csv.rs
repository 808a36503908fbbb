//! CSV files, good and bad.

use std::path::Path;

use wane_gallery::data::Source;

use super::open;

/// A line of the CSV layout: 64 equal pixels and a label.
pub(super) fn line(pixel: &str, label: &str) -> String {
    format!("{}{label}\n", format!("{pixel},").repeat(64))
}

#[test]
fn good_csv_is_read() {
    let source = open("good.csv", (line("16", "9") + &line("0.5", "0")).as_bytes()).expect("a good file");
    assert_eq!(source.train.labels, [9, 0]);
    assert_eq!(source.train.images[[0, 63]], 1.0);
    assert_eq!(source.train.images[[1, 0]], 0.5 / 16.0);
    assert!(source.test.is_none(), "a CSV file has no test set of its own");
}

#[test]
fn bad_csv_is_named_with_file_line_and_expectation() {
    let good = line("1", "1");
    let cases: [(String, &str); 8] = [
        (String::new(), "bad.csv: expected at least one image, found none"),
        ("1,2,3\n".into(), "bad.csv, line 1: expected 65 values (64 pixels, then a label), found 3"),
        (good.replace('\n', ",7\n"), "bad.csv, line 1: expected 65 values (64 pixels, then a label), found 66"),
        (good.clone() + &line("17", "1"), "bad.csv, line 2: expected a pixel from 0 to 16 in column 1, found `17`"),
        (good.clone() + &line("NaN", "1"), "bad.csv, line 2: expected a pixel from 0 to 16 in column 1, found `NaN`"),
        (line("pixel", "label"), "bad.csv, line 1: expected a pixel from 0 to 16 in column 1, found `pixel`"),
        (good.clone() + &good + &line("1", "10"), "bad.csv, line 3: expected a label from 0 to 9 in column 65, found `10`"),
        (
            line("1", "a\u{1b}bcdefghijklmnopqrstuvwxyz"),
            "bad.csv, line 1: expected a label from 0 to 9 in column 65, found `a\\u{1b}bcdefghijklmnopqrs...`",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(open("bad.csv", text.as_bytes()).expect_err("a bad file"), expected);
    }
}

#[test]
fn lines_are_counted_through_blank_ones_and_bytes_that_are_not_text() {
    let text = line("1", "1") + "\n\r\n" + &line("-1", "1");
    let error = open("bad.csv", text.as_bytes()).expect_err("a bad file");
    assert_eq!(error, "bad.csv, line 4: expected a pixel from 0 to 16 in column 1, found `-1`");
    let mut bytes = line("1", "1").into_bytes();
    bytes[0] = 0xff;
    let error = open("bad.csv", &bytes).expect_err("a bad file");
    assert_eq!(error, "bad.csv, line 1: expected a pixel from 0 to 16 in column 1, found `\u{fffd}`");
}

#[test]
fn a_missing_file_is_named() {
    let error = Source::open(Path::new("no/such/file.csv")).expect_err("no such file").to_string();
    assert!(error.starts_with("no/such/file.csv: cannot be read: "), "{error}");
}
