//! How a step ends before it writes: with an error, or skipped.

use crate::clip::NonFinite;
use crate::error::Error;
use crate::stepper::Run;

/// Why a step ends before it writes.
pub(crate) enum Halt {
    Error(Error),
    Skip,
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl Run {
    /// What becomes of a step over something that is not finite.
    pub(crate) fn halt(&self, error: impl FnOnce() -> Error) -> Halt {
        if self.non_finite == NonFinite::Skip { Halt::Skip } else { Halt::Error(error()) }
    }

    /// A norm, or what is made of norms, must be a number no larger than `largest`.
    pub(crate) fn require(&self, value: f64, largest: f64, norm: impl FnOnce() -> String) -> Result<(), Halt> {
        if value <= largest || self.non_finite == NonFinite::LetThrough {
            return Ok(());
        }
        Err(self.halt(|| Error::NonFiniteNorm { norm: norm(), value }))
    }
}
