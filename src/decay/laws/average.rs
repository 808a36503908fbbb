//! A pull towards the running average of the weight itself, which the law keeps in a
//! column of its own.

use crate::decay::{Anchor, Penalty, Place};
use crate::error::{Result, in_range};
use crate::float::Real;
use crate::kernel::{Law, Move};

/// Checks the number of an anchor.
pub(in crate::decay) fn check(anchor: Anchor) -> Result<()> {
    match anchor {
        Anchor::Average { beta } => in_range("beta of the running average", beta, (0.0..1.0).contains(&beta), "in [0, 1)"),
        Anchor::Origin | Anchor::Start | Anchor::Given => Ok(()),
    }
}

/// Returns why a penalty in a place does not pull to this anchor, if it does not.
pub(super) fn refuses(anchor: Anchor, penalty: Penalty, place: Place) -> Option<&'static str> {
    let exists = !matches!(anchor, Anchor::Average { .. })
        || matches!((penalty, place), (Penalty::L2, Place::Decoupled | Place::Exact | Place::Exponential));
    (!exists).then_some("towards the running average there is decoupled L2")
}

/// x ← x − (rate·u + s·(x − e)),   e ← e + (1 − β)·(x − e)
///
/// PyTorch has no such decay, so there is no order of its to keep: all places have the exact one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TowardsAverage<T> {
    s: T,
    /// 1 − β
    take: T,
}

impl<T: Real> TowardsAverage<T> {
    pub(crate) fn new(share: f64, beta: f64) -> Self {
        Self { s: T::of(share), take: T::of(1.0 - beta) }
    }
}

impl<T: Real> Law<T> for TowardsAverage<T> {
    type Columns = [T; 1];
    const SETTLES: bool = true;
    const WRITES: bool = true;

    #[inline(always)]
    fn settle(&self, x: T, _g: T, step: Move<T>, rate: T, [e]: [T; 1]) -> (T, [T; 1]) {
        let x = x - step.u.mul_add(rate, self.s * (x - e));
        (x, [(x - e).mul_add(self.take, e)])
    }

    #[inline(always)]
    fn drift(&self, x: T, _g: T, _step: Move<T>, _rate: T, [e]: [T; 1]) -> T {
        self.s * (x - e)
    }
}
