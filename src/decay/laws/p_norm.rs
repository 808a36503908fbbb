//! Decay by any p-norm, by a step that is exact at the weight where it stands (Outmezguine & Levi, arXiv
//! 2404.10824, who call it pWD).

use super::{AnyLaw, Effect, StepDecay, free};
use crate::decay::share::ShrinkFraction;
use crate::decay::{Anchor, Decay, Penalty, Place, Strength};
use crate::error::Result;
use crate::float::{Real, sign};
use crate::kernel::{Law, Move, descend};

impl Decay {
    /// Makes decay by the p-norm, (λ/p)·|d|^p, after the update: below p = 2 small weights lose the larger
    /// share, and below 1 they fall to 0 and stay there.
    ///
    /// ```text
    /// y = d − η_t·u,   d ← y/(1 + s·|d|^(p−2)),   s = η_t·λ
    /// ```
    ///
    /// p = 2 is the proximal L2. The strength is taken at the weight as it was, so that the step needs no
    /// root. It never passes 0, however large s·|d|^(p−2) is, and a weight rests where u + λ·sign(d)·|d|^(p−1) = 0, as
    /// the loss with its penalty has it.
    ///
    /// **With p < 2 a weight that is 0 stays 0**: its strength is infinite. So does a parameter that begins
    /// at 0, and one that begins at its anchor, which is why [`Anchor::Start`] is refused there. In the
    /// gradient ([`Place::Coupled`]), g ← g + λ·sign(d)·|d|^(p−1), p is from 1 to 2.
    ///
    /// The paper's λ_p is this λ. A penalty that is written λ′·|w|^p, as in the authors' code (`lambda_p` of
    /// `PAdam`), has λ = p·λ′. A power is not correctly
    /// rounded: it is a call of the platform's math library for each weight, the same on every CPU level, so
    /// this is slower than other laws, and its last bit may differ between platforms. No state.
    ///
    /// ```
    /// use wane::{Decay, Optimizer, Sgd};
    ///
    /// let mut opt = Sgd::new(0.5).weight_decay(Decay::p_norm(0.25, 0.5)).build()?;
    /// let mut w = [4.0_f64, 0.25, 0.0];
    /// opt.step_slice(&mut w, &[0.0, 0.0, -9.0])?;
    /// assert_eq!(w, [4.0 / (1.0 + 0.125 / 8.0), 0.25 / (1.0 + 0.125 * 8.0), 0.0]);
    /// # Ok::<(), wane::Error>(())
    /// ```
    ///
    /// Source: Outmezguine & Levi, *Decoupled Weight Decay for Any p Norm*, arXiv 2404.10824.
    #[doc(alias = "pWD")]
    #[doc(alias = "bridge")]
    #[must_use]
    pub fn p_norm(lambda: f64, p: f64) -> Self {
        Self::new(Penalty::PNorm { p }, Place::Decoupled, Strength::LrScaled(lambda))
    }
}

/// Returns why this penalty does not pull to an anchor, if it is this penalty and does not.
pub(super) fn refuses(anchor: Anchor, penalty: Penalty, place: Place) -> Option<&'static str> {
    let holds = matches!(penalty, Penalty::PNorm { p } if p < 2.0) && place != Place::Coupled && anchor == Anchor::Start;
    holds.then_some("a p-norm with p below 2 would hold every weight where it starts")
}

/// Returns why there is no gradient of this norm, if it has none that is bounded.
pub(super) fn refuses_gradient(p: f64) -> Option<&'static str> {
    let exists = (1.0..=2.0).contains(&p);
    (!exists).then_some("the gradient of a p-norm has no bound, at 0 with p below 1, far from it with p above 2; use decoupled")
}

/// Returns what a share amounts to in the gradient.
pub(super) fn coupled(share: ShrinkFraction, p: f64) -> StepDecay {
    StepDecay::CoupledPNorm(Coupled { lambda: share.removed(), p })
}

/// Returns what a share amounts to after the update.
pub(super) fn effect(share: ShrinkFraction, p: f64) -> StepDecay {
    StepDecay::PNorm(Amounts { share: share.removed(), p })
}

/// The strength in the gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Coupled {
    lambda: f64,
    p: f64,
}

impl Effect for Coupled {
    fn said(self) -> Vec<(&'static str, f64)> {
        vec![("λ", self.lambda), ("p", self.p)]
    }

    fn map(self, change: &dyn Fn(f64) -> Result<f64>) -> Result<Self> {
        Ok(Self { lambda: change(self.lambda)?, ..self })
    }

    fn is_nothing(self) -> bool {
        self.lambda == 0.0
    }

    // |d|^(p−1) is between 1 and |d|.
    fn coupled(self) -> [f64; 2] {
        [self.lambda, self.lambda]
    }

    fn law<T: Real>(self, _anchor: Anchor) -> AnyLaw<T> {
        AnyLaw::CoupledPNorm(CoupledPNorm { lambda: T::of(self.lambda), power: T::of(self.p - 1.0) })
    }
}

/// g ← g + λ·sign(d)·|d|^(p−1)
#[derive(Clone, Copy, Debug)]
pub(crate) struct CoupledPNorm<T> {
    lambda: T,
    /// p − 1
    power: T,
}

impl<T: Real> Law<T> for CoupledPNorm<T> {
    type Columns = [T; 0];
    const COUPLES: bool = true;

    #[inline(always)]
    fn couple(&self, g: T, d: T) -> T {
        (sign(d) * d.abs().powf(self.power)).mul_add(self.lambda, g)
    }
}

/// The share that a weight of size 1 loses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Amounts {
    share: f64,
    p: f64,
}

impl Effect for Amounts {
    fn said(self) -> Vec<(&'static str, f64)> {
        vec![("s", self.share), ("p", self.p)]
    }

    fn map(self, change: &dyn Fn(f64) -> Result<f64>) -> Result<Self> {
        change(self.p)?;
        Ok(Self { share: change(self.share)?, ..self })
    }

    fn is_nothing(self) -> bool {
        self.share == 0.0
    }

    fn times(self, trust: f64) -> Self {
        Self { share: self.share * trust, ..self }
    }

    fn law<T: Real>(self, _anchor: Anchor) -> AnyLaw<T> {
        let share = T::of(self.share);
        // A trust ratio may be 0, and 0·∞ is no share.
        if share.is_zero() { AnyLaw::Free(free::Free) } else { AnyLaw::PNorm(PNorm { share, power: T::of(self.p - 2.0) }) }
    }
}

/// y = d − rate·u,   d ← y/(1 + s·|d|^(p−2))
///
/// The power may be infinite, where its quotient is the limit 0: at d = 0, and beside it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PNorm<T> {
    /// s, above 0
    share: T,
    /// p − 2
    power: T,
}

impl<T: Real> PNorm<T> {
    /// Returns s·|d|^(p−2).
    #[inline(always)]
    fn strength(&self, d: T) -> T {
        self.share * d.abs().powf(self.power)
    }
}

impl<T: Real> Law<T> for PNorm<T> {
    type Columns = [T; 0];
    const SETTLES: bool = true;

    #[inline(always)]
    fn settle(&self, d: T, _g: T, step: Move<T>, rate: T, []: [T; 0]) -> (T, [T; 0]) {
        (descend(d, step, rate) / (T::one() + self.strength(d)), [])
    }

    // y·w/(1 + w), which 1 − 1/(1 + w) loses where the strength w is small.
    #[inline(always)]
    fn drift(&self, d: T, _g: T, step: Move<T>, rate: T, []: [T; 0]) -> T {
        descend(d, step, rate) / (T::one() + self.strength(d).recip())
    }
}
