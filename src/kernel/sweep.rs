//! The sweep: one fused pass over a parameter, generic over rule and law.
//!
//! ```text
//! for every coordinate:
//!     g        <- gain(g)                     unscaling, clipping and the sign of `maximize`, in one factor
//!     g        <- law.couple(g, x)            decay that acts through the gradient
//!     u, state <- rule.update(g, state)       the optimizer itself
//!     x        <- law.settle(x, u)            the update, and decay that acts beside it
//! ```
//!
//! 1. All columns are cut to one length before the loop, so that no bounds check is left in it.
//! 2. Rule, law and number of columns are types, chosen once per parameter: the loop body has no branch on them.
//! 3. All operations of rules and laws are correctly rounded (no fast-math, fused multiply-adds written out), so that
//!    every level, and the scalar tail of a loop, gives the same bits.
//!
//! Tried and rejected: joining rule and law per tile through a buffer instead of per element (1.5 to 1.9 times slower).

use std::array::from_fn;

use super::reduce::{LANES, add_square, tree};
use super::{Level, vectorize};
use crate::decay::{Law, Pull, for_law};
use crate::float::{Real, clamp};
use crate::rule::Rule;

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

    /// Σx² and Σr² of the displacement r = rate·u + decay that `run` would make, without writing anything.
    #[inline(always)]
    pub(crate) fn measure<R: Rule<T, N>, const N: usize>(&self, rule: R, rate: f64) -> [f64; 2] {
        let Job { level, gain, pull, trust, .. } = *self;
        let rate = T::of(rate * trust);
        let (x, g, anchor) = (&*self.x, self.g, self.anchor);
        let columns = columns(self.state, x.len());
        for_law!(T, pull, trust, anchor, |law, cols| vectorize(
            level,
            #[inline(always)]
            move || measure(Update { rule, law, gain, rate }, x, g, columns, cols)
        ))
    }
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
        let (u, state) = self.rule.update(g, state);
        (self.law.settle(x, u, self.rate, at), state)
    }

    /// By how much the weight would change, the update and the decay each to its own precision.
    #[inline(always)]
    fn displacement<const N: usize, const M: usize>(&self, x: T, g: T, state: [T; N], at: [T; M]) -> T
    where
        R: Rule<T, N>,
        L: Law<T, M>,
    {
        let g = self.law.couple(self.gain.apply(g), x, at);
        let (u, _) = self.rule.update(g, state);
        u * self.rate + self.law.drift(x, u, self.rate, at)
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

/// Σx² and Σr², in lanes: the displacements of a block first, then their squares.
#[inline(always)]
fn measure<T: Real, R: Rule<T, N>, L: Law<T, M>, const N: usize, const M: usize>(
    update: Update<R, L, T>,
    x: &[T],
    g: &[T],
    state: [&[T]; N],
    cols: [&[T]; M],
) -> [f64; 2] {
    let n = x.len();
    let whole = n - n % LANES;
    let (blocks, _) = x.as_chunks::<LANES>();
    let (g_blocks, _) = g[..n].as_chunks::<LANES>();
    let state_blocks = state.map(|column| column[..n].as_chunks::<LANES>().0);
    let col_blocks = cols.map(|column| column[..n].as_chunks::<LANES>().0);
    let (mut weights, mut moves) = ([0.0; LANES], [0.0; LANES]);
    for b in 0..blocks.len() {
        let (x, g) = (&blocks[b], &g_blocks[b]);
        let (state, cols) = (state_blocks.map(|column| &column[b]), col_blocks.map(|column| &column[b]));
        let mut r = [T::zero(); LANES];
        for l in 0..LANES {
            r[l] = update.displacement(x[l], g[l], from_fn(|k| state[k][l]), cols.map(|column| column[l]));
        }
        for l in 0..LANES {
            weights[l] = add_square(weights[l], x[l]);
            moves[l] = add_square(moves[l], r[l]);
        }
    }
    for i in whole..n {
        let r = update.displacement(x[i], g[i], from_fn(|k| state[k][i]), cols.map(|column| column[i]));
        weights[i - whole] = add_square(weights[i - whole], x[i]);
        moves[i - whole] = add_square(moves[i - whole], r);
    }
    [tree(weights), tree(moves)]
}
