//! The sweep: one fused pass over a parameter, generic over rule and law.
//!
//! ```text
//! for every coordinate:
//!     g        <- gain(g)                     unscaling, clipping and the sign of `maximize`, in one factor
//!     g        <- law.couple(g, x)            decay that acts through the gradient
//!     u, state <- rule.update(g, state)       the optimizer itself
//!     x        <- law.settle(x, u, rate)      the update, and decay that acts beside it
//! ```
//!
//! 1. All columns are cut to one length before the loop, so that no bounds check is left in it.
//! 2. Rule, law and number of columns are types, chosen once per parameter: the loop body has no branch on them.
//! 3. All operations of rules and laws are correctly rounded (no fast-math, fused multiply-adds written out), so that
//!    every level, and the scalar tail of a loop, gives the same bits.
//!
//! Tried and rejected: joining rule and law per tile through a buffer instead of per element (1.5 to 1.9 times slower).

use std::array::from_fn;

use super::reduce::{LANES, Scaled, SquareSum, Terms, row, square_sums, squares};
use super::{Level, vectorize};
use crate::decay::{Law, Pull, for_law};
use crate::float::{Real, clamp};
use crate::rule::Rule;

/// What becomes of state that is smaller than the smallest normal number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denormals {
    Keep,
    /// It becomes 0 of its sign.
    Flush,
}

/// What happens to a gradient before anything else sees it: a factor, then a bound on its absolute value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gain<T> {
    pub(crate) factor: T,
    pub(crate) bound: T,
}

impl<T: Real> Gain<T> {
    #[inline(always)]
    fn apply(&self, g: T) -> T {
        clamp(g * self.factor, self.bound)
    }
}

/// One parameter's work, complete but for the rule, which the optimizer picks.
#[derive(Debug)]
pub struct Job<'a, T> {
    pub(crate) level: Level,
    pub(crate) gain: Gain<T>,
    pub(crate) pull: Pull,
    /// A factor on the whole displacement, decay included: the trust ratio of LAMB, else 1.
    pub(crate) trust: f64,
    pub(crate) x: &'a mut [T],
    pub(crate) g: &'a [T],
    /// The rule's columns, one after another.
    pub(crate) state: &'a mut [T],
    /// What the decay pulls towards; empty when that is 0.
    pub(crate) anchor: &'a [T],
}

impl<T: Real> Job<'_, T> {
    /// Updates the parameter: x ← settle(x, u), where the rule's direction u is multiplied by `rate`.
    #[inline(always)]
    pub(crate) fn run<R: Rule<T, N>, const N: usize>(self, rule: R, rate: f64) {
        let Job { level, gain, pull, trust, x, g, state, anchor } = self;
        let rate = T::of(rate * trust);
        let columns = columns_mut(state, x.len());
        for_law!(T, pull, trust, anchor, |law, cols| vectorize(
            level,
            #[inline(always)]
            move || sweep(Update { rule, law, gain, rate }, x, g, columns, cols)
        ));
    }

    /// Returns Σx² and Σr² of the displacement r = rate·u + decay that `run` would make, without writing anything.
    #[inline(always)]
    pub(crate) fn measure<R: Rule<T, N>, const N: usize>(&self, rule: R, rate: f64) -> [SquareSum; 2] {
        let Job { level, gain, pull, trust, .. } = *self;
        let rate = T::of(rate * trust);
        let (x, g, anchor) = (&*self.x, self.g, self.anchor);
        let state = columns(self.state, x.len());
        for_law!(T, pull, trust, anchor, |law, cols| {
            let terms = Displacements { update: Update { rule, law, gain, rate }, x, g, state, cols };
            // Called through a pointer, so that the loop is there once, though it may run twice.
            let sums: &dyn Fn(T) -> [f64; 2] = &|scale| {
                vectorize(
                    level,
                    #[inline(always)]
                    || squares(x.len(), Scaled(terms, scale)),
                )
            };
            square_sums(sums(T::one()), sums)
        })
    }
}

/// Denormal numbers of a column become 0 of their sign; a NaN stays. A walk of its own over state that the sweep has just left in the cache.
pub(crate) fn flush<T: Real>(level: Level, column: &mut [T]) {
    vectorize(
        level,
        #[inline(always)]
        || {
            for x in column {
                *x = if x.abs() < T::min_positive_value() { T::zero().copysign(*x) } else { *x };
            }
        },
    );
}

/// `state` as N columns of length n.
fn columns_mut<T, const N: usize>(state: &mut [T], n: usize) -> [&mut [T]; N] {
    let mut rest = state;
    from_fn(|_| rest.split_off_mut(..n).expect("a slot's state holds its rule's columns"))
}

/// The same, to read.
fn columns<T, const N: usize>(state: &[T], n: usize) -> [&[T]; N] {
    from_fn(|k| &state[k * n..][..n])
}

/// Everything that a coordinate's update is made of.
#[derive(Clone, Copy)]
struct Update<R, L, T> {
    rule: R,
    law: L,
    gain: Gain<T>,
    rate: T,
}

impl<R, L, T: Real> Update<R, L, T> {
    /// The new weight and the new state.
    #[inline(always)]
    fn advance<const N: usize, const M: usize>(&self, x: T, g: T, state: [T; N], at: [T; M]) -> (T, [T; N])
    where
        R: Rule<T, N>,
        L: Law<T, M>,
    {
        let g = self.law.couple(self.gain.apply(g), x, at);
        let (step, state) = self.rule.update(g, state);
        (self.law.settle(x, step, self.rate, at), state)
    }

    /// By how much the weight would change, the update and the decay each to its own precision.
    #[inline(always)]
    fn displacement<const N: usize, const M: usize>(&self, x: T, g: T, state: [T; N], at: [T; M]) -> T
    where
        R: Rule<T, N>,
        L: Law<T, M>,
    {
        let g = self.law.couple(self.gain.apply(g), x, at);
        let (step, _) = self.rule.update(g, state);
        step.u * self.rate + self.law.drift(x, step, self.rate, at)
    }
}

#[inline(always)]
fn sweep<T: Real, R: Rule<T, N>, L: Law<T, M>, const N: usize, const M: usize>(
    update: Update<R, L, T>,
    x: &mut [T],
    g: &[T],
    state: [&mut [T]; N],
    cols: [&[T]; M],
) {
    let n = x.len();
    let g = &g[..n];
    let state = state.map(|column| &mut column[..n]);
    let cols = cols.map(|column| &column[..n]);
    for i in 0..n {
        let (weight, next) = update.advance(x[i], g[i], from_fn(|k| state[k][i]), cols.map(|column| column[i]));
        x[i] = weight;
        for k in 0..N {
            state[k][i] = next[k];
        }
    }
}

/// The weights and their displacements, to be squared.
#[derive(Clone, Copy)]
struct Displacements<'a, R, L, T, const N: usize, const M: usize> {
    update: Update<R, L, T>,
    x: &'a [T],
    g: &'a [T],
    state: [&'a [T]; N],
    cols: [&'a [T]; M],
}

impl<T: Real, R: Rule<T, N>, L: Law<T, M>, const N: usize, const M: usize> Terms<T, 2> for Displacements<'_, R, L, T, N, M> {
    #[inline(always)]
    fn lanes(&self, start: usize) -> [[T; LANES]; 2] {
        let (x, g) = (row(self.x, start), row(self.g, start));
        let (state, cols) = (self.state.map(|column| row(column, start)), self.cols.map(|column| row(column, start)));
        let mut r = [T::zero(); LANES];
        for l in 0..LANES {
            r[l] = self.update.displacement(x[l], g[l], from_fn(|k| state[k][l]), cols.map(|column| column[l]));
        }
        [*x, r]
    }
    #[inline(always)]
    fn one(&self, i: usize) -> [T; 2] {
        let (state, at) = (self.state.map(|column| column[i]), self.cols.map(|column| column[i]));
        [self.x[i], self.update.displacement(self.x[i], self.g[i], state, at)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decay::Effect;
    use crate::kernel::reduce;
    use crate::rule::Move;

    #[derive(Clone, Copy)]
    struct Descent;

    impl Rule<f32, 0> for Descent {
        fn update(&self, g: f32, []: [f32; 0]) -> (Move<f32>, [f32; 0]) {
            (Move::along(g), [])
        }
    }

    /// There is one reduction: what is measured beside an update has the bits of what is measured alone, over any number of chunks.
    #[test]
    fn a_measured_norm_is_the_norm() {
        for n in [1, 63, 64, 16_384, 16_385, 50_000] {
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let mut x: Vec<f32> = (0..n).map(|i| 1.0 + (i % 1000 * (i % 1000) % 101) as f32 / 7.0).collect();
            let g: Vec<f32> = x.iter().rev().copied().collect();
            for level in Level::all() {
                let expected = [&x, &g].map(|column| reduce::sum_of_squares(level, column));
                let job = Job {
                    level,
                    gain: Gain { factor: 1.0, bound: f32::INFINITY },
                    pull: Pull { effect: Effect::Free, anchored: false },
                    trust: 1.0,
                    x: &mut x,
                    g: &g,
                    state: &mut [],
                    anchor: &[],
                };
                assert_eq!(job.measure(Descent, 1.0), expected, "{n} weights, {level}");
            }
        }
    }
}
