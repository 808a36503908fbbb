//! Decoupled L2 in the order that loses no small share: what is removed joins the update before it meets
//! the weight (the paper's order, Loshchilov & Hutter, arXiv 1711.05101).

use super::{AnyLaw, AtPlace, Effect, StepDecay};
use crate::decay::units::ShrinkFraction;
use crate::decay::{Anchor, Decay, Penalty, Place, Strength};
use crate::error::Result;
use crate::float::Real;
use crate::kernel::{Law, Move};

impl Decay {
    /// Makes decoupled L2 in PyTorch's units, s = η_t·λ, that loses no small share: x ← x − (η_t·u + s·d),
    /// where [`decoupled`](Self::decoupled) has x ← (1 − s)·d − η_t·u, as PyTorch does.
    ///
    /// 1 − s has few digits left for a small s: in `f32` a share of 1e-8 removes nothing, one of 4e-8
    /// removes 6e-8. Here s keeps all its digits, and the sum is rounded once: beside updates that are
    /// not 0, rounding errs to both sides, and on average a weight loses its share.
    ///
    /// ```
    /// use wane::{Decay, Optimizer, Sgd};
    ///
    /// let mean = |decay: Decay| {
    ///     let mut opt = Sgd::new(1.0).weight_decay(decay).build()?;
    ///     let mut w = vec![0.75_f32; 4096];
    ///     for k in 0..1000_u32 {
    ///         // Updates that come and go: their sum is 0.
    ///         let grads: Vec<_> = (0..4096_u32).map(|i| ((i * 977 + k / 2 * 7919) % 1000) as f32 * 1e-6 * [1.0, -1.0][(k % 2) as usize]).collect();
    ///         opt.step_slice(&mut w, &grads)?;
    ///     }
    ///     Ok::<_, wane::Error>(w.iter().map(|&w| f64::from(w)).sum::<f64>() / 4096.0)
    /// };
    /// let kept = 0.75 * (1.0 - 1e-8_f64).powi(1000);
    /// assert!((mean(Decay::exact(1e-8))? - kept).abs() < 1e-7);
    /// assert!((mean(Decay::decoupled(1e-8))? - kept).abs() > 5e-6);       // nothing was removed
    /// # Ok::<(), wane::Error>(())
    /// ```
    #[must_use]
    pub fn exact(lambda: f64) -> Self {
        Self::new(Penalty::L2, Place::Exact, Strength::LrScaled(lambda))
    }
}

/// Beside the update, in one sum with it.
pub(super) struct InTheSum;

impl AtPlace for InTheSum {
    fn word(&self) -> &'static str {
        "exact"
    }

    fn refuses(&self, penalty: Penalty, _strength: Strength) -> Option<&'static str> {
        (penalty != Penalty::L2).then_some("the exact order is for L2: thresholds lose nothing")
    }

    fn effect(&self, _penalty: Penalty, share: ShrinkFraction) -> StepDecay {
        StepDecay::Exact(Amounts { share: share.removed() })
    }
}

/// The share that is removed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Amounts {
    share: f64,
}

impl Effect for Amounts {
    fn said(self) -> Vec<(&'static str, f64)> {
        vec![("s", self.share)]
    }

    fn map(self, change: &dyn Fn(f64) -> Result<f64>) -> Result<Self> {
        Ok(Self { share: change(self.share)? })
    }

    fn times(self, trust: f64) -> Self {
        Self { share: self.share * trust }
    }

    fn share(self) -> f64 {
        self.share
    }

    fn law<T: Real>(self, _anchor: Anchor) -> AnyLaw<T> {
        AnyLaw::Exact(Exact::new(self.share))
    }
}

/// d ← d − (rate·u + s·d)
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exact<T> {
    s: T,
}

impl<T: Real> Exact<T> {
    pub(super) fn new(share: f64) -> Self {
        Self { s: T::of(share) }
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.s.is_zero()
    }
}

impl<T: Real> Law<T> for Exact<T> {
    type Columns = [T; 0];
    const SETTLES: bool = true;

    #[inline(always)]
    fn settle(&self, d: T, _g: T, step: Move<T>, rate: T, []: [T; 0]) -> (T, [T; 0]) {
        (d - step.u.mul_add(rate, self.s * d), [])
    }

    #[inline(always)]
    fn drift(&self, d: T, _g: T, _step: Move<T>, _rate: T, []: [T; 0]) -> T {
        self.s * d
    }
}
