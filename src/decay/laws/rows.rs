//! Group lasso over rows: whole rows become 0 (Yuan & Lin, J. R. Stat. Soc. B 68, 2006).

use crate::float::Real;
use crate::kernel::reduce::{Pass, TileSum};
use crate::kernel::{Law, Move, Whole, descend};

/// y = d − rate·u, d ← max(0, 1 − θ√n/‖y‖)·y for each row of n weights, the slice
/// along the first axis
///
/// The share that each row loses is worked out from the whole parameter, before its tiles: it is
/// the law's column. (The share that a row keeps would be rounded to 1 where the row loses little.)
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowLasso {
    threshold: f64,
}

impl RowLasso {
    pub(crate) fn new(threshold: f64) -> Self {
        Self { threshold }
    }

    /// Works out what each row loses.
    pub(crate) fn prepare<T: Real>(self, whole: &mut dyn Whole<T>, lost: &mut Vec<T>) {
        let (level, n) = (whole.level(), whole.row());
        let (mut sum, mut held) = (TileSum::new(), 0);
        lost.clear();
        whole.updated(&mut |y| {
            let mut rest = y;
            while !rest.is_empty() {
                let (now, later) = rest.split_at(rest.len().min(n - held));
                sum.add_squares(level, now, Pass::Again(0));
                (rest, held) = (later, held + now.len());
                if held == n {
                    let squares = std::mem::replace(&mut sum, TileSum::new()).sum();
                    lost.push(T::of(self.lost(squares.sqrt(), n)));
                    held = 0;
                }
            }
        });
    }

    /// Returns the share that a row of n weights with this norm loses. A NaN makes
    /// the whole row NaN.
    fn lost(self, norm: f64, n: usize) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "the length of a row")]
        let threshold = self.threshold * (n as f64).sqrt();
        if norm <= threshold { 1.0 } else { threshold / norm }
    }
}

impl<T: Real> Law<T> for RowLasso {
    type Columns = [T; 1];
    const SETTLES: bool = true;

    #[inline(always)]
    fn settle(&self, d: T, _g: T, step: Move<T>, rate: T, [lost]: [T; 1]) -> (T, [T; 1]) {
        (descend(d, step, rate) * (T::one() - lost), [lost])
    }

    #[inline(always)]
    fn drift(&self, d: T, _g: T, step: Move<T>, rate: T, [lost]: [T; 1]) -> T {
        descend(d, step, rate) * lost
    }
}
