//! Exponential L2: the exact solution of dx/dt = −λ·x over a step, beside the update.

use super::{AtPlace, StepDecay, exact};
use crate::decay::share::ShrinkFraction;
use crate::decay::{Decay, Penalty, Place, Strength};

impl Decay {
    /// Makes exponential L2 in PyTorch's units: x ← e^(−s)·d − η_t·u with s = η_t·λ, in the
    /// [exact](Self::exact) order, so that a step removes the share 1 − e^(−s) of a weight.
    ///
    /// It is one of three ways to take a step along dx/dt = −λ·x, which differ by s²/2:
    ///
    /// | place | kept of d | s = 1 | s → ∞ | kept after steps of s₁ and s₂ |
    /// |---|---|---|---|---|
    /// | [`Decoupled`](Place::Decoupled), [`Exact`](Place::Exact) | 1 − s | 0 | refused from 1 on, as 1 − s turns the sign | (1 − s₁)(1 − s₂) |
    /// | [`Exponential`](Place::Exponential) | e^(−s) | 0.37 | 0 | e^(−(s₁ + s₂)): only their sum counts |
    /// | [`Proximal`](Place::Proximal) (after the update) | 1/(1 + s) | 0.5 | 0 | 1/((1 + s₁)(1 + s₂)) |
    ///
    /// No s is refused, however large. What is kept is rounded to the weight's own last place, so past s = 17 in
    /// `f32`, 37 in `f64`, nothing is. Under a trust ratio φ the share becomes φ·(1 − e^(−s)), which is refused from 1 on.
    ///
    /// ```
    /// use wane::{Decay, Optimizer, Sgd};
    ///
    /// let mut opt = Sgd::new(0.5).weight_decay(Decay::exponential(4.0)).build()?;
    /// let mut w = [1.0_f64];
    /// opt.step_slice(&mut w, &[0.0])?;
    /// assert!((w[0] - (-2.0_f64).exp()).abs() < 1e-16);
    /// # Ok::<(), wane::Error>(())
    /// ```
    ///
    /// Cost: that of [`exact`](Self::exact), whose loop it is.
    #[must_use]
    pub fn exponential(lambda: f64) -> Self {
        Self::new(Penalty::L2, Place::Exponential, Strength::LrScaled(lambda))
    }
}

/// Beside the update, by a factor that is never 0.
pub(super) struct ByFlow;

/// e^(−s) is never 0, so no share is 1.
const MOST: f64 = 1.0 - f64::EPSILON / 2.0;

impl AtPlace for ByFlow {
    fn word(&self) -> &'static str {
        "exponential"
    }

    fn refuses(&self, penalty: Penalty, _strength: Strength) -> Option<&'static str> {
        (penalty != Penalty::L2).then_some("exponential decay is defined for L2")
    }

    fn effect(&self, _penalty: Penalty, share: ShrinkFraction) -> StepDecay {
        StepDecay::Exact(exact::Amounts { share: (-(-share.removed()).exp_m1()).min(MOST) })
    }
}
