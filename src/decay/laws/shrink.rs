//! Decoupled L2: the weight shrinks beside the update (Loshchilov & Hutter, arXiv 1711.05101; the
//! order is PyTorch's).

use super::{AnyLaw, AtPlace, Effect, StepDecay, average, huber, proximal, rows, sets};
use crate::decay::units::ShrinkFraction;
use crate::decay::{Anchor, Decay, Penalty, Place, Strength};
use crate::float::Real;
use crate::kernel::{Law, Move, descend};

impl Decay {
    /// Makes decoupled L2 in PyTorch's units: s = η_t·λ.
    #[doc(alias = "adamw")]
    #[must_use]
    pub fn decoupled(lambda: f64) -> Self {
        Self::new(Penalty::L2, Place::Decoupled, Strength::LrScaled(lambda))
    }

    /// Makes decoupled L2 in the paper's units: s = (η_t/η_peak)·λ.
    #[must_use]
    pub fn independent(lambda: f64) -> Self {
        Self::new(Penalty::L2, Place::Decoupled, Strength::Independent(lambda))
    }

    /// Makes corrected decoupled L2 (AdamC): s = (η_t²/η_peak)·λ. At the peak rate it is
    /// [`decoupled`](Self::decoupled); as the rate falls, it falls with its square. It is meant for
    /// layers before a normalisation, where it keeps ‖g‖/‖w‖ at rest at √(2λ/η_peak) where plain decay
    /// lets it rise; give other layers plain decay, in a group of their own. (timm gives it to all
    /// layers.) η_peak is the optimizer's; the group's factor scales η_t once.
    ///
    /// ```
    /// use wane::{Decay, Optimizer, Schedule, Sgd};
    ///
    /// let settings = Sgd::new(0.5).lr_schedule(Schedule::linear(1.0, 0.5, 1));
    /// let mut opt = settings.weight_decay(Decay::corrected(0.5)).build()?;
    /// let mut w = [1.0_f64];
    /// opt.step_slice(&mut w, &[0.0])?;
    /// assert_eq!(w, [0.75]);                      // s = 0.5·0.5
    /// opt.step_slice(&mut w, &[0.0])?;
    /// assert_eq!(w, [0.75 * (1.0 - 0.0625)]);     // half the rate, a quarter of the share
    /// # Ok::<(), wane::Error>(())
    /// ```
    ///
    /// Source: Defazio, *Why Gradients Rapidly Increase Near the End of Training*, arXiv 2506.02285.
    #[doc(alias = "AdamC")]
    #[must_use]
    pub fn corrected(lambda: f64) -> Self {
        Self::new(Penalty::L2, Place::Decoupled, Strength::Corrected(lambda))
    }

    /// Makes decoupled L2 by the same share at every step: s = λ.
    #[must_use]
    pub fn fixed(lambda: f64) -> Self {
        Self::new(Penalty::L2, Place::Decoupled, Strength::Fixed(lambda))
    }

    /// Makes decoupled L2 that averages over τ = `steps` steps at the peak learning rate:
    /// s = (η_t/η_peak)/τ.
    #[must_use]
    pub fn timescale(steps: f64) -> Self {
        Self::new(Penalty::L2, Place::Decoupled, Strength::Timescale(steps))
    }

    /// Makes decoupled L2 that halves a weight every h = `steps` steps: s = 1 − 2^(−1/h).
    #[must_use]
    pub fn half_life(steps: f64) -> Self {
        Self::new(Penalty::L2, Place::Decoupled, Strength::HalfLife(steps))
    }
}

/// Beside the update. L1 has its exact zeros from a threshold after it.
pub(super) struct Beside;

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
            Penalty::L2 => StepDecay::Shrink(Amounts { share: l2 }),
            Penalty::Huber { delta } => huber::effect(share, delta),
            Penalty::GroupLasso => rows::effect(share),
            _ if penalty.is_to_a_set() => sets::effect(penalty, sets::Pull::beside(share)),
            _ => StepDecay::Proximal(proximal::Amounts { before: l2, threshold: l1.removed(), after: 0.0 }),
        }
    }
}

/// The share that is removed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Amounts {
    pub(crate) share: ShrinkFraction,
}

impl Effect for Amounts {
    fn said(self) -> Vec<(&'static str, f64)> {
        vec![("s", self.share())]
    }

    fn times(self, trust: f64) -> Self {
        Self { share: self.share.times(trust) }
    }

    fn share(self) -> f64 {
        self.share.removed()
    }

    fn law<T: Real>(self, anchor: Anchor) -> AnyLaw<T> {
        match anchor {
            Anchor::Average { beta } => AnyLaw::TowardsAverage(average::TowardsAverage::new(self.share, beta)),
            _ => AnyLaw::Shrink(Shrink::new(self.share)),
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
