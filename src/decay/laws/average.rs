//! A pull towards the running average of the weight itself, which the law keeps in a
//! column of its own.

use super::Shrink;
use crate::decay::step_decay::ShrinkFraction;
use crate::float::Real;
use crate::kernel::{Law, Move};

/// d = x − e,   x ← e + (1 − s)·d − rate·u,   e ← e + (1 − β)·(x − e)
#[derive(Clone, Copy, Debug)]
pub(crate) struct TowardsAverage<T> {
    pull: Shrink<T>,
    /// 1 − β
    take: T,
}

impl<T: Real> TowardsAverage<T> {
    pub(crate) fn new(share: ShrinkFraction, beta: f64) -> Self {
        Self { pull: Shrink::new(share), take: T::of(1.0 - beta) }
    }
}

impl<T: Real> Law<T> for TowardsAverage<T> {
    type Columns = [T; 1];
    const SETTLES: bool = true;
    const WRITES: bool = true;

    #[inline(always)]
    fn settle(&self, x: T, g: T, step: Move<T>, rate: T, [e]: [T; 1]) -> (T, [T; 1]) {
        let (d, _) = self.pull.settle(x - e, g, step, rate, []);
        let x = e + d;
        (x, [(x - e).mul_add(self.take, e)])
    }

    #[inline(always)]
    fn drift(&self, x: T, g: T, step: Move<T>, rate: T, [e]: [T; 1]) -> T {
        self.pull.drift(x - e, g, step, rate, [])
    }
}
