//! κ, the bound of constrained parameter regularization, and when it is known.

use std::fmt;

use crate::error::{Result, in_range};
use crate::number::Number;
use crate::text::Arguments;

/// The bound κ on the mean of d² of a parameter, and when it is known; see
/// [`Decay::cpr`](super::Decay::cpr).
///
/// R is the mean of d² over the parameter, d the distance from the anchor, and w_t the weights after
/// t of the parameter's own updates. Until κ is known nothing decays.
///
/// | value | text | allowed | else | the paper's name |
/// |---|---|---|---|---|
/// | `Constant` | `constant,κ` | finite, ≥ 0 | [`OutOfRange`] | Kappa-K |
/// | `Initial` | `initial,k` | finite, ≥ 0 | [`OutOfRange`] | Kappa-kI₀ |
/// | `WarmStart` | `warm-start,s` | up to 2²² | [`OutOfRange`] | Kappa-WS |
/// | `Inflection` | `inflection,n` | from 1 to 2²² | [`OutOfRange`] | Kappa-IP |
///
/// ```
/// use wane::{Decay, Kappa, Strength};
///
/// let decay: Decay = "cpr:1,warm-start,2000".parse()?;
/// assert_eq!(decay, Decay::cpr(Kappa::WarmStart { steps: 2000 }));
/// # Ok::<(), wane::Error>(())
/// ```
///
/// [`OutOfRange`]: crate::Error::OutOfRange
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Kappa {
    /// κ itself; in the paper 0.005 to 0.16.
    Constant(f64),
    /// κ = k·R(w₀): so many times what the parameter has at its first update.
    Initial {
        /// k; in the paper 4 to 256.
        times: f64,
    },
    /// κ = R(w_s): what the parameter has after s updates.
    WarmStart {
        /// s; the paper advises twice the warm-up of the learning rate.
        steps: u64,
    },
    /// κ = R where its growth slows down for the first time: R is looked at every n updates, and κ is
    /// the first R whose difference to the one before is smaller than the difference before that.
    Inflection {
        /// n; the paper advises a tenth of the warm-up of the learning rate.
        every: u64,
    },
}

/// The most updates that are counted: `f32` holds them, and three times as many.
const LONGEST: u64 = 1 << 22;

impl Kappa {
    /// Reads its word and number.
    pub(super) fn take(next: &mut Arguments<'_>) -> Result<Self> {
        Ok(match next.word("kappa")? {
            "constant" => Self::Constant(next.take("kappa")?),
            "initial" => Self::Initial { times: next.take("kappa's factor")? },
            "warm-start" => Self::WarmStart { steps: next.count("kappa's steps")? },
            "inflection" => Self::Inflection { every: next.count("kappa's interval")? },
            other => return Err(next.error(format!("constant, initial, warm-start or inflection for kappa, not `{other}`"))),
        })
    }

    /// Writes its word and number.
    pub(super) fn write(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant(kappa) => write!(f, ",constant,{}", Number(kappa)),
            Self::Initial { times } => write!(f, ",initial,{}", Number(times)),
            Self::WarmStart { steps } => write!(f, ",warm-start,{steps}"),
            Self::Inflection { every } => write!(f, ",inflection,{every}"),
        }
    }

    pub(super) fn check(self) -> Result<()> {
        #[expect(clippy::cast_precision_loss, reason = "a number for people")]
        match self {
            Self::Constant(kappa) => in_range("kappa", kappa, kappa >= 0.0, "a finite number, at least 0"),
            Self::Initial { times } => in_range("kappa's factor", times, times >= 0.0, "a finite number, at least 0"),
            Self::WarmStart { steps } => in_range("kappa's steps", steps as f64, steps <= LONGEST, "at most 4194304"),
            Self::Inflection { every } => {
                in_range("kappa's interval", every as f64, (1..=LONGEST).contains(&every), "from 1 to 4194304")
            }
        }
    }

    /// Returns whether it is a multiple of what the parameter has at first.
    pub(super) fn is_initial(self) -> bool {
        matches!(self, Self::Initial { .. })
    }
}
