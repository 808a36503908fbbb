//! Proximal steps: the penalty's exact minimisation after the update, which for L1 leaves exact
//! zeros (soft threshold).

use crate::decay::step_decay::ShrinkFraction;
use crate::float::{Real, clamp};
use crate::kernel::{Law, Move, descend};

/// y = (1 − s)·d − rate·u, d ← S(y, θ) / (1 + r) with the soft threshold S(y, θ) =
/// sign(y)·max(|y| − θ, 0)
///
/// One law for the decoupled L1 (s = r = 0), its elastic net (s > 0) and the
/// proximal forms (r > 0).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proximal<T> {
    keep: T,
    s: T,
    threshold: T,
    /// 1/(1 + r): a multiplication, rounded twice, where a division would stall the loop.
    scale: T,
    /// r/(1 + r), which 1 − scale loses where r is small.
    shrunk: T,
}

impl<T: Real> Proximal<T> {
    pub(crate) fn new(share: ShrinkFraction, threshold: f64, r: f64) -> Self {
        Self {
            keep: T::of(share.kept()),
            s: T::of(share.removed()),
            threshold: T::of(threshold),
            scale: T::of(1.0 / (1.0 + r)),
            shrunk: T::of(r / (1.0 + r)),
        }
    }

    /// Returns S(y, θ), as y − clamp(y): exactly 0 within the threshold, and a NaN stays a NaN.
    #[inline(always)]
    fn soft(&self, y: T) -> T {
        y - clamp(y, self.threshold)
    }
}

impl<T: Real> Law<T> for Proximal<T> {
    type Columns = [T; 0];
    const SETTLES: bool = true;

    #[inline(always)]
    fn settle(&self, d: T, _g: T, step: Move<T>, rate: T, []: [T; 0]) -> (T, [T; 0]) {
        (self.soft(descend(d * self.keep, step, rate)) * self.scale, [])
    }

    #[inline(always)]
    fn drift(&self, d: T, _g: T, step: Move<T>, rate: T, []: [T; 0]) -> T {
        let y = descend(d * self.keep, step, rate);
        self.s * d + clamp(y, self.threshold) + self.soft(y) * self.shrunk
    }
}
