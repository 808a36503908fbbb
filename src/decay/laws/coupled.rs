//! Coupled penalties: their gradient joins that of the loss, before the optimizer sees it (formula:
//! Hanson & Pratt 1988).

use super::{AnyLaw, AtPlace, Effect, StepDecay, huber, p_norm};
use crate::decay::share::ShrinkFraction;
use crate::decay::{Anchor, Decay, Penalty, Place, Strength};
use crate::error::Result;
use crate::float::{Real, sign};
use crate::kernel::Law;

impl Decay {
    /// Makes classical L2: g ← g + λ·d, the gradient of (λ/2)·d², before the optimizer sees it.
    ///
    /// So everything that the optimizer does to gradients it does to the decay: momentum carries it further, and Adam
    /// divides it by √v̂. It comes after clipping, and in one rounding with the gradient. (Keras's `l2` is
    /// λ/2. Libraries differ in what `weight_decay` is: PyTorch's `SGD` and `Adam` mean this, its `AdamW` and
    /// all optimizers of Keras [`decoupled`](Self::decoupled).)
    ///
    /// ```
    /// use wane::{Adam, Decay, Optimizer, Sgd};
    ///
    /// let mut w = [4.0_f64];
    /// Sgd::new(0.5).weight_decay(Decay::coupled_l2(0.25)).build()?.step_slice(&mut w, &[1.0])?;
    /// assert_eq!(w, [4.0 - 0.5 * (1.0 + 0.25 * 4.0)]);
    ///
    /// // The first step of Adam has the length of the rate, whatever λ is.
    /// let mut w = [4.0_f64];
    /// Adam::new(0.5).weight_decay(Decay::coupled_l2(0.25)).build()?.step_slice(&mut w, &[1.0])?;
    /// assert!((w[0] - 3.5).abs() < 1e-8);
    /// # Ok::<(), wane::Error>(())
    /// ```
    #[doc(alias = "weight_decay")]
    #[must_use]
    pub fn coupled_l2(lambda: f64) -> Self {
        Self::new(Penalty::L2, Place::Coupled, Strength::LrScaled(lambda))
    }

    /// Makes coupled L1, by its subgradient: g ← g + λ·sign(d). It leaves no exact zeros;
    /// [`l1`](Self::l1) does.
    #[must_use]
    pub fn coupled_l1(lambda: f64) -> Self {
        Self::new(Penalty::L1, Place::Coupled, Strength::LrScaled(lambda))
    }

    /// Makes L1 and L2 in the gradient, with ρ = `ratio` the share of L1: g ← g + λ(1 − ρ)·d + λρ·sign(d).
    #[must_use]
    pub fn coupled_elastic_net(lambda: f64, ratio: f64) -> Self {
        Self::new(Penalty::ElasticNet { ratio }, Place::Coupled, Strength::LrScaled(lambda))
    }
}

/// In the gradient, which the learning rate scales: strengths are plain numbers, or follow its norm.
pub(super) struct InGradient;

impl AtPlace for InGradient {
    fn word(&self) -> &'static str {
        "coupled"
    }

    fn refuses(&self, penalty: Penalty, strength: Strength) -> Option<&'static str> {
        match (penalty, strength) {
            (Penalty::L2, Strength::Adaptive(_)) => None,
            (Penalty::GroupLasso { .. }, _) => Some("group lasso is a proximal step; use decoupled"),
            (Penalty::PNorm { p }, _) if p_norm::refuses_gradient(p).is_some() => p_norm::refuses_gradient(p),
            (_, Strength::LrScaled(_)) => None,
            _ => Some("coupled decay is part of the gradient, so its strength is a plain number"),
        }
    }

    fn effect(&self, penalty: Penalty, share: ShrinkFraction) -> StepDecay {
        let [l1, l2] = penalty.parts(share).map(ShrinkFraction::removed);
        match penalty {
            Penalty::Huber { delta } => huber::coupled(share, delta),
            Penalty::PNorm { p } => p_norm::coupled(share, p),
            _ => StepDecay::Coupled(Amounts { l1, l2 }),
        }
    }
}

/// Strengths of the penalty.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Amounts {
    pub(crate) l1: f64,
    pub(crate) l2: f64,
}

impl Effect for Amounts {
    fn said(self) -> Vec<(&'static str, f64)> {
        vec![("λ", self.l2), ("λ₁", self.l1)]
    }

    fn map(self, change: &dyn Fn(f64) -> Result<f64>) -> Result<Self> {
        Ok(Self { l1: change(self.l1)?, l2: change(self.l2)? })
    }

    fn is_nothing(self) -> bool {
        self.coupled() == [0.0; 2]
    }

    fn coupled(self) -> [f64; 2] {
        [self.l1, self.l2]
    }

    fn law<T: Real>(self, _anchor: Anchor) -> AnyLaw<T> {
        match self {
            Self { l1: 0.0, l2 } => AnyLaw::CoupledL2(CoupledL2::new(l2)),
            Self { l1, l2 } => AnyLaw::CoupledElastic(CoupledElastic::new(l1, l2)),
        }
    }
}

/// (λ/2)·d²:  g ← g + λ·d
#[derive(Clone, Copy, Debug)]
pub(crate) struct CoupledL2<T> {
    lambda: T,
}

impl<T: Real> CoupledL2<T> {
    pub(crate) fn new(lambda: f64) -> Self {
        Self { lambda: T::of(lambda) }
    }
}

impl<T: Real> Law<T> for CoupledL2<T> {
    type Columns = [T; 0];
    const COUPLES: bool = true;

    #[inline(always)]
    fn couple(&self, g: T, d: T) -> T {
        d.mul_add(self.lambda, g)
    }
}

/// λ₁·|d| + (λ₂/2)·d²:  g ← g + λ₂·d + λ₁·sign(d)
#[derive(Clone, Copy, Debug)]
pub(crate) struct CoupledElastic<T> {
    l1: T,
    l2: T,
}

impl<T: Real> CoupledElastic<T> {
    pub(crate) fn new(l1: f64, l2: f64) -> Self {
        Self { l1: T::of(l1), l2: T::of(l2) }
    }
}

impl<T: Real> Law<T> for CoupledElastic<T> {
    type Columns = [T; 0];
    const COUPLES: bool = true;

    #[inline(always)]
    fn couple(&self, g: T, d: T) -> T {
        sign(d).mul_add(self.l1, d.mul_add(self.l2, g))
    }
}
