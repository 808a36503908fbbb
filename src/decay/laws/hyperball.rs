//! The hyperball: weights of a fixed norm, and updates of a fixed length (Wen et al., arXiv 2606.16899).

use super::sets::Set;
use super::sphere::{Radius, scale};
use super::{AnyLaw, AtPlace, Effect, StepDecay};
use crate::decay::share::ShrinkFraction;
use crate::decay::{Anchor, Decay, Penalty, Place, Strength};
use crate::error::Result;
use crate::float::Real;
use crate::kernel::column::Extent;
use crate::kernel::reduce::{Pass, TileSum};
use crate::kernel::{Law, Level, Move, Notes, SquareSum, TILE, Whole, vectorize};

impl Decay {
    /// Makes the hyperball: each parameter keeps its first norm R, and turns by an angle of about η_t in each step.
    ///
    /// ```text
    /// W ← R·N(W − η_t·R·N(u)),   N(x) = x/‖x‖,   R = ‖W₀‖
    /// ```
    ///
    /// The angle is atan η_t where the update is orthogonal to the weights, and nowhere more than asin η_t, for η_t up to
    /// 1: the learning rate is relative to the weights whatever the optimizer's own scale. So what only scales u has no effect: a trust
    /// ratio ([`Lamb`](crate::Lamb) is Adam here, with its own ε), a factor for the shape
    /// ([`Muon`](crate::Muon)). There is no other decay beside it, which a fixed norm would undo to first order.
    ///
    /// The norms are of the whole parameter. Where u is 0, W is only projected; a parameter that begins at 0 stays
    /// there, so leave out biases and what starts from 0 ([`Param::no_decay`](crate::Param::no_decay)). R is kept, one
    /// number for each parameter, as the column `start_norm`. Another radius:
    /// `Decay::new(Penalty::Norm { radius }, Place::Hyperball, Strength::Hard)`, or `StartNorm { ratio }`. Where the
    /// decay's own schedule is 0, steps are the optimizer's own.
    ///
    /// ```
    /// use wane::{Decay, Optimizer, Sgd};
    ///
    /// let mut opt = Sgd::new(0.75).weight_decay(Decay::hyperball()).build()?;
    /// let mut w = [4.0_f64, 0.0];
    /// opt.step_slice(&mut w, &[0.0, -123.0])?;
    /// // (4, 3), of norm 5, on the circle of radius 4.
    /// assert!((w[0] - 3.2).abs() < 1e-15 && (w[1] - 2.4).abs() < 1e-15);
    /// # Ok::<(), wane::Error>(())
    /// ```
    ///
    /// Cost: the update is worked out three times. Source: Wen et al., arXiv 2606.16899.
    #[must_use]
    pub fn hyperball() -> Self {
        Self::new(Penalty::StartNorm { ratio: 1.0 }, Place::Hyperball, Strength::Hard)
    }
}

/// On a sphere around 0.
pub(super) struct OnSphere;

impl AtPlace for OnSphere {
    fn word(&self) -> &'static str {
        "hyperball"
    }

    fn refuses(&self, penalty: Penalty, strength: Strength) -> Option<&'static str> {
        let exists = Radius::of(penalty).is_some() && strength == Strength::Hard;
        (!exists).then_some("the hyperball keeps a norm, hard: hard-hyperball-start-norm:1, or hard-hyperball-norm with a radius")
    }

    fn effect(&self, penalty: Penalty, share: ShrinkFraction) -> StepDecay {
        let on = |radius| StepDecay::Hyperball(Amounts { angle: share.removed(), radius });
        Radius::of(penalty).map_or_else(StepDecay::default, on)
    }
}

/// η, and the radius R.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Amounts {
    angle: f64,
    radius: Radius,
}

impl Effect for Amounts {
    fn said(self) -> Vec<(&'static str, f64)> {
        vec![("angle", self.angle), self.radius.said()]
    }

    fn map(self, change: &dyn Fn(f64) -> Result<f64>) -> Result<Self> {
        Ok(Self { angle: change(self.angle)?, radius: self.radius.map(change)? })
    }

    fn is_nothing(self) -> bool {
        self.angle == 0.0
    }

    fn law<T: Real>(self, _anchor: Anchor) -> AnyLaw<T> {
        AnyLaw::Hyperball(Hyperball { amounts: self, along: T::zero(), scale: T::one(), reach: 0.0 })
    }
}

/// y = d − η·R/‖u‖·u,   d ← R/‖y‖·y
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hyperball<T> {
    amounts: Amounts,
    /// η·R/‖u‖
    along: T,
    /// R/‖y‖
    scale: T,
    reach: f64,
}

impl<T: Real> Hyperball<T> {
    /// Returns d − η·R/‖u‖·u.
    #[inline(always)]
    fn moved(&self, d: T, u: T) -> T {
        u.mul_add(-self.along, d)
    }

    /// Returns Σy².
    fn squares(&self, whole: &mut dyn Whole<T>, pass: Pass) -> f64 {
        let (level, law, mut sum, mut y) = (whole.level(), *self, TileSum::new(), [T::zero(); TILE]);
        whole.moves(&mut |tile| {
            let (n, before, u) = (tile.u.len(), tile.before, tile.u);
            law.move_all(level, before, u, &mut y);
            sum.add_squares(level, y.get(..n).unwrap_or_default(), pass);
        });
        sum.sum()
    }

    fn move_all(&self, level: Level, d: &[T], u: &[T], y: &mut [T; TILE]) {
        vectorize(
            level,
            #[inline(always)]
            || y.iter_mut().zip(d).zip(u).for_each(|((y, &d), &u)| *y = self.moved(d, u)),
        );
    }
}

/// Returns Σu².
fn squares_of_moves<T: Real>(whole: &mut dyn Whole<T>, pass: Pass) -> f64 {
    let (level, mut sum) = (whole.level(), TileSum::new());
    whole.moves(&mut |tile| sum.add_squares(level, tile.u, pass));
    sum.sum()
}

impl<T: Real> Law<T> for Hyperball<T> {
    type Columns = [T; 0];
    const SETTLES: bool = true;
    const LOOKS: bool = true;

    fn prepare(self, whole: &mut dyn Whole<T>, notes: Notes<'_, T>) -> Self {
        let Amounts { angle, radius } = self.amounts;
        let (n, radius) = (whole.of().len(Extent::Weights), radius.for_kept(notes.kept));
        let u = SquareSum::in_passes::<T>(n, |pass| squares_of_moves(whole, pass)).norm();
        let along = if u == 0.0 { 0.0 } else { (angle * radius / u).clamp(0.0, T::LARGEST) };
        let law = Self { along: T::of(along), ..self };
        let y = SquareSum::in_passes::<T>(n, |pass| law.squares(whole, pass)).norm();
        // Nothing is further from where it was than the way along u and the radius.
        let reach = (1.0 + angle) * radius;
        let reach = if u.is_finite() && y.is_finite() { reach } else { f64::INFINITY };
        Self { scale: T::of(scale::<T>(radius, y)), reach, ..law }
    }

    fn reach(&self) -> f64 {
        self.reach
    }

    #[inline(always)]
    fn settle(&self, d: T, _g: T, step: Move<T>, _rate: T, []: [T; 0]) -> (T, [T; 0]) {
        (self.moved(d, step.u) * self.scale, [])
    }
}
