//! Coupled penalties: their gradient joins that of the loss, before the optimizer sees it (formula:
//! Hanson & Pratt 1988).

use crate::float::{Real, sign};
use crate::kernel::Law;

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
