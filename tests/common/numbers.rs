//! Options that are numbers: what they are called, which numbers they take, and which are usual.

/// An option that is a number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Number {
    /// Its name in errors.
    pub(crate) name: &'static str,
    /// What it is in this row.
    pub(crate) at: f64,
    pub(crate) range: Range,
    /// Whether it becomes a number of the weights' type. Others are used in f64 alone.
    pub(crate) rounded: bool,
    /// A number as users take it, for every u in [0, 1).
    pub(crate) usual: fn(f64) -> f64,
}

/// The finite numbers that an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Range {
    All,
    AtLeast0,
    Above0,
    AtMost0,
    AtLeast1,
    Share,
}

impl Range {
    pub(crate) fn has(self, x: f64) -> bool {
        x.is_finite()
            && match self {
                Self::All => true,
                Self::AtLeast0 => x >= 0.0,
                Self::Above0 => x > 0.0,
                Self::AtMost0 => x <= 0.0,
                Self::AtLeast1 => x >= 1.0,
                Self::Share => (0.0..1.0).contains(&x),
            }
    }

    /// The range in the words of an error.
    pub(crate) fn allowed(self) -> &'static str {
        match self {
            Self::All => "a finite number",
            Self::AtLeast0 => "a finite number, at least 0",
            Self::Above0 => "a finite number above 0",
            Self::AtMost0 => "a finite number, at most 0",
            Self::AtLeast1 => "a finite number, at least 1",
            Self::Share => "in [0, 1)",
        }
    }

    /// The least number that may be added to something, where these are such.
    pub(crate) fn least(self) -> Option<f64> {
        match self {
            Self::AtLeast0 => Some(0.0),
            Self::Above0 => Some(f64::MIN_POSITIVE),
            _ => None,
        }
    }
}

const fn number(name: &'static str, at: f64, range: Range, usual: fn(f64) -> f64) -> Number {
    Number { name, at, range, rounded: true, usual }
}

pub(crate) const fn momentum(at: f64) -> Number {
    number("momentum", at, Range::AtLeast0, |u| u)
}

/// Momentum that looks ahead, which 0 cannot.
pub(crate) const fn nesterov(at: f64) -> Number {
    number("momentum", at, Range::AtLeast0, |u| 0.001 + 0.999 * u)
}

pub(crate) const fn dampening(at: f64) -> Number {
    number("dampening", at, Range::All, |u| 2.0 * u - 1.0)
}

pub(crate) const fn beta1(at: f64) -> Number {
    number("beta1", at, Range::Share, |u| 0.9999 * u)
}

pub(crate) const fn beta2(at: f64) -> Number {
    number("beta2", at, Range::Share, |u| 0.9999 * u)
}

pub(crate) const fn eps(name: &'static str, at: f64) -> Number {
    number(name, at, Range::AtLeast0, |u| 10.0_f64.powf(-12.0 * u))
}

/// A rate at which something falls.
pub(crate) const fn fall(name: &'static str, at: f64) -> Number {
    Number { rounded: false, ..number(name, at, Range::AtLeast0, |u| 0.1 * u) }
}

/// Momentum that is a share.
pub(crate) const fn share(at: f64) -> Number {
    number("momentum", at, Range::Share, |u| 0.9999 * u)
}

/// The least norm, which is used in f64 alone.
pub(crate) const fn least_norm(at: f64) -> Number {
    Number { rounded: false, ..number("eps", at, Range::Above0, |u| 10.0_f64.powf(-12.0 * u)) }
}

/// The exponent of a step count.
pub(crate) const fn exponent(at: f64) -> Number {
    Number { rounded: false, ..number("beta2_decay", at, Range::AtMost0, |u| -u) }
}

/// The least size of weights that a step is measured by.
pub(crate) const fn least_size(at: f64) -> Number {
    Number { rounded: false, ..eps("eps2", at) }
}

pub(crate) const fn threshold(at: f64) -> Number {
    Number { rounded: false, ..number("clip_threshold", at, Range::AtLeast1, |u| 1.0 + u) }
}

pub(crate) const fn first_sum(at: f64) -> Number {
    number("initial accumulator", at, Range::AtLeast0, |u| u)
}
