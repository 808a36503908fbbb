//! AdaDecay: the larger a weight's gradient among those of its parameter, the larger its decay
//! (Nakamura & Hong, IEEE Access 7, 2019, arXiv 1907.08931).

use std::fmt;

use super::{AnyLaw, AtPlace, Effect, StepDecay};
use crate::decay::share::ShrinkFraction;
use crate::decay::{Anchor, Decay, Penalty, Place, Strength};
use crate::error::{Result, in_range};
use crate::float::{Float, Real, removed};
use crate::kernel::reduce::TileSum;
use crate::kernel::{Law, Move, Notes, Whole, descend};
use crate::number::Number;
use crate::text::Arguments;

impl Decay {
    /// Makes AdaDecay with α = 4: decoupled L2 times θ, which is larger where the gradient is
    /// larger; see [`Place::AdaDecay`].
    #[must_use]
    pub fn ada_decay(lambda: f64) -> Self {
        Self::new(Penalty::L2, Place::AdaDecay { alpha: 4.0 }, Strength::LrScaled(lambda))
    }
}

/// Beside the update, by the size of the gradient.
pub(super) struct ByGradient {
    pub(super) alpha: f64,
}

impl AtPlace for ByGradient {
    fn word(&self) -> &'static str {
        "ada-decay"
    }

    fn check(&self) -> Result<()> {
        in_range("alpha of AdaDecay", self.alpha, self.alpha >= 0.0, "a finite number, at least 0")
    }

    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, ",{}", Number(self.alpha))
    }

    fn take(&self, _place: Place, next: &mut Arguments<'_>) -> Result<Place> {
        Ok(Place::AdaDecay { alpha: next.take("alpha")? })
    }

    fn refuses(&self, penalty: Penalty, _strength: Strength) -> Option<&'static str> {
        (penalty != Penalty::L2).then_some("AdaDecay is defined for L2")
    }

    fn effect(&self, _penalty: Penalty, share: ShrinkFraction) -> StepDecay {
        StepDecay::AdaDecay(Amounts { share, alpha: self.alpha })
    }
}

/// The share that is removed where the gradient is as large as it is in the mean; up to
/// twice that.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Amounts {
    share: ShrinkFraction,
    alpha: f64,
}

impl Effect for Amounts {
    fn said(self) -> Vec<(&'static str, f64)> {
        vec![("s", self.share.removed()), ("α", self.alpha)]
    }

    fn times(self, trust: f64) -> Self {
        Self { share: self.share.times(trust), ..self }
    }

    fn share(self) -> f64 {
        2.0 * self.share.removed()
    }

    fn removes<T: Float>(self) -> [f64; 2] {
        [self.share.removed(), removed::<T>(self.share.removed())]
    }

    fn law<T: Real>(self, _anchor: Anchor) -> AnyLaw<T> {
        AnyLaw::AdaDecay(AdaDecay::new(self.share, self.alpha))
    }
}

/// d ← (1 − s·θ)·d − rate·u,   θ = 2/(1 + exp(−α·(|g| − μ)/σ)), between 0 and 2
///
/// μ and σ are the mean and the deviation of |g| over the parameter, g as the optimizer sees it;
/// θ = 1 where σ = 0. The exponential is a call for each weight, so this is slower than other laws.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AdaDecay<T> {
    s: T,
    alpha: f64,
    /// μ
    mean: T,
    /// α/σ
    steepness: T,
}

impl<T: Real> AdaDecay<T> {
    pub(crate) fn new(share: ShrinkFraction, alpha: f64) -> Self {
        Self { s: T::of(share.removed()), alpha, mean: T::zero(), steepness: T::zero() }
    }

    /// Returns s·θ.
    #[inline(always)]
    fn share(&self, g: T) -> T {
        let one = T::one();
        // Where the exponential overflows, the quotient is its limit 0.
        (self.s + self.s) / (one + (self.steepness * (self.mean - g.abs())).exp())
    }
}

impl<T: Real> Law<T> for AdaDecay<T> {
    type Columns = [T; 0];
    const SETTLES: bool = true;
    const LOOKS: bool = true;

    fn prepare(self, whole: &mut dyn Whole<T>, _notes: Notes<'_, T>) -> Self {
        let level = whole.level();
        let (mut sum, mut count) = (TileSum::new(), 0);
        whole.gradients(&mut |g| {
            count += g.len();
            sum.fold(
                level,
                g,
                #[inline(always)]
                |sum, g: T| sum + g.abs().widen(),
            );
        });
        #[expect(clippy::cast_precision_loss, reason = "a number of weights")]
        let n = count as f64;
        let (mean, mut squares) = (sum.sum() / n, TileSum::new());
        whole.gradients(&mut |g| {
            squares.fold(
                level,
                g,
                #[inline(always)]
                |sum, g: T| {
                    let off = g.abs().widen() - mean;
                    off.mul_add(off, sum)
                },
            );
        });
        let deviation = (squares.sum() / n).sqrt();
        // Where gradients are as small as numbers get, it may be larger than any. A NaN stays one.
        let steepness = if deviation == 0.0 { 0.0 } else { (self.alpha / deviation).clamp(0.0, T::LARGEST) };
        Self { mean: T::of(mean), steepness: T::of(steepness), ..self }
    }

    #[inline(always)]
    fn settle(&self, d: T, g: T, step: Move<T>, rate: T, []: [T; 0]) -> (T, [T; 0]) {
        (descend(d * (T::one() - self.share(g)), step, rate), [])
    }

    #[inline(always)]
    fn drift(&self, d: T, g: T, _step: Move<T>, _rate: T, []: [T; 0]) -> T {
        self.share(g) * d
    }
}
