//! Any rule by its loops: its own over a tile, and those that it shares with the usual laws.

use std::fmt::Debug;
use std::ops::Range;

use super::Task;
use crate::decay::AnyLaw;
use crate::float::Real;
use crate::kernel::tile::{self, Given, Keep};
use crate::kernel::{Law, Level, Moves, Rule, Scaling, Zero, displace, sweep};

/// Any rule, by its loops.
pub(crate) trait AnyRule<T>: Debug + Send + Sync {
    /// Returns the moves of a tile, what is to be kept of them, and writes its new state.
    fn update(&self, level: Level, given: Given<'_, T>, state: &mut [&mut [T]], moves: (&mut Moves<T>, Keep));

    /// Returns whether every move is along its direction in the plain metric.
    fn is_plain(&self) -> bool;

    /// Updates weights and state in one loop, if this rule and this law have one, and returns
    /// whether they have.
    fn fused(&self, law: &AnyLaw<T>, at: Fused<'_, '_, T>) -> bool;

    /// Works out the displacements of a tile in one loop, if this rule and the task's law have one,
    /// and returns whether they have.
    fn displaced(&self, task: &Task<'_, T>, tile: &Range<usize>, r: &mut [T]) -> bool;
}

/// What a fused loop works on.
pub(crate) struct Fused<'a, 's, T> {
    pub(crate) level: Level,
    pub(crate) scaling: Scaling<T>,
    pub(crate) rate: T,
    pub(crate) x: &'a mut [T],
    pub(crate) g: &'a [T],
    /// What the decay pulls towards; empty when that is 0.
    pub(crate) anchor: &'a [T],
    pub(crate) state: &'a mut [&'s mut [T]],
}

impl<T: Real, R: Rule<T> + Debug> AnyRule<T> for R {
    fn update(&self, level: Level, given: Given<'_, T>, state: &mut [&mut [T]], moves: (&mut Moves<T>, Keep)) {
        tile::update(level, *self, given, state, moves);
    }

    fn is_plain(&self) -> bool {
        R::PLAIN
    }

    /// Lists the fused pairs: rules with [`Rule::FUSED`], with no decay, coupled L2, or decoupled L2
    /// in either order; and those with [`Rule::FUSED_WITH_ALL`].
    fn fused(&self, law: &AnyLaw<T>, at: Fused<'_, '_, T>) -> bool {
        if R::FUSED {
            match *law {
                AnyLaw::Free(law) => return at.sweep(*self, law),
                AnyLaw::CoupledL2(law) if at.anchor.is_empty() => return at.sweep(*self, law),
                AnyLaw::Shrink(law) if at.anchor.is_empty() => return at.sweep(*self, law),
                AnyLaw::Exact(law) if at.anchor.is_empty() => return at.sweep(*self, law),
                _ => {}
            }
        }
        if R::FUSED_WITH_ALL {
            return match *law {
                AnyLaw::CoupledL2(law) => at.sweep_from_anchor(*self, law),
                AnyLaw::Shrink(law) => at.sweep_from_anchor(*self, law),
                AnyLaw::Exact(law) => at.sweep_from_anchor(*self, law),
                _ if !at.anchor.is_empty() => false,
                AnyLaw::CoupledElastic(law) => at.sweep(*self, law),
                AnyLaw::CoupledHuber(law) => at.sweep(*self, law),
                AnyLaw::Proximal(law) => at.sweep(*self, law),
                AnyLaw::Huber(law) => at.sweep(*self, law),
                AnyLaw::Cautious(law) => at.sweep(*self, law),
                AnyLaw::Metric(law) => at.sweep(*self, law),
                AnyLaw::OntoInterval(law) => at.sweep(*self, law),
                _ => false,
            };
        }
        false
    }

    fn displaced(&self, task: &Task<'_, T>, tile: &Range<usize>, r: &mut [T]) -> bool {
        if R::MEASURED && task.is_plain() {
            match *task.law {
                AnyLaw::Free(law) => task.displace(*self, law, tile, r),
                AnyLaw::Shrink(law) => task.displace(*self, law, tile, r),
                AnyLaw::Exact(law) => task.displace(*self, law, tile, r),
                _ => false,
            }
        } else {
            false
        }
    }
}

impl<T: Real> Task<'_, T> {
    #[inline(always)]
    fn displace(&self, rule: impl Rule<T>, law: impl Law<T, Columns = [T; 0]>, tile: &Range<usize>, r: &mut [T]) -> bool {
        let state = self.state.each_ref().map(|column| &**column);
        displace(self.level, (rule, law), (self.scaling, self.rate), (self.x, self.g, &state), tile, r);
        true
    }
}

impl<T: Real> Fused<'_, '_, T> {
    #[inline(always)]
    fn sweep(self, rule: impl Rule<T>, law: impl Law<T, Columns = [T; 0]>) -> bool {
        let Self { level, scaling, rate, x, g, state, .. } = self;
        sweep(level, (rule, law, Zero), (scaling, rate), x, g, state);
        true
    }

    #[inline(always)]
    fn sweep_from_anchor(self, rule: impl Rule<T>, law: impl Law<T, Columns = [T; 0]>) -> bool {
        let Self { level, scaling, rate, x, g, anchor, state } = self;
        sweep(level, (rule, law, anchor), (scaling, rate), x, g, state);
        true
    }
}
