//! How strong a decay is, and in which units: all of them are formulas for one quantity, the share s of
//! a weight that a step removes.

use std::f64::consts::LN_2;

use super::Place;
use crate::error::{Result, in_range};

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
    /// s = 1 − 2^(−1/h), for the proximal place 2^(1/h) − 1: without gradient a weight
    /// halves every h steps.
    HalfLife(f64),
    /// λ̄, an average of λ·‖g‖/‖d‖: the decay is a fixed share of the gradient.
    Adaptive(f64),
    /// s = ∞ at any learning rate: after each update the weight is projected to the set that the penalty
    /// is a distance to. Where the decay's own schedule is 0 there is no wall in that step; else it does
    /// not matter.
    Hard,
}

/// A strength of these units, of a number.
type Units = fn(f64) -> Strength;

/// The units that a text names; lr-scaled ones have no word.
const UNITS: &[(&str, Units)] = &[
    ("independent", Strength::Independent),
    ("corrected", Strength::Corrected),
    ("fixed", Strength::Fixed),
    ("timescale", Strength::Timescale),
    ("half-life", Strength::HalfLife),
    ("adaptive", Strength::Adaptive),
    ("hard", |_| Strength::Hard),
];

impl Strength {
    /// Returns the units that `words` begin with, and the words after them.
    pub(super) fn read(words: &str) -> (Units, &str) {
        choose(words, UNITS.iter().copied()).unwrap_or((Self::LrScaled, words))
    }

    /// Returns the words of all units.
    pub(super) fn words() -> Vec<&'static str> {
        UNITS.iter().map(|(word, _)| *word).collect()
    }

    /// Returns the word of its units.
    pub(super) fn word(self) -> &'static str {
        let is_same = |units: Units| std::mem::discriminant(&units(0.0)) == std::mem::discriminant(&self);
        UNITS.iter().find(|(_, units)| is_same(*units)).map_or("", |(word, _)| *word)
    }

    /// Returns its number.
    pub(super) fn number(self) -> Option<f64> {
        match self {
            Self::None | Self::Hard => None,
            Self::LrScaled(x)
            | Self::Independent(x)
            | Self::Corrected(x)
            | Self::Fixed(x)
            | Self::Timescale(x)
            | Self::HalfLife(x)
            | Self::Adaptive(x) => Some(x),
        }
    }

    pub(super) fn check(self) -> Result<()> {
        match self {
            Self::None | Self::Hard => Ok(()),
            Self::Timescale(tau) => in_range("timescale", tau, tau > 1.0, "a finite number of steps above 1"),
            Self::HalfLife(h) => in_range("half-life", h, h > 0.0, "a finite number of steps above 0"),
            Self::LrScaled(lambda)
            | Self::Independent(lambda)
            | Self::Corrected(lambda)
            | Self::Fixed(lambda)
            | Self::Adaptive(lambda) => in_range("weight decay", lambda, lambda >= 0.0, "a finite number, at least 0"),
        }
    }

    /// Returns whether it is divided by the peak learning rate.
    pub(super) fn needs_peak(self) -> bool {
        matches!(self, Self::Independent(_) | Self::Corrected(_) | Self::Timescale(_))
    }

    /// Returns whether it speaks of a share of the weight, which only a penalty of squares removes.
    pub(super) fn is_of_shares(self) -> bool {
        matches!(self, Self::Timescale(_) | Self::HalfLife(_))
    }

    /// Returns λ where it follows the group's norms.
    pub(super) fn adaptive_lambda(self) -> Option<f64> {
        if let Self::Adaptive(lambda) = self { Some(lambda) } else { None }
    }

    /// Returns the share that is removed where the decay's schedule stands at `m`; `average` is the
    /// group's running strength where it is adaptive. In the gradient it is λ itself.
    pub(super) fn share(self, place: Place, rates: Rates, m: f64, average: f64) -> ShrinkFraction {
        let (rate, lambda) = match self {
            Self::None => (0.0, 0.0),
            Self::Hard if m == 0.0 => (0.0, 0.0),
            // On the hyperball the rate is an angle.
            Self::Hard if matches!(place, Place::Hyperball) => (rates.now, 1.0),
            Self::Hard => (f64::INFINITY, 1.0),
            Self::Adaptive(_) => (1.0, average * m),
            Self::LrScaled(lambda) if place == Place::Coupled => (1.0, lambda * m),
            Self::LrScaled(lambda) => (rates.now, lambda * m),
            Self::Independent(lambda) => (rates.relative, lambda * m),
            Self::Corrected(lambda) => (rates.now * rates.relative, lambda * m),
            Self::Fixed(lambda) => (1.0, lambda * m),
            Self::Timescale(tau) => (rates.relative, m / tau),
            // (1 + s)^h = 2 for the proximal form, (1 − s)^h = 1/2 for the others. `exp_m1` keeps
            // the digits of a small s.
            Self::HalfLife(h) if place == Place::Proximal => (m, (LN_2 / h).exp_m1()),
            Self::HalfLife(h) => (m, -(-LN_2 / h).exp_m1()),
        };
        ShrinkFraction { rate, lambda }
    }
}

/// The share s = rate·λ of a weight, kept as its two factors: 1 − s is then rounded once, as
/// PyTorch's kernels do it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ShrinkFraction {
    pub(crate) rate: f64,
    pub(crate) lambda: f64,
}

impl ShrinkFraction {
    pub(crate) const NONE: Self = Self { rate: 0.0, lambda: 0.0 };

    /// Returns the share for a displacement that is `trust` times as long.
    pub(crate) fn times(self, trust: f64) -> Self {
        Self { rate: self.rate * trust, ..self }
    }

    /// Returns s.
    pub(crate) fn removed(self) -> f64 {
        self.rate * self.lambda
    }

    /// Returns whether it is that of a wall, which no finite strength is.
    pub(crate) fn is_hard(self) -> bool {
        self.rate == f64::INFINITY
    }

    /// Returns 1 − s, rounded once in f64.
    pub(crate) fn kept(self) -> f64 {
        (-self.rate).mul_add(self.lambda, 1.0)
    }
}

/// The learning rates that a strength is measured in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rates {
    /// η_t, with the group's factor.
    pub(crate) now: f64,
    /// η_t/η_peak, which no group's factor changes.
    pub(crate) relative: f64,
}

impl Rates {
    /// Returns the rates where the schedule stands at `multiplier`.
    pub(crate) fn at(peak: f64, multiplier: f64, factor: f64) -> Self {
        let rate = peak * multiplier;
        Self { now: rate * factor, relative: rate / peak }
    }

    /// Returns the rates where the learning rate, before the group's factor, is `rate`.
    pub(crate) fn now(peak: f64, rate: f64, factor: f64) -> Self {
        Self { now: rate * factor, relative: rate / peak }
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
