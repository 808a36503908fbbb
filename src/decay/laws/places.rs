//! The list of places: what each says of itself, and the law that owns it.

use std::fmt;

use super::{StepDecay, ada, cautious, coupled, exact, exponential, hyperball, metric, proximal, selective, shrink};
use crate::decay::share::ShrinkFraction;
use crate::decay::units::choose;
use crate::decay::{Penalty, Place, Strength};
use crate::error::Result;
use crate::text::Arguments;

/// What a law says of the place where it acts.
pub(in crate::decay) trait AtPlace {
    /// Returns its word in a text.
    fn word(&self) -> &'static str;

    /// Checks its numbers.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Writes its numbers, each behind a comma.
    fn write(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }

    /// Reads its numbers; `place` has none yet.
    fn take(&self, place: Place, _next: &mut Arguments<'_>) -> Result<Place> {
        Ok(place)
    }

    /// Returns why there is no such penalty or strength here, if there is none.
    fn refuses(&self, penalty: Penalty, strength: Strength) -> Option<&'static str>;

    /// Returns what a share of this penalty amounts to.
    fn effect(&self, penalty: Penalty, share: ShrinkFraction) -> StepDecay;
}

/// The list of places, and the law that owns each.
macro_rules! places {
    ($($plain:expr, $place:pat => $law:expr;)+) => {
        impl Place {
            /// All of them, without their numbers.
            const ALL: &[Self] = &[$($plain),+];

            fn law<R>(self, ask: impl FnOnce(&dyn AtPlace) -> R) -> R {
                match self {
                    $($place => ask(&$law)),+
                }
            }
        }
    };
}

places! {
    Self::Coupled, Self::Coupled => coupled::InGradient;
    Self::Decoupled, Self::Decoupled => shrink::Beside;
    Self::Exact, Self::Exact => exact::InTheSum;
    Self::Exponential, Self::Exponential => exponential::ByFlow;
    Self::Proximal, Self::Proximal => proximal::After;
    Self::Cautious, Self::Cautious => cautious::WhereItAgrees;
    Self::Selective, Self::Selective => selective::WhereItLeadsAway;
    Self::Metric, Self::Metric => metric::InMetric;
    Self::Hyperball, Self::Hyperball => hyperball::OnSphere;
    Self::AdaDecay { alpha: 0.0 }, Self::AdaDecay { alpha } => ada::ByGradient { alpha };
}

impl Place {
    /// Returns the place that `words` begin with, without its numbers, and the words after it.
    pub(in crate::decay) fn read(words: &str) -> Option<(Self, &str)> {
        choose(words, Self::ALL.iter().map(|place| (place.word(), *place)))
    }

    /// Returns the words of all places.
    pub(in crate::decay) fn words() -> Vec<&'static str> {
        Self::ALL.iter().map(|place| place.word()).collect()
    }

    pub(in crate::decay) fn word(self) -> &'static str {
        self.law(|law| law.word())
    }

    pub(in crate::decay) fn check(self) -> Result<()> {
        self.law(|law| law.check())
    }

    pub(in crate::decay) fn write(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.law(|law| law.write(f))
    }

    pub(in crate::decay) fn take(self, next: &mut Arguments<'_>) -> Result<Self> {
        self.law(|law| law.take(self, next))
    }

    pub(in crate::decay) fn refuses(self, penalty: Penalty, strength: Strength) -> Option<&'static str> {
        self.law(|law| law.refuses(penalty, strength))
    }

    pub(in crate::decay) fn effect(self, penalty: Penalty, share: ShrinkFraction) -> StepDecay {
        self.law(|law| law.effect(penalty, share))
    }
}
