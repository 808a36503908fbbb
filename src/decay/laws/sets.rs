//! Pulls towards a set C, as (λ/2)·dist²(d, C) has them: by a share of what is outside of it, d − P(d), with
//! P(d) the point of C that is nearest to d.
//!
//! ```text
//! beside   d ← d − (η·u + s·(d − P(d)))
//! after    y = d − η·u,   d ← y − s/(1 + s)·(y − P(y))    the minimiser of (s/2)·dist²(x, C) + ½·‖x − y‖²
//! wall     y = d − η·u,   d ← P(y)                        the same for s → ∞
//! ```

use super::{AnyLaw, Effect, StepDecay, interval, spectral, sphere};
use crate::decay::share::ShrinkFraction;
use crate::decay::{Anchor, Penalty, Place, Strength};
use crate::error::Result;
use crate::float::Real;
use crate::kernel::column::Extent;
use crate::kernel::reduce::{Pass, TileSum};
use crate::kernel::{Law, Move, Notes, Numbers, SquareSum, Whole, descend};

/// Returns why a penalty that is a distance to a set, or a strength that only such a one has, does not
/// exist in a place, if it does not.
pub(in crate::decay) fn refuses(anchor: Anchor, penalty: Penalty, place: Place, strength: Strength) -> Option<&'static str> {
    let (to_a_set, hard) = (penalty.is_to_a_set(), strength == Strength::Hard);
    match place {
        // It says itself which sets it has.
        Place::Hyperball => (anchor != Anchor::Origin).then_some("the hyperball is around 0"),
        Place::Proximal if to_a_set || !hard => None,
        Place::Decoupled if to_a_set && !hard => None,
        _ if hard => Some(
            "a hard strength is the projection to a set, after the update: proximal, of a distance to one: norm, start-norm, box, fan-box, spectral",
        ),
        _ if to_a_set => Some("the pull to a set stands beside the update, decoupled, or after it, proximal"),
        _ => None,
    }
}

/// Returns what a pull towards the set of this penalty amounts to.
pub(super) fn effect(penalty: Penalty, pull: Pull) -> StepDecay {
    match penalty {
        Penalty::Box { bound } => StepDecay::Interval(Amounts { pull, set: interval::Bound::Of(bound) }),
        Penalty::FanBox { factor } => StepDecay::Interval(Amounts { pull, set: interval::Bound::OfFan(factor) }),
        Penalty::Spectral { bound } => StepDecay::Spectral(Amounts { pull, set: spectral::Ball { bound } }),
        _ => sphere::Radius::of(penalty).map_or_else(StepDecay::default, |set| StepDecay::Sphere(Amounts { pull, set })),
    }
}

/// How a set pulls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pull {
    /// By the share s of the way, beside the update.
    Beside(f64),
    /// By the share s/(1 + s) of the way, after the update.
    After(f64),
    /// All of the way, after the update.
    Wall,
}

impl Pull {
    pub(super) fn beside(share: ShrinkFraction) -> Self {
        Self::Beside(share.removed())
    }

    pub(super) fn after(share: ShrinkFraction) -> Self {
        if share.is_hard() { Self::Wall } else { Self::After(share.removed()) }
    }

    fn map(self, change: impl Fn(f64) -> Result<f64>) -> Result<Self> {
        Ok(match self {
            Self::Beside(s) => Self::Beside(change(s)?),
            Self::After(s) => Self::After(change(s)?),
            Self::Wall => Self::Wall,
        })
    }
}

/// A set, by its numbers.
pub(crate) trait Set: Copy + PartialEq {
    /// Returns its numbers, by name.
    fn said(self) -> (&'static str, f64);

    fn map(self, change: &dyn Fn(f64) -> Result<f64>) -> Result<Self>;

    /// Returns the law of this pull towards it.
    fn law<T: Real>(self, pull: Pull) -> AnyLaw<T>;
}

/// A set, and how it pulls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Amounts<S> {
    pull: Pull,
    set: S,
}

impl<S: Set> Effect for Amounts<S> {
    fn said(self) -> Vec<(&'static str, f64)> {
        match self.pull {
            Pull::Beside(s) | Pull::After(s) => vec![("s", s), self.set.said()],
            Pull::Wall => vec![self.set.said()],
        }
    }

    fn map(self, change: &dyn Fn(f64) -> Result<f64>) -> Result<Self> {
        Ok(Self { pull: self.pull.map(change)?, set: self.set.map(change)? })
    }

    fn is_nothing(self) -> bool {
        matches!(self.pull, Pull::Beside(0.0) | Pull::After(0.0))
    }

    fn times(self, trust: f64) -> Self {
        let pull = match self.pull {
            Pull::Beside(s) => Pull::Beside(s * trust),
            Pull::After(s) => Pull::After(s * trust),
            Pull::Wall => Pull::Wall,
        };
        Self { pull, ..self }
    }

    fn share(self) -> f64 {
        if let Pull::Beside(s) = self.pull { s } else { 0.0 }
    }

    // The whole way to the set is not beyond it.
    fn refused(self) -> Option<(f64, &'static str)> {
        let share = self.share();
        (!(0.0..=1.0).contains(&share)).then_some((share, "[0, 1]"))
    }

    fn law<T: Real>(self, _anchor: Anchor) -> AnyLaw<T> {
        self.set.law(self.pull)
    }
}

/// The projection to a set, with its scalars in the weights' type.
pub(crate) trait Projection<T: Real>: Copy + Send + Sync {
    /// The numbers that it reads of each coordinate.
    type Columns: Numbers<T>;

    /// Looks at the point that is to be pulled.
    fn look(self, point: &mut Point<'_, T>, notes: Notes<'_, T>) -> Self;

    /// Returns d − P(d).
    fn outside(&self, d: T, columns: Self::Columns) -> T;

    /// Returns P(d).
    fn nearest(&self, d: T, columns: Self::Columns) -> T;

    /// Returns how far any weight is from its projection, where that is more than shrinking it. It is infinite
    /// where the point is no number.
    fn outwards(&self) -> f64;
}

/// The point that a set pulls, tile after tile.
pub(crate) struct Point<'w, T> {
    whole: &'w mut dyn Whole<T>,
    stage: Stage,
}

/// When a set pulls.
#[derive(Clone, Copy, Debug)]
enum Stage {
    /// d as it was.
    Before,
    /// d − rate·u
    After,
}

impl<T: Real> Point<'_, T> {
    pub(super) fn whole(&self) -> &dyn Whole<T> {
        self.whole
    }

    /// Calls `each` with its coordinates, tile after tile.
    pub(super) fn tiles(&mut self, each: &mut dyn FnMut(&[T])) {
        match self.stage {
            Stage::Before => self.whole.weights(each),
            Stage::After => self.whole.moves(&mut |tile| each(tile.after)),
        }
    }

    pub(super) fn norm(&mut self) -> f64 {
        match self.stage {
            Stage::Before => self.whole.norm(),
            Stage::After => {
                let n = self.whole.of().len(Extent::Weights);
                SquareSum::in_passes::<T>(n, |pass| self.squares(pass)).norm()
            }
        }
    }

    fn squares(&mut self, pass: Pass) -> f64 {
        let (level, mut sum) = (self.whole.level(), TileSum::new());
        self.tiles(&mut |tile| sum.add_squares(level, tile, pass));
        sum.sum()
    }
}

/// d ← d − (rate·u + s·(d − P(d)))
#[derive(Clone, Copy, Debug)]
pub(crate) struct Beside<T, P> {
    projection: P,
    s: T,
}

impl<T: Real, P> Beside<T, P> {
    pub(super) fn new(projection: P, share: f64) -> Self {
        Self { projection, s: T::of(share) }
    }
}

impl<T: Real, P: Projection<T>> Law<T> for Beside<T, P> {
    type Columns = P::Columns;
    const SETTLES: bool = true;
    const LOOKS: bool = true;

    fn prepare(self, whole: &mut dyn Whole<T>, notes: Notes<'_, T>) -> Self {
        Self { projection: self.projection.look(&mut Point { whole, stage: Stage::Before }, notes), ..self }
    }

    fn reach(&self) -> f64 {
        // Not times s: what s multiplies is to be a number, too.
        self.projection.outwards()
    }

    #[inline(always)]
    fn settle(&self, d: T, _g: T, step: Move<T>, rate: T, columns: P::Columns) -> (T, P::Columns) {
        (d - step.u.mul_add(rate, self.s * self.projection.outside(d, columns)), columns)
    }

    #[inline(always)]
    fn drift(&self, d: T, _g: T, _step: Move<T>, _rate: T, columns: P::Columns) -> T {
        self.s * self.projection.outside(d, columns)
    }
}

/// y = d − rate·u,   d ← y − s/(1 + s)·(y − P(y))
#[derive(Clone, Copy, Debug)]
pub(crate) struct After<T, P> {
    projection: P,
    /// s/(1 + s)
    part: T,
}

impl<T: Real, P> After<T, P> {
    pub(super) fn new(projection: P, share: f64) -> Self {
        Self { projection, part: T::of(share / (1.0 + share)) }
    }
}

impl<T: Real, P: Projection<T>> Law<T> for After<T, P> {
    type Columns = P::Columns;
    const SETTLES: bool = true;
    const LOOKS: bool = true;

    fn prepare(self, whole: &mut dyn Whole<T>, notes: Notes<'_, T>) -> Self {
        Self { projection: self.projection.look(&mut Point { whole, stage: Stage::After }, notes), ..self }
    }

    fn reach(&self) -> f64 {
        self.projection.outwards()
    }

    #[inline(always)]
    fn settle(&self, d: T, _g: T, step: Move<T>, rate: T, columns: P::Columns) -> (T, P::Columns) {
        let y = descend(d, step, rate);
        (self.projection.outside(y, columns).mul_add(-self.part, y), columns)
    }

    #[inline(always)]
    fn drift(&self, d: T, _g: T, step: Move<T>, rate: T, columns: P::Columns) -> T {
        self.projection.outside(descend(d, step, rate), columns) * self.part
    }
}

/// y = d − rate·u,   d ← P(y)
///
/// A wall stands after the whole step, and is no part of a displacement: a trust ratio is that of the update,
/// however far the weights are from the set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wall<P>(pub(super) P);

impl<T: Real, P: Projection<T>> Law<T> for Wall<P> {
    type Columns = P::Columns;
    const SETTLES: bool = true;
    const LOOKS: bool = true;

    fn prepare(self, whole: &mut dyn Whole<T>, notes: Notes<'_, T>) -> Self {
        Self(self.0.look(&mut Point { whole, stage: Stage::After }, notes))
    }

    fn reach(&self) -> f64 {
        self.0.outwards()
    }

    #[inline(always)]
    fn settle(&self, d: T, _g: T, step: Move<T>, rate: T, columns: P::Columns) -> (T, P::Columns) {
        (self.0.nearest(descend(d, step, rate), columns), columns)
    }
}
