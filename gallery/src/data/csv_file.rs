//! CSV in the layout of `digits.csv`: 64 pixels from 0 to 16, then the label; no header.

use std::{fs, path::Path, str::FromStr};

use csv::{ByteRecord, Position, ReaderBuilder};
use ndarray::Array2;

use super::{CLASSES, DataError, Dataset};

const PIXELS: usize = 64;
const PIXEL_MAX: f32 = 16.0;

pub(super) fn open(path: &Path) -> Result<Dataset, DataError> {
    let text = fs::read(path).map_err(|source| DataError::Unreadable { file: path.to_owned(), source })?;
    match binary_format(&text) {
        Some(found) => Err(DataError::GiveFolder { file: path.to_owned(), found }),
        None => read(path, &text),
    }
}

/// The format of a file that belongs to a folder of IDX files, by its first bytes. No CSV starts so.
fn binary_format(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x1f, 0x8b, ..] => Some("a gzip file"),
        [0, 0, ..] => Some("an IDX file"),
        _ => None,
    }
}

/// Reads `text`; `path` is only for error messages.
pub(super) fn read(path: &Path, text: &[u8]) -> Result<Dataset, DataError> {
    // Lines of any length are let through here, so that a wrong length is reported in our words.
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text);
    let mut pixels = Vec::new();
    let mut labels = Vec::new();
    for record in reader.byte_records() {
        let record = record.map_err(|error| DataError::Unreadable { file: path.to_owned(), source: error.into() })?;
        let label = read_line(&record, &mut pixels);
        labels.push(label.map_err(|Wrong { expected, found }| DataError::Line {
            file: path.to_owned(),
            line: line_number(&record, text),
            expected,
            found,
        })?);
    }
    if labels.is_empty() {
        return Err(DataError::Empty { file: path.to_owned() });
    }
    let images = Array2::from_shape_vec((labels.len(), PIXELS), pixels).expect("every line gave 64 pixels");
    Ok(Dataset { images, labels })
}

/// What is wrong with a line.
struct Wrong {
    expected: String,
    found: String,
}

/// The number of a record's line, from 1. The record's own count does not see the blank lines before it.
fn line_number(record: &ByteRecord, text: &[u8]) -> usize {
    let start = record.position().map_or(0, Position::byte);
    let before = usize::try_from(start).map_or(text, |start| &text[..start]);
    let blank = text[before.len()..].iter().take_while(|byte| b"\r\n".contains(byte));
    1 + before.iter().chain(blank).filter(|&&byte| byte == b'\n').count()
}

/// Appends one image's pixels, scaled to [0, 1], and returns its label.
fn read_line(record: &ByteRecord, pixels: &mut Vec<f32>) -> Result<usize, Wrong> {
    if record.len() != PIXELS + 1 {
        let expected = format!("{} values ({PIXELS} pixels, then a label)", PIXELS + 1);
        return Err(Wrong { expected, found: record.len().to_string() });
    }
    for (column, field) in (1..=PIXELS).zip(record) {
        match parse::<f32>(field) {
            Some(value) if (0.0..=PIXEL_MAX).contains(&value) => pixels.push(value / PIXEL_MAX),
            _ => {
                return Err(Wrong {
                    expected: format!("a pixel from 0 to {PIXEL_MAX} in column {column}"),
                    found: quoted(field),
                });
            }
        }
    }
    let (last, column) = (&record[PIXELS], PIXELS + 1);
    match parse::<usize>(last) {
        Some(label) if label < CLASSES => Ok(label),
        _ => Err(Wrong { expected: format!("a label from 0 to {} in column {column}", CLASSES - 1), found: quoted(last) }),
    }
}

fn parse<T: FromStr>(field: &[u8]) -> Option<T> {
    str::from_utf8(field).ok()?.trim().parse().ok()
}

/// A field as it can be shown, whatever is in it: on one line, and cut where it grows long.
fn quoted(field: &[u8]) -> String {
    const SHOWN: usize = 20;
    let text = String::from_utf8_lossy(field);
    let start: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    let rest = if text.chars().nth(SHOWN).is_some() { "..." } else { "" };
    format!("`{start}{rest}`")
}
