//! The soft threshold in the optimizer's own metric (Yun, Lozano & Yang, NeurIPS 2021, arXiv
//! 2007.07714): the exact proximal step of an adaptive optimizer.

use crate::float::{Real, clamp};
use crate::kernel::{Law, Move, descend};

/// y = d − rate·u,   d ← S(y, θ/metric) with the soft threshold S(y, θ) = sign(y)·max(|y| − θ, 0)
///
/// Adam's metric is √v̂ + ε: a weight that has seen little gradient is pulled to 0 the harder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MetricThreshold<T> {
    threshold: T,
}

impl<T: Real> MetricThreshold<T> {
    pub(crate) fn new(threshold: f64) -> Self {
        Self { threshold: T::of(threshold) }
    }

    /// Returns y − S(y, θ/metric).
    #[inline(always)]
    fn removed(&self, y: T, step: Move<T>) -> T {
        clamp(y, self.threshold / step.metric)
    }
}

impl<T: Real> Law<T> for MetricThreshold<T> {
    type Columns = [T; 0];
    const SETTLES: bool = true;
    const ASKS: bool = true;

    #[inline(always)]
    fn settle(&self, d: T, _g: T, step: Move<T>, rate: T, []: [T; 0]) -> (T, [T; 0]) {
        let y = descend(d, step, rate);
        (y - self.removed(y, step), [])
    }

    #[inline(always)]
    fn drift(&self, d: T, _g: T, step: Move<T>, rate: T, []: [T; 0]) -> T {
        self.removed(descend(d, step, rate), step)
    }
}
