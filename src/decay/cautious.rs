//! Cautious decay: only where the update already moves the weight towards 0 (Chen et al., arXiv 2510.12402).

use super::effect::Share;
use super::law::{Law, descend};
use crate::float::Real;

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

/// u·d ≥ 0, by signs: the product of two small numbers may underflow to 0.
#[inline(always)]
fn agree<T: Real>(u: T, d: T) -> bool {
    let zero = T::zero();
    !((u > zero && d < zero) || (u < zero && d > zero))
}

impl<T: Real> Law<T, 0> for Cautious<T> {
    #[inline(always)]
    fn settle(&self, d: T, u: T, rate: T, []: [T; 0]) -> T {
        let keep = if agree(u, d) { self.keep } else { T::one() };
        descend(d * keep, u, rate)
    }

    #[inline(always)]
    fn drift(&self, d: T, u: T, _rate: T, []: [T; 0]) -> T {
        let s = if agree(u, d) { self.s } else { T::zero() };
        s * d
    }
}
