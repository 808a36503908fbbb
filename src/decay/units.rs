//! How strong a decay is, and in which units: all of them are formulas for one quantity, the share s of
//! a weight that a step removes.

use std::f64::consts::LN_2;
use std::fmt;

use super::share::{Rates, ShrinkFraction};
use super::{Anchor, Kappa, Penalty, Place, Tuning};
use crate::error::{Result, in_range};
use crate::number::Number;
use crate::schedule::Schedule;
use crate::text::Arguments;

/// How strong, and in which units: the same number means different things in different libraries.
///
/// Under a trust ratio φ ([`Lamb`](crate::Lamb)) the decay is part of the displacement that φ
/// scales, so s becomes φ·s.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Strength {
    /// No decay at all.
    None,
    /// s = η_t·λ: PyTorch, optax, Keras. For coupled decay λ itself.
    LrScaled(f64),
    /// s = (η_t/η_peak)·λ: the learning rate's schedule acts on it, the peak
    /// learning rate does not.
    Independent(f64),
    /// s = (η_t²/η_peak)·λ: falls with the square of the learning rate's schedule, so that the ratio of
    /// gradient and weight at rest, √(2λ/η), does not rise as the rate falls.
    Corrected(f64),
    /// s = λ: no learning rate, no schedule but its own.
    Fixed(f64),
    /// s = (η_t/η_peak)/τ: the weights are an average over the last τ steps.
    Timescale(f64),
    /// s = 1 − 2^(−1/h), for the proximal place 2^(1/h) − 1, for the exponential one ln 2/h: without
    /// gradient a weight halves every h steps.
    HalfLife(f64),
    /// s = (η_t/η_peak)·λ/√(`steps`): the best λ depends less on the length of a run.
    Normalized {
        /// λ, finite and at least 0.
        lambda: f64,
        /// The optimizer's steps in the run, or up to the first restart: epochs × examples / batch
        /// size; at least 1.
        steps: u64,
    },
    /// λ̄, an average of λ·‖g‖/‖d‖: the decay is a fixed share of the gradient.
    Adaptive(f64),
    /// s = min(2λ, 1 − ε) with a λ of each parameter that keeps the mean of its d² at most at κ; see
    /// [`Decay::cpr`](super::Decay::cpr).
    Cpr {
        /// μ, how fast λ follows; at least 0.
        mu: f64,
        /// κ, the bound, and when it is known.
        kappa: Kappa,
    },
    /// The same, and κ becomes the mean of d² wherever λ comes back to 0 (AdaCPR).
    AdaCpr {
        /// μ, how fast λ follows; at least 0.
        mu: f64,
        /// κ, the first bound, and when it is known.
        kappa: Kappa,
    },
    /// s = η_t·λ·p/√v̄ with v̄ the mean of the optimizer's second moments over the group, p of its momentum; see
    /// [`Decay::stable`](super::Decay::stable).
    Stable(f64),
    /// s = η_t·λ with a λ that follows the gradient of a validation loss; see
    /// [`Decay::tuned`](super::Decay::tuned).
    Tuned {
        /// λ before the first tuning.
        lambda: f64,
        /// How it follows.
        by: Tuning,
    },
    /// s = ∞ at any learning rate: after each update the weight is projected to the set that the penalty
    /// is a distance to; no trust ratio sees it. Where the decay's own schedule is 0 there is no wall in that step;
    /// else it does not matter.
    Hard,
}

/// The units that a text names, without their numbers; lr-scaled ones have no word.
const UNITS: &[(&str, Strength)] = &[
    ("independent", Strength::Independent(0.0)),
    ("corrected", Strength::Corrected(0.0)),
    ("fixed", Strength::Fixed(0.0)),
    ("timescale", Strength::Timescale(0.0)),
    ("half-life", Strength::HalfLife(0.0)),
    ("normalized", Strength::Normalized { lambda: 0.0, steps: 1 }),
    ("adaptive", Strength::Adaptive(0.0)),
    ("cpr", Strength::Cpr { mu: 0.0, kappa: Kappa::Constant(0.0) }),
    ("ada-cpr", Strength::AdaCpr { mu: 0.0, kappa: Kappa::Constant(0.0) }),
    ("stable", Strength::Stable(0.0)),
    ("tuned", Strength::Tuned { lambda: 0.0, by: Tuning::Log(0.0) }),
    ("hard", Strength::Hard),
];

impl Strength {
    /// Returns the units that `words` begin with, without their numbers, and the words after them.
    pub(super) fn read(words: &str) -> (Self, &str) {
        choose(words, UNITS.iter().copied()).unwrap_or((Self::LrScaled(0.0), words))
    }

    /// Returns the words of all units.
    pub(super) fn words() -> Vec<&'static str> {
        UNITS.iter().map(|(word, _)| *word).collect()
    }

    /// Returns the word of its units.
    pub(super) fn word(self) -> &'static str {
        UNITS.iter().find(|(_, units)| units.is_alike(self)).map_or("", |(word, _)| *word)
    }

    /// Returns whether both are of the same units.
    pub(crate) fn is_alike(self, other: Self) -> bool {
        std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }

    /// Returns the place where a text that names none has it act on this penalty: adaptive decay is
    /// coupled, a wall stands after the update, everything else is decoupled, in the exact order where that
    /// exists and PyTorch has none of its own.
    pub(super) fn usual_place(self, penalty: Penalty) -> Place {
        match (self, penalty) {
            (Self::Adaptive(_), _) => Place::Coupled,
            (Self::Hard, _) => Place::Proximal,
            (Self::LrScaled(_), _) => Place::Decoupled,
            (_, Penalty::L2) => Place::Exact,
            _ => Place::Decoupled,
        }
    }

    /// Reads its numbers.
    pub(super) fn take(self, next: &mut Arguments<'_>) -> Result<Self> {
        if matches!(self, Self::None | Self::Hard) {
            return Ok(self);
        }
        let number = next.take("the strength")?;
        Ok(match self {
            Self::None | Self::Hard => self,
            Self::LrScaled(_) => Self::LrScaled(number),
            Self::Independent(_) => Self::Independent(number),
            Self::Corrected(_) => Self::Corrected(number),
            Self::Fixed(_) => Self::Fixed(number),
            Self::Timescale(_) => Self::Timescale(number),
            Self::HalfLife(_) => Self::HalfLife(number),
            Self::Adaptive(_) => Self::Adaptive(number),
            Self::Cpr { .. } => Self::Cpr { mu: number, kappa: Kappa::take(next)? },
            Self::AdaCpr { .. } => Self::AdaCpr { mu: number, kappa: Kappa::take(next)? },
            Self::Normalized { .. } => Self::Normalized { lambda: number, steps: next.count("steps")? },
            Self::Stable(_) => Self::Stable(number),
            Self::Tuned { .. } => Self::Tuned { lambda: number, by: Tuning::take(next)? },
        })
    }

    /// Writes its numbers.
    pub(super) fn write(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None | Self::Hard => Ok(()),
            Self::LrScaled(number)
            | Self::Independent(number)
            | Self::Corrected(number)
            | Self::Fixed(number)
            | Self::Timescale(number)
            | Self::HalfLife(number)
            | Self::Adaptive(number)
            | Self::Stable(number) => write!(f, ",{}", Number(number)),
            Self::Normalized { lambda, steps } => write!(f, ",{},{steps}", Number(lambda)),
            Self::Cpr { mu, kappa } | Self::AdaCpr { mu, kappa } => {
                write!(f, ",{}", Number(mu))?;
                kappa.write(f)
            }
            Self::Tuned { lambda, by } => {
                write!(f, ",{}", Number(lambda))?;
                by.write(f)
            }
        }
    }

    pub(super) fn check(self) -> Result<()> {
        match self {
            Self::None | Self::Hard => Ok(()),
            Self::Timescale(tau) => in_range("timescale", tau, tau > 1.0, "a finite number of steps above 1"),
            Self::HalfLife(h) => in_range("half-life", h, h > 0.0, "a finite number of steps above 0"),
            Self::Normalized { steps: 0, .. } => in_range("steps of normalized decay", 0.0, false, "at least 1"),
            Self::LrScaled(lambda)
            | Self::Independent(lambda)
            | Self::Corrected(lambda)
            | Self::Fixed(lambda)
            | Self::Normalized { lambda, .. }
            | Self::Adaptive(lambda)
            | Self::Stable(lambda) => in_range("weight decay", lambda, lambda >= 0.0, "a finite number, at least 0"),
            Self::Cpr { mu, kappa } | Self::AdaCpr { mu, kappa } => {
                in_range("mu of CPR", mu, mu >= 0.0, "a finite number, at least 0")?;
                kappa.check()
            }
            Self::Tuned { lambda, by } => {
                in_range("weight decay", lambda, lambda >= 0.0, "a finite number, at least 0")?;
                by.check()
            }
        }
    }

    /// Returns why a strength that finds itself does not go with the rest of a decay, if it does not.
    pub(super) fn refuses(self, penalty: Penalty, place: Place, anchor: Anchor, schedule: &Schedule) -> Option<&'static str> {
        let is_share = penalty == Penalty::L2 && matches!(place, Place::Decoupled | Place::Exact);
        match self {
            Self::Adaptive(_) if (penalty, place) != (Penalty::L2, Place::Coupled) => {
                Some("adaptive strength is defined for coupled L2")
            }
            Self::Cpr { .. } | Self::AdaCpr { .. } if (penalty, place) != (Penalty::L2, Place::Exact) => {
                Some("CPR is defined for L2 in the exact order")
            }
            Self::Cpr { .. } | Self::AdaCpr { .. } if matches!(anchor, Anchor::Average { .. }) => {
                Some("the running average follows the weights, and binds none; pull to 0, the start or what is given")
            }
            Self::Cpr { .. } | Self::AdaCpr { .. } if *schedule != Schedule::constant() => {
                Some("CPR finds the strength that its bound needs, and would undo a schedule")
            }
            Self::Cpr { kappa, .. } | Self::AdaCpr { kappa, .. } if kappa.is_initial() && anchor == Anchor::Start => Some(
                "the distance from the start is 0 at first, and would be bound to that; use a warm start or a constant kappa",
            ),
            Self::Stable(_) if !is_share => Some("stable weight decay is defined for decoupled L2"),
            Self::Tuned { .. } if !is_share || matches!(anchor, Anchor::Average { .. }) => {
                Some("a tuned strength is defined for decoupled L2, towards what does not follow the weights")
            }
            _ => None,
        }
    }

    /// Returns whether it depends on how the run goes, and so is known in a step only.
    pub(crate) fn is_found(self) -> bool {
        matches!(self, Self::Adaptive(_) | Self::Cpr { .. } | Self::AdaCpr { .. } | Self::Stable(_) | Self::Tuned { .. })
    }

    /// Returns whether it is a law of its own, in which a place has no say.
    pub(super) fn is_law(self) -> bool {
        matches!(self, Self::Cpr { .. } | Self::AdaCpr { .. } | Self::Tuned { .. })
    }

    /// Returns whether a group remembers what it has found.
    pub(super) fn is_remembered(self) -> bool {
        matches!(self, Self::Adaptive(_) | Self::Stable(_) | Self::Tuned { .. })
    }

    /// Returns whether it is divided by the peak learning rate.
    pub(super) fn needs_peak(self) -> bool {
        matches!(self, Self::Independent(_) | Self::Corrected(_) | Self::Timescale(_) | Self::Normalized { .. })
    }

    /// Returns whether it speaks of a share of the weight, which only a penalty of squares removes.
    pub(super) fn is_of_shares(self) -> bool {
        matches!(self, Self::Timescale(_) | Self::HalfLife(_))
    }

    /// Returns λ where it follows the group's norms.
    pub(super) fn adaptive_lambda(self) -> Option<f64> {
        if let Self::Adaptive(lambda) = self { Some(lambda) } else { None }
    }

    /// Returns the share that is removed where the decay's schedule stands at `m`; `average` is what
    /// the group has found, where the strength depends on that. In the gradient it is λ itself.
    pub(super) fn share(self, place: Place, rates: Rates, m: f64, average: f64) -> ShrinkFraction {
        let (rate, lambda) = match self {
            // CPR has a share of each parameter, which its law works out. What a group has found may be no number.
            Self::None | Self::Cpr { .. } | Self::AdaCpr { .. } | Self::Stable(0.0) => (0.0, 0.0),
            _ if m == 0.0 => (0.0, 0.0),
            // On the hyperball the rate is an angle.
            Self::Hard if matches!(place, Place::Hyperball) => (rates.now, 1.0),
            Self::Hard => (f64::INFINITY, 1.0),
            Self::Adaptive(_) => (1.0, average * m),
            Self::Stable(lambda) => (rates.now * average, lambda * m),
            // The first factor is the slope of s in λ.
            Self::Tuned { .. } => (rates.now * m, average),
            Self::LrScaled(lambda) if place == Place::Coupled => (1.0, lambda * m),
            Self::LrScaled(lambda) => (rates.now, lambda * m),
            Self::Independent(lambda) => (rates.relative, lambda * m),
            Self::Corrected(lambda) => (rates.now * rates.relative, lambda * m),
            Self::Fixed(lambda) => (1.0, lambda * m),
            Self::Timescale(tau) => (rates.relative, m / tau),
            #[expect(clippy::cast_precision_loss, reason = "step counts")]
            Self::Normalized { lambda, steps } => (rates.relative, lambda * m / (steps as f64).sqrt()),
            // (1 + s)^h = 2 for the proximal form, e^(−s·h) = 1/2 for the exponential one, (1 − s)^h = 1/2
            // for the others. `exp_m1` keeps the digits of a small s.
            Self::HalfLife(h) if place == Place::Proximal => (m, (LN_2 / h).exp_m1()),
            Self::HalfLife(h) if place == Place::Exponential => (m, LN_2 / h),
            Self::HalfLife(h) => (m, -(-LN_2 / h).exp_m1()),
        };
        ShrinkFraction { rate, lambda }
    }
}

/// Returns the choice that `words` begin with, and the words after it.
pub(super) fn choose<C>(words: &str, choices: impl IntoIterator<Item = (&'static str, C)>) -> Option<(C, &str)> {
    choices.into_iter().find_map(|(word, choice)| {
        let rest = words.strip_prefix(word)?;
        if rest.is_empty() {
            Some((choice, rest))
        } else {
            Some((choice, rest.strip_prefix('-').filter(|rest| !rest.is_empty())?))
        }
    })
}
