//! What a decay amounts to in one step: its checks, its strength at the present learning rate, and
//! the kernel that it takes.

use std::f64::consts::LN_2;
use std::fmt;

use super::{Anchor, Decay, Penalty, Place, Strength};
use crate::error::{Error, Result, in_range};
use crate::float::{Real, faded, rounded};
use crate::number::Number;
use crate::schedule::Schedule;

/// What a decay amounts to in this step: the kernel and its scalars, in f64, the same for all
/// parameters of a group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum StepDecay {
    Free,
    /// Strengths of the penalty, added to the gradient.
    Coupled {
        l1: f64,
        l2: f64,
    },
    /// The share of a weight that is removed.
    Shrink(ShrinkFraction),
    /// The share that is removed where the update agrees.
    Cautious(ShrinkFraction),
    /// A share removed before the update, a threshold after it, and a divisor 1 + `after`.
    Proximal {
        before: ShrinkFraction,
        threshold: f64,
        after: f64,
    },
    /// The share that is removed where the gradient is as large as it is in the mean;
    /// up to twice that.
    AdaDecay {
        share: ShrinkFraction,
        alpha: f64,
    },
    /// A threshold in the plain metric, which the optimizer's own divides.
    Metric {
        threshold: f64,
    },
    /// A threshold for the root of the mean square of a row.
    Rows {
        threshold: f64,
    },
}

/// The share s = rate·λ of a weight, kept as its two factors: 1 − s is then rounded once, as
/// PyTorch's kernels do it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ShrinkFraction {
    pub(crate) rate: f64,
    pub(crate) lambda: f64,
}

impl ShrinkFraction {
    /// Returns the share for a displacement that is `trust` times as long.
    pub(crate) fn times(self, trust: f64) -> Self {
        Self { rate: self.rate * trust, ..self }
    }

    /// Returns s.
    pub(crate) fn removed(self) -> f64 {
        self.rate * self.lambda
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

/// What errors call a decay's amounts.
const WEIGHT_DECAY: &str = "weight decay";

impl Decay {
    /// Returns what the decay pulls towards; a decay without strength pulls towards
    /// nothing else than 0.
    pub(crate) fn anchor(&self) -> Anchor {
        if self.strength == Strength::None { Anchor::Origin } else { self.anchor }
    }

    /// Returns whether the strength is divided by the peak learning rate.
    pub(crate) fn needs_peak(&self) -> bool {
        matches!(self.strength, Strength::Independent(_) | Strength::Timescale(_))
    }

    /// Returns whether the decay looks at rows, and so needs the shape.
    pub(crate) fn needs_shape(&self) -> bool {
        self.penalty == Penalty::GroupLasso
    }

    /// Returns λ where the strength follows the group's norms.
    pub(crate) fn adaptive_lambda(&self) -> Option<f64> {
        match self.strength {
            Strength::Adaptive(lambda) => Some(lambda),
            _ => None,
        }
    }

    /// Returns the schedule of the strength.
    pub(crate) fn strength_schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// Checks that every number is in range, and that the combination exists.
    pub(crate) fn check(&self) -> Result<()> {
        const AT_LEAST_0: &str = "a finite number, at least 0";
        self.schedule.check()?;
        if let Anchor::Average { beta } = self.anchor {
            in_range("beta of the running average", beta, (0.0..1.0).contains(&beta), "in [0, 1)")?;
        }
        if let Place::AdaDecay { alpha } = self.place {
            in_range("alpha of AdaDecay", alpha, alpha >= 0.0, AT_LEAST_0)?;
        }
        if let Penalty::ElasticNet { ratio } = self.penalty {
            in_range("ratio of the elastic net", ratio, (0.0..=1.0).contains(&ratio), "in [0, 1]")?;
        }
        match self.strength {
            Strength::None => return Ok(()),
            Strength::Timescale(tau) => in_range("timescale", tau, tau > 1.0, "a finite number of steps above 1")?,
            Strength::HalfLife(h) => in_range("half-life", h, h > 0.0, "a finite number of steps above 0")?,
            Strength::LrScaled(lambda) | Strength::Independent(lambda) | Strength::Fixed(lambda) | Strength::Adaptive(lambda) => {
                in_range("weight decay", lambda, lambda >= 0.0, AT_LEAST_0)?;
            }
        }
        match self.missing() {
            None => Ok(()),
            Some(reason) => Err(Error::NoSuchDecay { decay: self.to_string(), reason }),
        }
    }

    /// Returns why this combination of penalty, place, strength and anchor does not
    /// exist, if it does not.
    fn missing(&self) -> Option<&'static str> {
        use {Place as P, Strength as S};
        if matches!(self.anchor, Anchor::Average { .. }) && (self.penalty, self.place) != (Penalty::L2, P::Decoupled) {
            return Some("towards the running average there is decoupled L2");
        }
        match (self.penalty, self.place, self.strength) {
            (Penalty::L2, P::Coupled, S::Adaptive(_)) => None,
            (_, _, S::Adaptive(_)) => Some("adaptive strength is defined for coupled L2"),
            (Penalty::GroupLasso, P::Coupled, _) => Some("group lasso is a proximal step; use decoupled"),
            (_, P::Coupled, S::LrScaled(_)) => None,
            (_, P::Coupled, _) => Some("coupled decay is part of the gradient, so its strength is a plain number"),
            (Penalty::L1, P::Metric, S::LrScaled(_) | S::Independent(_) | S::Fixed(_)) => None,
            (_, P::Metric, _) => Some("in the optimizer's metric there is L1: lr-scaled, independent or fixed"),
            (Penalty::L2, ..) => None,
            (_, P::Cautious, _) => Some("cautious decay is defined for L2"),
            (_, P::AdaDecay { .. }, _) => Some("AdaDecay is defined for L2"),
            (_, _, S::Timescale(_) | S::HalfLife(_)) => {
                Some("a timescale or half-life is a share of the weight, and L1 removes an amount; use independent or fixed")
            }
            _ => None,
        }
    }

    /// Returns what the decay amounts to where its schedule stands at `m`; `average` is the group's
    /// running strength where it is adaptive.
    pub(crate) fn in_step(&self, rates: Rates, m: f64, average: f64) -> StepDecay {
        let (rate, lambda) = match self.strength {
            Strength::None => (0.0, 0.0),
            Strength::Adaptive(_) => (1.0, average * m),
            Strength::LrScaled(lambda) if self.place == Place::Coupled => (1.0, lambda * m),
            Strength::LrScaled(lambda) => (rates.now, lambda * m),
            Strength::Independent(lambda) => (rates.relative, lambda * m),
            Strength::Fixed(lambda) => (1.0, lambda * m),
            Strength::Timescale(tau) => (rates.relative, m / tau),
            // (1 + s)^h = 2 for the proximal form, (1 − s)^h = 1/2 for the others. `exp_m1` keeps
            // the digits of a small s.
            Strength::HalfLife(h) if self.place == Place::Proximal => (m, (LN_2 / h).exp_m1()),
            Strength::HalfLife(h) => (m, -(-LN_2 / h).exp_m1()),
        };
        self.placed(ShrinkFraction { rate, lambda })
    }

    fn placed(&self, share: ShrinkFraction) -> StepDecay {
        let part = |ratio: f64| ShrinkFraction { lambda: share.lambda * ratio, ..share };
        let none = ShrinkFraction { rate: 0.0, lambda: 0.0 };
        let (l1, l2) = match self.penalty {
            Penalty::L2 => (none, share),
            Penalty::L1 | Penalty::GroupLasso => (share, none),
            Penalty::ElasticNet { ratio } => (part(ratio), part(1.0 - ratio)),
        };
        match (self.place, self.penalty) {
            // First of all, so that a decay of 0 has the bits of a run without decay.
            _ if share.removed() == 0.0 => StepDecay::Free,
            (Place::Coupled, _) => StepDecay::Coupled { l1: l1.removed(), l2: l2.removed() },
            (Place::Decoupled, Penalty::L2) => StepDecay::Shrink(l2),
            (Place::Cautious, _) => StepDecay::Cautious(l2),
            (Place::AdaDecay { alpha }, _) => StepDecay::AdaDecay { share: l2, alpha },
            (Place::Metric, _) => StepDecay::Metric { threshold: l1.removed() },
            (_, Penalty::GroupLasso) => StepDecay::Rows { threshold: l1.removed() },
            (Place::Decoupled, _) => StepDecay::Proximal { before: l2, threshold: l1.removed(), after: 0.0 },
            (Place::Proximal, _) => StepDecay::Proximal { before: none, threshold: l1.removed(), after: l2.removed() },
        }
    }
}

/// Shows what acts in a step: the share s of a weight, the threshold θ, or the strengths λ and λ₁
/// in the gradient.
impl fmt::Display for StepDecay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = match *self {
            Self::Free => return f.write_str("none"),
            Self::Coupled { l1, l2 } => [("λ", l2), ("λ₁", l1), ("", 0.0)],
            Self::Shrink(share) | Self::Cautious(share) => [("s", share.removed()), ("", 0.0), ("", 0.0)],
            Self::Proximal { before, threshold, after } => [("s", before.removed()), ("θ", threshold), ("s", after)],
            Self::AdaDecay { share, alpha } => [("s", share.removed()), ("α", alpha), ("", 0.0)],
            Self::Metric { threshold } => [("θ·metric", threshold), ("", 0.0), ("", 0.0)],
            Self::Rows { threshold } => [("θ/√n", threshold), ("", 0.0), ("", 0.0)],
        };
        let said = parts.iter().filter(|(_, amount)| *amount != 0.0);
        let said = said.map(|(name, amount)| format!("{name} = {}", Number::rounded(*amount)));
        f.write_str(&said.collect::<Vec<_>>().join(", "))
    }
}

impl StepDecay {
    /// Checks that no number that a kernel multiplies or compares with is infinite, or 0 instead of
    /// something else, in the weights' type. A share is kept as 1 − s, where a small one may be
    /// lost: that is PyTorch's order.
    pub(crate) fn check<T: Real>(self) -> Result<()> {
        self.map(|amount| rounded::<T>(WEIGHT_DECAY, amount).map(|_| amount)).map(|_| ())
    }

    /// Returns the same with amounts of 0 where a schedule, or a rate under one, has made them too
    /// small for the weights' type.
    pub(crate) fn faded<T: Real>(self) -> Result<Self> {
        self.map(|amount| faded::<T>(WEIGHT_DECAY, amount))
    }

    /// Returns the same kernel with other amounts.
    fn map(self, change: impl Fn(f64) -> Result<f64>) -> Result<Self> {
        Ok(match self {
            Self::Coupled { l1, l2 } => match (change(l1)?, change(l2)?) {
                (0.0, 0.0) => Self::Free,
                (l1, l2) => Self::Coupled { l1, l2 },
            },
            Self::Proximal { before, threshold, after } => {
                Self::Proximal { before, threshold: change(threshold)?, after: change(after)? }
            }
            Self::Metric { threshold } => Self::Metric { threshold: change(threshold)? },
            Self::Rows { threshold } => Self::Rows { threshold: change(threshold)? },
            Self::Free | Self::Shrink(_) | Self::Cautious(_) | Self::AdaDecay { .. } => self,
        })
    }

    /// Returns the effect on a displacement that is `trust` times as long: what is coupled stays
    /// in the gradient.
    pub(crate) fn times(self, trust: f64) -> Self {
        match self {
            Self::Free | Self::Coupled { .. } => self,
            Self::Shrink(share) => Self::Shrink(share.times(trust)),
            Self::Cautious(share) => Self::Cautious(share.times(trust)),
            Self::Proximal { before, threshold, after } => {
                Self::Proximal { before: before.times(trust), threshold: threshold * trust, after: after * trust }
            }
            Self::AdaDecay { share, alpha } => Self::AdaDecay { share: share.times(trust), alpha },
            Self::Metric { threshold } => Self::Metric { threshold: threshold * trust },
            Self::Rows { threshold } => Self::Rows { threshold: threshold * trust },
        }
    }

    /// Returns the strengths of the penalty in the gradient, L1 and L2.
    pub(crate) fn coupled(self) -> [f64; 2] {
        if let Self::Coupled { l1, l2 } = self { [l1, l2] } else { [0.0; 2] }
    }

    /// Returns the largest share of a weight that is removed, which must be in [0, 1).
    pub(crate) fn share(self) -> f64 {
        match self {
            Self::Free | Self::Coupled { .. } | Self::Metric { .. } | Self::Rows { .. } => 0.0,
            Self::AdaDecay { share, .. } => 2.0 * share.removed(),
            Self::Shrink(share) | Self::Cautious(share) | Self::Proximal { before: share, .. } => share.removed(),
        }
    }
}
