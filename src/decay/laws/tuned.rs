//! A strength that follows the gradient of a validation loss: the law keeps how far each weight would
//! be from where it is at a larger λ (Luketina, Berglund, Greff & Raiko, ICML 2016, arXiv 1511.06727).

use super::exact::Exact;
use super::shrink::Shrink;
use super::{AnyLaw, Effect, StepDecay};
use crate::decay::share::ShrinkFraction;
use crate::decay::{Anchor, Decay, Penalty, Place, Strength, Tuning};
use crate::error::Result;
use crate::float::{Real, clamp};
use crate::kernel::{Law, Move};

impl Decay {
    /// Makes decoupled L2 whose λ follows the gradient of a validation loss, which
    /// [`Optimizer::tune_decay`](crate::Optimizer::tune_decay) is given every now and then.
    ///
    /// ```text
    /// s = η_t·λ
    /// d ← (1 − s)·d − η_t·u
    /// z ← (1 − s)·z − η_t·d              z = dw/dλ, with d before the step
    /// tuning:    h = Σ ⟨∇L_val(w), z⟩,  λ from h by the Tuning,  z ← 0
    /// ```
    ///
    /// h is summed over the group's parameters that are lent, each group has its own λ. z leaves out
    /// that the gradients of training would be others: with one step between two tunings h is exact,
    /// the paper's rule, dL(w_t)/dλ = −η·⟨∇L(w_t), w_{t−1}⟩; with more it looks further ahead and is a
    /// model. The gradient must be of data that no step is made on: on training data λ falls to 0.
    ///
    /// | number | default | allowed | else |
    /// |---|---|---|---|
    /// | λ, before the first tuning | – | finite, ≥ 0 | [`OutOfRange`](crate::Error::OutOfRange) |
    /// | κ, the rate | – | see [`Tuning`] | see there |
    ///
    /// A [schedule](Self::schedule) m multiplies λ, and is part of dw/dλ. State: a column
    /// `sensitivity`, z, and λ of each group. Under a trust ratio z leaves out how λ changes the ratio.
    ///
    /// ```
    /// use wane::{Decay, Optimizer, Param, Sgd, Tuning};
    ///
    /// let decay = Decay::tuned(0.5, Tuning::Linear(2.0));
    /// let mut opt = Sgd::new(0.25).weight_decay(decay).build()?;
    /// let mut w = [4.0_f64];
    /// opt.step(&mut [Param::new("w", &mut w, &[0.0])])?;
    /// assert_eq!(w, [3.5]);
    /// opt.tune_decay(&[Param::new("w", &mut w, &[0.125])])?;       // h = 0.125·(−0.25·4)
    /// assert_eq!(opt.decay_strength("default"), Some(0.75));
    /// # Ok::<(), wane::Error>(())
    /// ```
    ///
    /// Source: Luketina, Berglund, Greff & Raiko, ICML 2016, arXiv 1511.06727 (one step).
    #[doc(alias = "hypergradient")]
    #[must_use]
    pub fn tuned(lambda: f64, by: Tuning) -> Self {
        Self::new(Penalty::L2, Place::Exact, Strength::Tuned { lambda, by })
    }
}

/// Returns what a tuned decay amounts to. It acts where λ is 0, too: the column goes on.
pub(in crate::decay) fn effect(place: Place, share: ShrinkFraction) -> StepDecay {
    StepDecay::Tuned(Amounts { place, share })
}

/// The share that is removed: λ, and the slope of the share in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Amounts {
    place: Place,
    share: ShrinkFraction,
}

impl Effect for Amounts {
    fn said(self) -> Vec<(&'static str, f64)> {
        vec![("s", self.share())]
    }

    /// A kernel multiplies with the slope. One that is too small for the weights' type is 0 there, and says nothing of
    /// the share.
    fn map(self, change: &dyn Fn(f64) -> Result<f64>) -> Result<Self> {
        change(self.share.rate).map(|_| self)
    }

    fn times(self, trust: f64) -> Self {
        Self { share: self.share.times(trust), ..self }
    }

    fn share(self) -> f64 {
        self.share.removed()
    }

    fn law<T: Real>(self, _anchor: Anchor) -> AnyLaw<T> {
        let share = self.share();
        // Where nothing is removed the decoupled order has the bits of a step without decay.
        if self.place == Place::Exact && share != 0.0 {
            AnyLaw::TunedExact(Tuned::new(Exact::new(share), self.share))
        } else {
            AnyLaw::TunedShrink(Tuned::new(Shrink::new(self.share), self.share))
        }
    }
}

/// d as its law has it;   z ← z − (s·z + slope·d)
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tuned<T, L> {
    pull: L,
    s: T,
    slope: T,
    /// The largest number: z stays finite.
    bound: T,
}

impl<T: Real, L> Tuned<T, L> {
    fn new(pull: L, share: ShrinkFraction) -> Self {
        Self { pull, s: T::of(share.removed()), slope: T::of(share.rate), bound: T::of(T::LARGEST) }
    }
}

impl<T: Real, L: Law<T, Columns = [T; 0]>> Law<T> for Tuned<T, L> {
    type Columns = [T; 1];
    const SETTLES: bool = true;
    const WRITES: bool = true;

    #[inline(always)]
    fn settle(&self, d: T, g: T, step: Move<T>, rate: T, [z]: [T; 1]) -> (T, [T; 1]) {
        let (after, _) = self.pull.settle(d, g, step, rate, []);
        (after, [clamp(z - d.mul_add(self.slope, self.s * z), self.bound)])
    }

    #[inline(always)]
    fn drift(&self, d: T, g: T, step: Move<T>, rate: T, [_]: [T; 1]) -> T {
        self.pull.drift(d, g, step, rate, [])
    }
}
