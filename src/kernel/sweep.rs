//! The fused loop: rule and law of a coordinate in one pass, for the few pairs that most steps are
//! made of. Every other pair is joined by tiles, with the same bits.
//!
//! 1. All columns are cut to one length before the loop, so that no bounds check is left in it.
//! 2. Rule, law and number of columns are types: the loop body has no branch on them.
//! 3. All operations of rules and laws are correctly rounded (no fast-math, fused multiply-adds
//!    written out), so that every level, and the scalar tail of a loop, gives the same bits.

use std::ops::Range;

use super::contract::{Law, Numbers, Rule, Scaling, descend};
use super::{Level, vectorize};
use crate::float::Real;

/// What weights are measured from.
pub(crate) trait Origin<T>: Copy {
    /// Returns the same for n weights, so that no bounds check is left in a loop.
    fn cut(self, n: usize) -> Self;

    /// Returns the distance d of weight i.
    fn from(self, i: usize, x: T) -> T;

    /// Returns the weight at this distance.
    fn back(self, i: usize, d: T) -> T;
}

/// 0: the distance is the weight itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Zero;

impl<T> Origin<T> for Zero {
    #[inline(always)]
    fn cut(self, _n: usize) -> Self {
        self
    }

    #[inline(always)]
    fn from(self, _i: usize, x: T) -> T {
        x
    }

    #[inline(always)]
    fn back(self, _i: usize, d: T) -> T {
        d
    }
}

/// An anchor a: d = x − a.
impl<T: Real> Origin<T> for &[T] {
    #[inline(always)]
    fn cut(self, n: usize) -> Self {
        &self[..n]
    }

    #[inline(always)]
    fn from(self, i: usize, x: T) -> T {
        x - self[i]
    }

    #[inline(always)]
    fn back(self, i: usize, d: T) -> T {
        self[i] + d
    }
}

/// Updates weights and state in one loop.
#[inline(always)]
pub(crate) fn sweep<T: Real, R: Rule<T>, L: Law<T, Columns = [T; 0]>>(
    level: Level,
    (rule, law, origin): (R, L, impl Origin<T>),
    (scaling, rate): (Scaling<T>, T),
    x: &mut [T],
    g: &[T],
    state: &mut [&mut [T]],
) {
    vectorize(
        level,
        #[inline(always)]
        || {
            let n = x.len();
            let (g, origin) = (&g[..n], origin.cut(n));
            let mut state = R::State::columns(state, n);
            for i in 0..n {
                let d = origin.from(i, x[i]);
                let g = law.couple(scaling.apply(g[i]), d);
                let (step, next) = rule.update(x[i], g, R::State::read(&state, i));
                if L::SETTLES {
                    x[i] = origin.back(i, law.settle(d, g, step, rate, []).0);
                } else {
                    x[i] = descend(x[i], step, rate);
                }
                next.write(&mut state, i);
            }
        },
    );
}

/// Works out the displacements r = rate·u + decay that [`sweep`] would make of a part of the
/// weights, without writing anything else.
#[inline(always)]
pub(crate) fn displace<T: Real, R: Rule<T>, L: Law<T, Columns = [T; 0]>>(
    level: Level,
    (rule, law): (R, L),
    (scaling, rate): (Scaling<T>, T),
    (x, g, state): (&[T], &[T], &[&[T]]),
    part: &Range<usize>,
    r: &mut [T],
) {
    vectorize(
        level,
        #[inline(always)]
        || {
            let (x, g) = (&x[part.clone()], &g[part.clone()]);
            let (n, state) = (x.len(), R::State::lent(state, part));
            let (g, r) = (&g[..n], &mut r[..n]);
            for i in 0..n {
                let g = law.couple(scaling.apply(g[i]), x[i]);
                let (step, _) = rule.update(x[i], g, R::State::peek(&state, i));
                r[i] = step.u * rate + law.drift(x[i], g, step, rate, []);
            }
        },
    );
}
