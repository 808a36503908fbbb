//! How a decay follows the gradient of a validation loss.

use std::fmt;

use crate::error::{Result, in_range};
use crate::number::Number;
use crate::text::Arguments;

/// How λ follows the hypergradient h = dL/dλ of a validation loss; see
/// [`Decay::tuned`](super::Decay::tuned).
///
/// | value | text | λ becomes | κ is allowed | else |
/// |---|---|---|---|---|
/// | `Log` | `log,κ` | λ·exp(−κ·λ·h) | finite, ≥ 0 | [`OutOfRange`](crate::Error::OutOfRange) |
/// | `Linear` | `linear,κ` | max(0, λ − κ·h) | finite, ≥ 0 | [`OutOfRange`](crate::Error::OutOfRange) |
///
/// λ·h is the derivative in log λ, which has the units of the loss: a κ that is right for one size of
/// λ is right for others, λ stays above 0 (but for a fall in log λ of 745 or more, which leaves 0 in `f64`), and a λ
/// of 0 stays 0. The linear form is that of the
/// one-step rule; its κ has the units of λ² per loss.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Tuning {
    /// By factors: descent in log λ, at the rate κ.
    Log(f64),
    /// By differences: descent in λ, at the rate κ, and not below 0.
    Linear(f64),
}

impl Tuning {
    /// Reads its word and number.
    pub(super) fn take(next: &mut Arguments<'_>) -> Result<Self> {
        match next.word("the tuning")? {
            "log" => Ok(Self::Log(next.take("the rate of tuning")?)),
            "linear" => Ok(Self::Linear(next.take("the rate of tuning")?)),
            other => Err(next.error(format!("log or linear for the tuning, not `{other}`"))),
        }
    }

    /// Writes its word and number.
    pub(super) fn write(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log(rate) => write!(f, ",log,{}", Number(rate)),
            Self::Linear(rate) => write!(f, ",linear,{}", Number(rate)),
        }
    }

    pub(super) fn check(self) -> Result<()> {
        let (Self::Log(rate) | Self::Linear(rate)) = self;
        in_range("rate of tuning", rate, rate >= 0.0, "a finite number, at least 0")
    }

    /// Returns the λ that follows where the loss rises by h with it. A NaN gives a NaN.
    pub(crate) fn next(self, lambda: f64, h: f64) -> f64 {
        match self {
            Self::Log(rate) => lambda * (-rate * lambda * h).exp(),
            Self::Linear(rate) => {
                let next = lambda - rate * h;
                if next < 0.0 { 0.0 } else { next }
            }
        }
    }
}
