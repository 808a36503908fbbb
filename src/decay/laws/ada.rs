//! AdaDecay: the larger a weight's gradient among those of its parameter, the larger its decay
//! (Nakamura & Hong, IEEE Access 7, 2019, arXiv 1907.08931).

use crate::decay::step_decay::ShrinkFraction;
use crate::float::Real;
use crate::kernel::reduce::TileSum;
use crate::kernel::{Law, Move, Whole, descend};

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

    /// Returns the law for a parameter with these gradients.
    pub(crate) fn prepare(self, whole: &mut dyn Whole<T>) -> Self {
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
        let steepness = if deviation == 0.0 { 0.0 } else { self.alpha / deviation };
        Self { mean: T::of(mean), steepness: T::of(steepness), ..self }
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

    #[inline(always)]
    fn settle(&self, d: T, g: T, step: Move<T>, rate: T, []: [T; 0]) -> (T, [T; 0]) {
        (descend(d * (T::one() - self.share(g)), step, rate), [])
    }

    #[inline(always)]
    fn drift(&self, d: T, g: T, _step: Move<T>, _rate: T, []: [T; 0]) -> T {
        self.share(g) * d
    }
}
