//! Group lasso over rows: whole rows become 0 (Yuan & Lin, J. R. Stat. Soc. B 68, 2006).

use super::{AnyLaw, Effect, StepDecay};
use crate::decay::units::ShrinkFraction;
use crate::decay::{Anchor, Decay, Penalty, Place, Strength};
use crate::error::Result;
use crate::float::Real;
use crate::kernel::column::Extent;
use crate::kernel::reduce::{Pass, TileSum};
use crate::kernel::{Law, Move, Notes, Whole, descend};

impl Decay {
    /// Makes group lasso over rows: after the update each slice along the first axis shrinks as a
    /// whole, and is 0 where its norm was at most η_t·λ·√n.
    ///
    /// ```
    /// use wane::{Decay, Optimizer, Param, Sgd};
    ///
    /// let mut opt = Sgd::new(0.1).weight_decay(Decay::group_lasso(1.0)).build()?;
    /// let mut w = [3.0_f64, 4.0, 0.1, -0.1];
    /// opt.step(&mut [Param::new("w", &mut w, &[0.0; 4]).shape(&[2, 2])])?;
    /// assert_eq!(w[2..], [0.0, 0.0]);
    /// assert!((w[0] - 3.0 * (1.0 - 0.1 * 2.0_f64.sqrt() / 5.0)).abs() < 1e-15);
    /// # Ok::<(), wane::Error>(())
    /// ```
    #[must_use]
    pub fn group_lasso(lambda: f64) -> Self {
        Self::new(Penalty::GroupLasso, Place::Decoupled, Strength::LrScaled(lambda))
    }
}

/// Returns what a share of this penalty amounts to, beside the update and after it.
pub(super) fn effect(share: ShrinkFraction) -> StepDecay {
    StepDecay::Rows(RowLasso { threshold: share.removed() })
}

/// y = d − rate·u, d ← max(0, 1 − θ√n/‖y‖)·y for each row of n weights, the slice
/// along the first axis
///
/// The share that each row loses is worked out from the whole parameter, before its tiles: it is
/// the law's column. (The share that a row keeps would be rounded to 1 where the row loses little.)
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct RowLasso {
    threshold: f64,
}

impl Effect for RowLasso {
    fn said(self) -> Vec<(&'static str, f64)> {
        vec![("θ/√n", self.threshold)]
    }

    fn map(self, change: &dyn Fn(f64) -> Result<f64>) -> Result<Self> {
        Ok(Self { threshold: change(self.threshold)? })
    }

    fn times(self, trust: f64) -> Self {
        Self { threshold: self.threshold * trust }
    }

    fn law<T: Real>(self, _anchor: Anchor) -> AnyLaw<T> {
        AnyLaw::Rows(self)
    }
}

impl RowLasso {
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
    const LOOKS: bool = true;

    /// Works out what each row loses.
    fn prepare(self, whole: &mut dyn Whole<T>, notes: Notes<'_, T>) -> Self {
        let (level, n) = (whole.level(), whole.of().len(Extent::Weights) / whole.of().first.max(1));
        let (mut sum, mut held, mut lost) = (TileSum::new(), 0, notes.beside.iter_mut());
        whole.moves(&mut |tile| {
            let mut rest = tile.after;
            while !rest.is_empty() {
                let (now, later) = rest.split_at(rest.len().min(n - held));
                sum.add_squares(level, now, Pass::Again(0));
                (rest, held) = (later, held + now.len());
                if held == n {
                    let squares = std::mem::replace(&mut sum, TileSum::new()).sum();
                    lost.by_ref().take(1).for_each(|lost| *lost = T::of(self.lost(squares.sqrt(), n)));
                    held = 0;
                }
            }
        });
        self
    }

    #[inline(always)]
    fn settle(&self, d: T, _g: T, step: Move<T>, rate: T, [lost]: [T; 1]) -> (T, [T; 1]) {
        (descend(d, step, rate) * (T::one() - lost), [lost])
    }

    #[inline(always)]
    fn drift(&self, d: T, _g: T, step: Move<T>, rate: T, [lost]: [T; 1]) -> T {
        descend(d, step, rate) * lost
    }
}
