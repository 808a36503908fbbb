//! The fused loop: rule and law of a coordinate in one pass, for the few pairs that most steps are
//! made of. Every other pair is joined by tiles, with the same bits.
//!
//! 1. All columns are cut to one length before the loop, so that no bounds check is left in it.
//! 2. Rule, law and number of columns are types: the loop body has no branch on them.
//! 3. All operations of rules and laws are correctly rounded (no fast-math, fused multiply-adds
//!    written out), so that every level, and the scalar tail of a loop, gives the same bits.

use super::contract::{Gain, Law, Numbers, Rule};
use super::reduce::{LANES, Pass, Terms, row, squares};
use super::{Level, vectorize};
use crate::float::Real;

/// Updates weights and state in one loop.
#[inline(always)]
pub(crate) fn sweep<T: Real, R: Rule<T>, L: Law<T, Columns = [T; 0]>>(
    level: Level,
    (rule, law): (R, L),
    (gain, rate): (Gain<T>, T),
    x: &mut [T],
    g: &[T],
    state: &mut [&mut [T]],
) {
    vectorize(
        level,
        #[inline(always)]
        || {
            let n = x.len();
            let g = &g[..n];
            let mut state = R::State::columns(state, n);
            for i in 0..n {
                let g = law.couple(gain.apply(g[i]), x[i]);
                let (step, next) = rule.update(x[i], g, R::State::read(&state, i));
                (x[i], _) = law.settle(x[i], g, step, rate, []);
                next.write(&mut state, i);
            }
        },
    );
}

/// Returns Σr² of the displacement r = rate·u + decay that [`sweep`] would make, without writing anything.
#[inline(always)]
pub(crate) fn measure<T: Real, R: Rule<T>, L: Law<T, Columns = [T; 0]>>(
    level: Level,
    (rule, law): (R, L),
    (gain, rate): (Gain<T>, T),
    (x, g, state): (&[T], &[T], &[&[T]]),
    pass: Pass,
) -> f64 {
    squares(level, x.len(), Displacements { rule, law, gain, rate, x, g, state }, pass)
}

/// Displacements, to be squared.
#[derive(Clone, Copy)]
struct Displacements<'a, T, R, L> {
    rule: R,
    law: L,
    gain: Gain<T>,
    rate: T,
    x: &'a [T],
    g: &'a [T],
    state: &'a [&'a [T]],
}

impl<T: Real, R: Rule<T>, L: Law<T, Columns = [T; 0]>> Displacements<'_, T, R, L> {
    #[inline(always)]
    fn of(&self, x: T, g: T, state: R::State) -> T {
        let g = self.law.couple(self.gain.apply(g), x);
        let (step, _) = self.rule.update(x, g, state);
        step.u * self.rate + self.law.drift(x, g, step, self.rate, [])
    }
}

impl<T: Real, R: Rule<T>, L: Law<T, Columns = [T; 0]>> Terms<T> for Displacements<'_, T, R, L> {
    #[inline(always)]
    fn lanes(&self, start: usize) -> [T; LANES] {
        let (x, g) = (row(self.x, start), row(self.g, start));
        let state = R::State::rows(self.state, start);
        let mut r = [T::zero(); LANES];
        for l in 0..LANES {
            r[l] = self.of(x[l], g[l], R::State::of_rows(&state, l));
        }
        r
    }
    #[inline(always)]
    fn one(&self, i: usize) -> T {
        self.of(self.x[i], self.g[i], R::State::one(self.state, i))
    }
}
