//! Decoupled L2: the weight shrinks beside the update (Loshchilov & Hutter, arXiv 1711.05101; the
//! order is PyTorch's).

use crate::decay::step_decay::ShrinkFraction;
use crate::float::Real;
use crate::kernel::{Law, Move, descend};

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
