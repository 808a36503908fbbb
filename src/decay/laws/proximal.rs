//! Proximal steps: the penalty's exact minimisation after the update, which for L1 leaves exact
//! zeros (soft threshold).

use super::{AnyLaw, AtPlace, Effect, StepDecay, huber, p_norm, rows, sets};
use crate::decay::share::ShrinkFraction;
use crate::decay::{Anchor, Decay, Penalty, Place, Strength};
use crate::error::Result;
use crate::float::{Float, Real, clamp, removed};
use crate::kernel::{Law, Move, descend};

impl Decay {
    /// Makes decoupled L1, a soft threshold of η_t·λ after the update, which leaves exact zeros.
    ///
    /// ```text
    /// y = d − η_t·u,   d ← S(y, θ) = sign(y)·max(|y| − θ, 0),   θ = η_t·λ
    /// ```
    ///
    /// It is the exact minimiser of θ·|x| + ½(x − y)². |y| − θ is rounded to the weights' type: in `f32` a threshold
    /// below 3e-8 of a weight takes nothing off it. No pass and no state of its own.
    ///
    /// ```
    /// use wane::{Decay, Optimizer, Sgd};
    ///
    /// let mut opt = Sgd::new(0.5).weight_decay(Decay::l1(0.25)).build()?;
    /// let mut w = [1.0_f64, -1.0, 0.1, 0.1];
    /// opt.step_slice(&mut w, &[0.0, 0.0, 0.0, 0.25])?;
    /// assert_eq!(w, [0.875, -0.875, 0.0, 0.0]);
    /// # Ok::<(), wane::Error>(())
    /// ```
    #[doc(alias = "soft threshold")]
    #[doc(alias = "ISTA")]
    #[must_use]
    pub fn l1(lambda: f64) -> Self {
        Self::new(Penalty::L1, Place::Decoupled, Strength::LrScaled(lambda))
    }

    /// Makes decoupled L1 and L2, with ρ = `ratio` the share of L1: x ← S((1 − s₂)·d − η_t·u, s₁), s₁ = η_t·λ·ρ,
    /// s₂ = η_t·λ·(1 − ρ).
    ///
    /// The L2 is that of [`decoupled`](Self::decoupled), before the threshold. In [`Place::Proximal`] it comes after it, as
    /// the exact minimiser has it: S(d − η_t·u, s₁)/(1 + s₂).
    ///
    /// ```
    /// use wane::{Decay, Optimizer, Sgd};
    ///
    /// let mut opt = Sgd::new(0.5).weight_decay(Decay::elastic_net(0.5, 0.5)).build()?;
    /// let mut w = [1.0_f64, 0.125];
    /// opt.step_slice(&mut w, &[0.0, 0.0])?;
    /// assert_eq!(w, [0.875 - 0.125, 0.0]);
    /// # Ok::<(), wane::Error>(())
    /// ```
    #[must_use]
    pub fn elastic_net(lambda: f64, ratio: f64) -> Self {
        Self::new(Penalty::ElasticNet { ratio }, Place::Decoupled, Strength::LrScaled(lambda))
    }
}

/// After the update. A divisor 1 + s cannot pass 0, so any share is allowed.
pub(super) struct After;

impl AtPlace for After {
    fn word(&self) -> &'static str {
        "proximal"
    }

    fn refuses(&self, _penalty: Penalty, _strength: Strength) -> Option<&'static str> {
        None
    }

    fn effect(&self, penalty: Penalty, share: ShrinkFraction) -> StepDecay {
        let [l1, l2] = penalty.parts(share).map(ShrinkFraction::removed);
        match penalty {
            Penalty::Huber { delta } => huber::effect(share, delta),
            Penalty::PNorm { p } => p_norm::effect(share, p),
            Penalty::GroupLasso { over } => rows::effect(share, over),
            _ if penalty.is_to_a_set() => sets::effect(penalty, sets::Pull::after(share)),
            _ => StepDecay::Proximal(Amounts { before: ShrinkFraction::NONE, threshold: l1, after: l2 }),
        }
    }
}

/// A share removed before the update, a threshold after it, and a divisor 1 + `after`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Amounts {
    pub(super) before: ShrinkFraction,
    pub(super) threshold: f64,
    pub(super) after: f64,
}

impl Effect for Amounts {
    fn said(self) -> Vec<(&'static str, f64)> {
        vec![("s", self.before.removed()), ("θ", self.threshold), ("s", self.after)]
    }

    fn map(self, change: &dyn Fn(f64) -> Result<f64>) -> Result<Self> {
        Ok(Self { threshold: change(self.threshold)?, after: change(self.after)?, ..self })
    }

    fn times(self, trust: f64) -> Self {
        Self { before: self.before.times(trust), threshold: self.threshold * trust, after: self.after * trust }
    }

    fn share(self) -> f64 {
        self.before.removed()
    }

    // One of the two, or neither.
    fn removes<T: Float>(self) -> [f64; 2] {
        let share = self.share() + self.after / (1.0 + self.after);
        [share, removed::<T>(share)]
    }

    fn law<T: Real>(self, _anchor: Anchor) -> AnyLaw<T> {
        AnyLaw::Proximal(Proximal::new(self.before, self.threshold, self.after))
    }
}

/// y = (1 − s)·d − rate·u, d ← S(y, θ) / (1 + r) with the soft threshold S(y, θ) =
/// sign(y)·max(|y| − θ, 0)
///
/// One law for the decoupled L1 (s = r = 0), its elastic net (s > 0) and the
/// proximal forms (r > 0).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proximal<T> {
    keep: T,
    s: T,
    threshold: T,
    /// 1/(1 + r): a multiplication, rounded twice, where a division would stall the loop.
    scale: T,
    /// r/(1 + r), which 1 − scale loses where r is small.
    shrunk: T,
}

impl<T: Real> Proximal<T> {
    pub(crate) fn new(share: ShrinkFraction, threshold: f64, r: f64) -> Self {
        Self {
            keep: T::of(share.kept()),
            s: T::of(share.removed()),
            threshold: T::of(threshold),
            scale: T::of(1.0 / (1.0 + r)),
            shrunk: T::of(r / (1.0 + r)),
        }
    }

    /// Returns S(y, θ), as y − clamp(y): exactly 0 within the threshold, and a NaN stays a NaN.
    #[inline(always)]
    fn soft(&self, y: T) -> T {
        y - clamp(y, self.threshold)
    }
}

impl<T: Real> Law<T> for Proximal<T> {
    type Columns = [T; 0];
    const SETTLES: bool = true;

    #[inline(always)]
    fn settle(&self, d: T, _g: T, step: Move<T>, rate: T, []: [T; 0]) -> (T, [T; 0]) {
        (self.soft(descend(d * self.keep, step, rate)) * self.scale, [])
    }

    #[inline(always)]
    fn drift(&self, d: T, _g: T, step: Move<T>, rate: T, []: [T; 0]) -> T {
        let y = descend(d * self.keep, step, rate);
        self.s * d + clamp(y, self.threshold) + self.soft(y) * self.shrunk
    }
}
