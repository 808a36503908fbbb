//! Decoupled L2: the weight shrinks beside the update (Loshchilov & Hutter, arXiv 1711.05101; the
//! order is PyTorch's).

use super::amounts::{Amounts, OfShare};
use super::{AnyLaw, AtPlace, StepDecay, average, huber, p_norm, proximal, rows, sets};
use crate::decay::share::ShrinkFraction;
use crate::decay::{Anchor, Decay, Penalty, Place, Strength};
use crate::float::Real;
use crate::kernel::{Law, Move, descend};

impl Decay {
    /// Makes decoupled L2 in PyTorch's units and order: x ← (1 − s)·d − η_t·u with s = η_t·λ. Units that
    /// PyTorch lacks have the [exact](Self::exact) order.
    ///
    /// 1 − s is rounded to the weights' type, so that in `f32` a share below 3e-8 is lost
    /// ([`is_lost_in`](Self::is_lost_in)). No pass and no state of its own.
    ///
    /// ```
    /// use wane::{Decay, Optimizer, Sgd};
    ///
    /// let mut opt = Sgd::new(0.5).weight_decay(Decay::decoupled(0.25)).build()?;
    /// let mut w = [4.0_f64];
    /// opt.step_slice(&mut w, &[1.0])?;
    /// assert_eq!(w, [(1.0 - 0.125) * 4.0 - 0.5]);
    /// # Ok::<(), wane::Error>(())
    /// ```
    #[doc(alias = "adamw")]
    #[must_use]
    pub fn decoupled(lambda: f64) -> Self {
        Self::new(Penalty::L2, Place::Decoupled, Strength::LrScaled(lambda))
    }
}

/// Beside the update. L1 has its exact zeros from a threshold after it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Beside;

impl AtPlace for Beside {
    fn word(&self) -> &'static str {
        "decoupled"
    }

    fn refuses(&self, _penalty: Penalty, _strength: Strength) -> Option<&'static str> {
        None
    }

    fn effect(&self, penalty: Penalty, share: ShrinkFraction) -> StepDecay {
        let [l1, l2] = penalty.parts(share);
        match penalty {
            Penalty::L2 => StepDecay::Shrink(Amounts::of(l2)),
            Penalty::Huber { delta } => huber::effect(share, delta),
            Penalty::PNorm { p } => p_norm::effect(share, p),
            Penalty::GroupLasso { over } => rows::effect(share, over),
            _ if penalty.is_to_a_set() => sets::effect(penalty, sets::Pull::beside(share)),
            _ => StepDecay::Proximal(proximal::Amounts { before: l2, threshold: l1.removed(), after: 0.0 }),
        }
    }
}

impl OfShare for Beside {
    fn law<T: Real>(share: ShrinkFraction, anchor: Anchor) -> AnyLaw<T> {
        match anchor {
            Anchor::Average { beta } => AnyLaw::TowardsAverage(average::TowardsAverage::new(share.removed(), beta)),
            _ => AnyLaw::Shrink(Shrink::new(share)),
        }
    }
}

/// d ← (1 − s)·d − rate·u
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shrink<T> {
    keep: T,
    s: T,
}

impl<T: Real> Shrink<T> {
    pub(crate) fn new(share: ShrinkFraction) -> Self {
        Self { keep: T::of(share.kept()), s: T::of(share.removed()) }
    }
}

impl<T: Real> Law<T> for Shrink<T> {
    type Columns = [T; 0];
    const SETTLES: bool = true;

    #[inline(always)]
    fn settle(&self, d: T, _g: T, step: Move<T>, rate: T, []: [T; 0]) -> (T, [T; 0]) {
        (descend(d * self.keep, step, rate), [])
    }

    #[inline(always)]
    fn drift(&self, d: T, _g: T, _step: Move<T>, _rate: T, []: [T; 0]) -> T {
        self.s * d
    }
}
