//! Cautious decay: only where the update already moves the weight towards 0 (Chen et al.,
//! arXiv 2510.12402).

use super::amounts::{Amounts, OfShare};
use super::{AnyLaw, AtPlace, StepDecay};
use crate::decay::share::ShrinkFraction;
use crate::decay::{Anchor, Decay, Penalty, Place, Strength};
use crate::float::Real;
use crate::kernel::{Law, Move, descend};

impl Decay {
    /// Makes decoupled L2 that acts only where the update already moves the weight towards 0.
    ///
    /// ```text
    /// x ← (1 − s·[u·d ≥ 0])·d − η_t·u,   s = η_t·λ
    /// ```
    ///
    /// u is the optimizer's full direction, with momentum and metric, not the gradient; at u = 0 a weight decays. Where
    /// a run rests, u is 0: it rests where the loss alone has its minimum, and decay only chooses among ways there.
    /// λ is that of [`decoupled`](Self::decoupled): it is not scaled up for the weights that are left out, and 1 − s is
    /// rounded as there. No pass and no state of its own.
    ///
    /// ```
    /// use wane::{Decay, Optimizer, Sgd};
    ///
    /// let mut opt = Sgd::new(0.5).weight_decay(Decay::cautious(0.5)).build()?;
    /// let mut w = [4.0_f64, 4.0];
    /// opt.step_slice(&mut w, &[1.0, -1.0])?;
    /// assert_eq!(w, [0.75 * 4.0 - 0.5, 4.0 + 0.5]);
    /// # Ok::<(), wane::Error>(())
    /// ```
    ///
    /// Source: Chen et al., *Cautious Weight Decay*, arXiv 2510.12402.
    #[doc(alias = "CWD")]
    #[must_use]
    pub fn cautious(lambda: f64) -> Self {
        Self::new(Penalty::L2, Place::Cautious, Strength::LrScaled(lambda))
    }
}

/// Beside the update, where the update moves the same way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct WhereItAgrees;

impl AtPlace for WhereItAgrees {
    fn word(&self) -> &'static str {
        "cautious"
    }

    fn refuses(&self, penalty: Penalty, _strength: Strength) -> Option<&'static str> {
        (penalty != Penalty::L2).then_some("cautious decay is defined for L2")
    }

    fn effect(&self, _penalty: Penalty, share: ShrinkFraction) -> StepDecay {
        StepDecay::Cautious(Amounts::of(share))
    }
}

impl OfShare for WhereItAgrees {
    fn law<T: Real>(share: ShrinkFraction, _anchor: Anchor) -> AnyLaw<T> {
        AnyLaw::Cautious(Cautious::new(share))
    }
}

/// d ← (1 − s·[u·d ≥ 0])·d − rate·u
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cautious<T> {
    keep: T,
    s: T,
}

impl<T: Real> Cautious<T> {
    pub(crate) fn new(share: ShrinkFraction) -> Self {
        Self { keep: T::of(share.kept()), s: T::of(share.removed()) }
    }
}

/// Returns whether u·d < 0, from the signs of d and of `lean`: u itself may be 0 where the learning
/// rate is small, and the product of two small numbers may underflow to 0. At d = −0 there is
/// nothing to decay, so either answer is right. This is one comparison; looking at u and d one by
/// one takes four, and twice the time. A NaN does not oppose: it reaches the weight through u.
#[inline(always)]
fn opposes<T: Real>(lean: T, d: T) -> bool {
    lean * T::one().copysign(d) < T::zero()
}

impl<T: Real> Law<T> for Cautious<T> {
    type Columns = [T; 0];
    const SETTLES: bool = true;
    const ASKS: bool = true;

    #[inline(always)]
    fn settle(&self, d: T, _g: T, step: Move<T>, rate: T, []: [T; 0]) -> (T, [T; 0]) {
        let shrunk = d * self.keep;
        (descend(if opposes(step.lean, d) { d } else { shrunk }, step, rate), [])
    }

    #[inline(always)]
    fn drift(&self, d: T, _g: T, step: Move<T>, _rate: T, []: [T; 0]) -> T {
        let s = if opposes(step.lean, d) { T::zero() } else { self.s };
        s * d
    }
}
