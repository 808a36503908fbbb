//! Decoupled L2: the weight shrinks beside the update (Loshchilov & Hutter, arXiv 1711.05101; the order is PyTorch's).

use super::effect::Share;
use super::law::{Law, descend};
use crate::float::Real;
use crate::rule::Move;

/// d ← (1 − s)·d − rate·u
#[derive(Clone, Copy)]
pub(crate) struct Shrink<T> {
    keep: T,
    s: T,
}

impl<T: Real> Shrink<T> {
    pub(crate) fn new(share: Share) -> Self {
        Self { keep: T::of(share.kept()), s: T::of(share.removed()) }
    }
}

impl<T: Real> Law<T, 0> for Shrink<T> {
    #[inline(always)]
    fn settle(&self, d: T, step: Move<T>, rate: T, []: [T; 0]) -> T {
        descend(d * self.keep, step, rate)
    }

    #[inline(always)]
    fn drift(&self, d: T, _step: Move<T>, _rate: T, []: [T; 0]) -> T {
        self.s * d
    }
}
