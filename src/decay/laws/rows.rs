//! Group lasso over slices: rows, columns or all of a parameter become 0 as a whole (Yuan & Lin, J. R. Stat. Soc. B 68, 2006).

#![expect(clippy::indexing_slicing, reason = "there is a sum for each slice")]

use super::{AnyLaw, Effect, StepDecay};
use crate::decay::share::ShrinkFraction;
use crate::decay::{Anchor, Decay, Penalty, Place, Slices, Strength};
use crate::error::Result;
use crate::float::Real;
use crate::kernel::column::Extent;
use crate::kernel::reduce::{self, Pass, TileSum};
use crate::kernel::{Law, Move, Notes, Whole, descend};

impl Decay {
    /// Makes group lasso over rows: after the update each slice along the first axis shrinks as a
    /// whole, and is 0 where its norm was at most η_t·λ·√n.
    ///
    /// ```text
    /// y = d − η_t·u,   d ← y·max(0, 1 − η_t·λ·√n/‖y‖)   for each row of n weights
    /// ```
    ///
    /// It is the exact minimiser of penalty plus squared distance, so a row whose neuron is not needed becomes 0 and
    /// can be cut out. The factor is rounded to the weights' type: in `f32` a row that loses less than 3e-8 of itself
    /// loses nothing. It needs the shape of a parameter ([`ShapeNeeded`](crate::Error::ShapeNeeded)); in a vector every
    /// weight is a row, and this is [`l1`](Self::l1).
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
    ///
    /// Cost: one more pass, which makes the update twice. No state. Source: Yuan & Lin, *Model Selection and Estimation in
    /// Regression with Grouped Variables*, J. R. Stat. Soc. B 68, 2006.
    #[must_use]
    pub fn group_lasso(lambda: f64) -> Self {
        Self::over(Slices::Rows, lambda)
    }

    /// Makes group lasso over columns, the slices along the second axis: the inputs of a layer vanish. A
    /// parameter with fewer than two axes is refused ([`ShapeRefused`](crate::Error::ShapeRefused)).
    ///
    /// ```
    /// use wane::{Decay, Optimizer, Param, Sgd};
    ///
    /// let mut opt = Sgd::new(0.1).weight_decay(Decay::column_lasso(1.0)).build()?;
    /// let mut w = [3.0_f64, 0.1, 4.0, -0.1];
    /// opt.step(&mut [Param::new("w", &mut w, &[0.0; 4]).shape(&[2, 2])])?;
    /// assert_eq!([w[1], w[3]], [0.0, 0.0]);
    /// assert!((w[0] - 3.0 * (1.0 - 0.1 * 2.0_f64.sqrt() / 5.0)).abs() < 1e-15);
    /// # Ok::<(), wane::Error>(())
    /// ```
    #[must_use]
    pub fn column_lasso(lambda: f64) -> Self {
        Self::over(Slices::Columns, lambda)
    }

    /// Makes group lasso over whole parameters, which needs no shape: one that its layer does not need vanishes.
    ///
    /// ```
    /// use wane::{Decay, Optimizer, Sgd};
    ///
    /// let mut opt = Sgd::new(0.1).weight_decay(Decay::tensor_lasso(1.0)).build()?;
    /// let mut w = [0.1_f64, -0.1];
    /// opt.step_slice(&mut w, &[0.0, 0.0])?;
    /// assert_eq!(w, [0.0, 0.0]);
    /// # Ok::<(), wane::Error>(())
    /// ```
    #[must_use]
    pub fn tensor_lasso(lambda: f64) -> Self {
        Self::over(Slices::Whole, lambda)
    }

    fn over(over: Slices, lambda: f64) -> Self {
        Self::new(Penalty::GroupLasso { over }, Place::Decoupled, Strength::LrScaled(lambda))
    }
}

/// Returns what a share of this penalty amounts to, beside the update and after it.
pub(super) fn effect(share: ShrinkFraction, over: Slices) -> StepDecay {
    StepDecay::Slices(SliceLasso { threshold: share.removed(), over })
}

/// y = d − rate·u, d ← max(0, 1 − θ√n/‖y‖)·y for each slice of n weights
///
/// The share that each slice loses is worked out from the whole parameter, before its tiles: it is
/// the law's column. (The share that a slice keeps would be rounded to 1 where it loses little.)
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct SliceLasso {
    threshold: f64,
    over: Slices,
}

impl Effect for SliceLasso {
    fn said(self) -> Vec<(&'static str, f64)> {
        vec![("θ/√n", self.threshold)]
    }

    fn map(self, change: &dyn Fn(f64) -> Result<f64>) -> Result<Self> {
        Ok(Self { threshold: change(self.threshold)?, ..self })
    }

    fn times(self, trust: f64) -> Self {
        Self { threshold: self.threshold * trust, ..self }
    }

    fn law<T: Real>(self, _anchor: Anchor) -> AnyLaw<T> {
        AnyLaw::Slices(self)
    }
}

impl SliceLasso {
    /// Returns the share that a slice of n weights with this sum of squares loses. A NaN makes
    /// the whole slice NaN.
    fn lost<T: Real>(self, squares: f64, n: usize) -> T {
        #[expect(clippy::cast_precision_loss, reason = "the length of a slice")]
        let (norm, threshold) = (squares.sqrt(), self.threshold * (n as f64).sqrt());
        T::of(if norm <= threshold { 1.0 } else { threshold / norm })
    }

    /// Works out what each slice loses, where one is n neighbouring weights.
    fn look_at_runs<T: Real>(self, whole: &mut dyn Whole<T>, n: usize, lost: &mut [T]) {
        let (level, mut lost) = (whole.level(), lost.iter_mut());
        let (mut sum, mut held) = (TileSum::new(), 0);
        whole.moves(&mut |tile| {
            let mut rest = tile.after;
            while !rest.is_empty() {
                let (now, later) = rest.split_at(rest.len().min(n - held));
                sum.add_squares(level, now, Pass::Again(0));
                (rest, held) = (later, held + now.len());
                if held == n {
                    let squares = std::mem::replace(&mut sum, TileSum::new()).sum();
                    lost.by_ref().take(1).for_each(|lost| *lost = self.lost(squares, n));
                    held = 0;
                }
            }
        });
    }

    /// Works out what each slice loses, where runs of `run` weights belong to one after another, over and over. The
    /// squares of a slice are added up in their order.
    fn look_at_columns<T: Real>(self, whole: &mut dyn Whole<T>, run: usize, sums: &mut Vec<f64>, lost: &mut [T]) {
        sums.clear();
        sums.resize(lost.len(), 0.0);
        let (level, mut at, mut n) = (whole.level(), 0, 0);
        whole.moves(&mut |tile| {
            let mut rest = tile.after;
            while !rest.is_empty() {
                let (slice, within) = (at / run % lost.len(), at % run);
                let neighbours = if run == 1 { lost.len() - slice } else { run - within };
                let (now, later) = rest.split_at(rest.len().min(neighbours));
                if run == 1 {
                    reduce::add_squares(level, now, &mut sums[slice..][..now.len()]);
                } else {
                    sums[slice] = now.iter().fold(sums[slice], |sum, x| reduce::add_square(sum, *x));
                }
                (rest, at) = (later, at + now.len());
            }
            n = at / lost.len();
        });
        lost.iter_mut().zip(sums.iter()).for_each(|(lost, squares)| *lost = self.lost(*squares, n));
    }
}

impl<T: Real> Law<T> for SliceLasso {
    type Columns = [T; 1];
    const SETTLES: bool = true;
    const LOOKS: bool = true;

    /// Works out what each slice loses.
    fn prepare(self, whole: &mut dyn Whole<T>, notes: Notes<'_, T>) -> Self {
        let of = whole.of();
        let len = of.len(Extent::Weights);
        match self.over {
            Slices::Rows => self.look_at_runs(whole, len / of.first.max(1), notes.beside),
            Slices::Columns => {
                let run = len / (of.first * of.second).max(1);
                self.look_at_columns(whole, run, notes.sums, notes.beside);
            }
            Slices::Whole => self.look_at_runs(whole, len, notes.beside),
        }
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
