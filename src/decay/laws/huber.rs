//! Huber decay: L2 for small weights, and no more than a constant pull on large ones (Guo & Fan, arXiv
//! 2511.14721, who call it AdamHD).

use super::{AnyLaw, Effect, StepDecay};
use crate::decay::share::ShrinkFraction;
use crate::decay::{Anchor, Decay, Penalty, Place, Strength};
use crate::error::Result;
use crate::float::{Real, clamp};
use crate::kernel::{Law, Move, descend};

impl Decay {
    /// Makes Huber decay, by its exact proximal step after the update: L2 where |y| ≤ (1 + s)·δ, and a
    /// pull of s·δ on all larger weights, with δ = `delta` and s = η_t·λ.
    ///
    /// ```text
    /// y = d − η_t·u,   d ← y/(1 + s)  where |y| ≤ (1 + s)·δ,   else  y − s·δ·sign(y)
    /// ```
    ///
    /// So large weights, which L2 pulls hardest, keep their size longer. δ → ∞ is the proximal L2, and a
    /// small δ with s·δ held is L1 but for the last stretch to 0. The paper sets δ for each layer from a
    /// running mean of |w|; here it is a number. In the gradient ([`Place::Coupled`]): g ← g + λ·clamp(d, δ).
    ///
    /// ```
    /// use wane::{Decay, Optimizer, Sgd};
    ///
    /// let mut opt = Sgd::new(0.5).weight_decay(Decay::huber(0.5, 0.5)).build()?;
    /// let mut w = [4.0_f64, 0.25];
    /// opt.step_slice(&mut w, &[0.0, 0.0])?;
    /// assert_eq!(w, [4.0 - 0.25 * 0.5, 0.25 - 0.25 * 0.2]);          // s·δ, and s/(1 + s) of the weight
    /// # Ok::<(), wane::Error>(())
    /// ```
    ///
    /// No pass and no state of its own. Source: Guo & Fan, arXiv 2511.14721.
    #[doc(alias = "AdamHD")]
    #[must_use]
    pub fn huber(lambda: f64, delta: f64) -> Self {
        Self::new(Penalty::Huber { delta }, Place::Decoupled, Strength::LrScaled(lambda))
    }
}

/// Returns what a share amounts to in the gradient: g ← g + λ·clamp(d, δ).
pub(super) fn coupled(share: ShrinkFraction, delta: f64) -> StepDecay {
    StepDecay::CoupledHuber(Coupled { lambda: share.removed(), delta })
}

/// Returns what a share amounts to after the update.
pub(super) fn effect(share: ShrinkFraction, delta: f64) -> StepDecay {
    StepDecay::Huber(Amounts { share: share.removed(), delta })
}

/// The strength in the gradient, and the size from which it stays the same.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Coupled {
    lambda: f64,
    delta: f64,
}

impl Effect for Coupled {
    fn said(self) -> Vec<(&'static str, f64)> {
        vec![("λ", self.lambda), ("δ", self.delta)]
    }

    fn map(self, change: &dyn Fn(f64) -> Result<f64>) -> Result<Self> {
        Ok(Self { lambda: change(self.lambda)?, delta: change(self.delta)? })
    }

    fn is_nothing(self) -> bool {
        self.lambda == 0.0
    }

    // It never adds more than λ·δ, as an L1 of that strength.
    fn coupled(self) -> [f64; 2] {
        [self.lambda * self.delta, 0.0]
    }

    fn law<T: Real>(self, _anchor: Anchor) -> AnyLaw<T> {
        AnyLaw::CoupledHuber(CoupledHuber { lambda: T::of(self.lambda), delta: T::of(self.delta) })
    }
}

/// g ← g + λ·clamp(d, δ)
#[derive(Clone, Copy, Debug)]
pub(crate) struct CoupledHuber<T> {
    lambda: T,
    delta: T,
}

impl<T: Real> Law<T> for CoupledHuber<T> {
    type Columns = [T; 0];
    const COUPLES: bool = true;

    #[inline(always)]
    fn couple(&self, g: T, d: T) -> T {
        clamp(d, self.delta).mul_add(self.lambda, g)
    }
}

/// The share, and the size up to which it is a share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Amounts {
    share: f64,
    delta: f64,
}

impl Effect for Amounts {
    fn said(self) -> Vec<(&'static str, f64)> {
        vec![("s", self.share), ("δ", self.delta)]
    }

    fn map(self, change: &dyn Fn(f64) -> Result<f64>) -> Result<Self> {
        change(self.share * self.delta)?;
        Ok(Self { share: change(self.share)?, delta: change(self.delta)? })
    }

    fn times(self, trust: f64) -> Self {
        Self { share: self.share * trust, ..self }
    }

    fn law<T: Real>(self, _anchor: Anchor) -> AnyLaw<T> {
        let Self { share, delta } = self;
        AnyLaw::Huber(Huber { shrunk: T::of(share / (1.0 + share)), most: T::of(share * delta) })
    }
}

/// y = d − rate·u,   d ← y − clamp(y·s/(1 + s), s·δ): both sides meet at |y| = (1 + s)·δ
#[derive(Clone, Copy, Debug)]
pub(crate) struct Huber<T> {
    /// s/(1 + s)
    shrunk: T,
    /// s·δ
    most: T,
}

impl<T: Real> Law<T> for Huber<T> {
    type Columns = [T; 0];
    const SETTLES: bool = true;

    #[inline(always)]
    fn settle(&self, d: T, _g: T, step: Move<T>, rate: T, []: [T; 0]) -> (T, [T; 0]) {
        let y = descend(d, step, rate);
        (y - clamp(y * self.shrunk, self.most), [])
    }

    #[inline(always)]
    fn drift(&self, d: T, _g: T, step: Move<T>, rate: T, []: [T; 0]) -> T {
        clamp(descend(d, step, rate) * self.shrunk, self.most)
    }
}
