//! Numbers as people write them.

use std::fmt;

/// A number in the shortest form that reads back as itself: 0.1, 1e-4.
pub(crate) struct Number(pub(crate) f64);

impl Number {
    /// Returns `x` rounded to four digits, for people, or unrounded where rounding up would
    /// make it infinite.
    pub(crate) fn rounded(x: f64) -> Self {
        Self(format!("{x:.3e}").parse().ok().filter(|near: &f64| near.is_finite()).unwrap_or(x))
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(x) = *self;
        if x != 0.0 && !(1e-3..1e7).contains(&x.abs()) { write!(f, "{x:e}") } else { write!(f, "{x}") }
    }
}
