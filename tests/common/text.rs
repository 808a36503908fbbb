//! Text forms.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use wane::Error;

/// What has a text form.
pub(crate) trait Text: Display + FromStr<Err = Error> + PartialEq + Debug {}

impl<V: Display + FromStr<Err = Error> + PartialEq + Debug> Text for V {}

/// What a value prints parses back to an equal one.
pub(crate) fn text_returns<V: Text>(value: &V) {
    let text = value.to_string();
    assert_eq!(text.parse().as_ref(), Ok(value), "`{text}`");
}
