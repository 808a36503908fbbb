//! Cautious decay: only where the update already moves the weight towards 0 (Chen et al., arXiv 2510.12402).

use super::effect::Share;
use super::law::{Law, descend};
use crate::float::Real;
use crate::rule::Move;

/// d ← (1 − s·[u·d ≥ 0])·d − rate·u
#[derive(Clone, Copy)]
pub(crate) struct Cautious<T> {
    keep: T,
    s: T,
}

impl<T: Real> Cautious<T> {
    pub(crate) fn new(share: Share) -> Self {
        Self { keep: T::of(share.kept()), s: T::of(share.removed()) }
    }
}

/// u·d < 0, by the sign of d and that of u before the rate, which may have made 0 of it. The product of two small numbers may underflow to 0. (At d = −0 it may say yes, and there is nothing to decay.) One
/// comparison, where asking u and d one by one takes four and twice the time. A NaN does not oppose: it reaches the weight through u.
#[inline(always)]
fn opposes<T: Real>(lean: T, d: T) -> bool {
    lean * T::one().copysign(d) < T::zero()
}

impl<T: Real> Law<T, 0> for Cautious<T> {
    #[inline(always)]
    fn settle(&self, d: T, step: Move<T>, rate: T, []: [T; 0]) -> T {
        let keep = if opposes(step.lean, d) { T::one() } else { self.keep };
        descend(d * keep, step, rate)
    }

    #[inline(always)]
    fn drift(&self, d: T, step: Move<T>, _rate: T, []: [T; 0]) -> T {
        let s = if opposes(step.lean, d) { T::zero() } else { self.s };
        s * d
    }
}
