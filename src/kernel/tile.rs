//! Tiles: rule and law joined in short loops over a piece of a parameter that stays in the first
//! cache. So the number of loops is a sum, one for each rule and a few for each law, where joining
//! both in one loop would make it a product.

use super::column::MAX_COLUMNS;
use super::contract::{Law, Move, Numbers, Rule, Scaling, descend};
use super::{Level, vectorize};
use crate::float::Real;

/// Elements of a tile. Its columns, of the parameter and of the [`Scratch`], fit the first cache:
/// 18 KB for Adam in f32, 36 KB in f64. A chunk of the reductions is a multiple of it.
pub(crate) const TILE: usize = 512;

/// What a tile works out on its way.
#[derive(Debug)]
pub(crate) struct Scratch<T> {
    /// The distance from the anchor.
    pub(crate) d: [T; TILE],
    /// The gradient that the rule sees.
    pub(crate) g: [T; TILE],
    pub(crate) moves: Moves<T>,
    /// The displacement.
    pub(crate) r: [T; TILE],
    /// Numbers of rows and columns, spread over the weights: the rule's, and the law's.
    pub(crate) spread: [[T; TILE]; MAX_COLUMNS],
    pub(crate) beside: [[T; TILE]; 2],
    /// Copies of columns, where nothing is to be written: the rule's, and the law's own.
    pub(crate) copies: [[T; TILE]; MAX_COLUMNS],
    pub(crate) own: [T; TILE],
}

impl<T: Real> Scratch<T> {
    pub(crate) fn new() -> Self {
        let zeros = [T::zero(); TILE];
        let moves = Moves { u: zeros, lean: zeros, metric: zeros };
        Self {
            d: zeros,
            g: zeros,
            moves,
            r: zeros,
            spread: [zeros; MAX_COLUMNS],
            beside: [zeros; 2],
            copies: [zeros; MAX_COLUMNS],
            own: zeros,
        }
    }
}

/// What is kept of the moves of a tile. A law that asks for no more than directions costs no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    Directions,
    Moves,
}

/// A [`Move`] for each element of a tile.
#[derive(Debug)]
pub(crate) struct Moves<T> {
    pub(crate) u: [T; TILE],
    lean: [T; TILE],
    metric: [T; TILE],
}

impl<T: Real> Moves<T> {
    /// Fills in what a rule in the plain metric leaves out, for n moves.
    fn complete(&mut self, n: usize) {
        self.lean[..n].copy_from_slice(&self.u[..n]);
        self.metric[..n].fill(T::one());
    }

    /// Returns the metrics of n moves.
    pub(crate) fn metric(&self, n: usize) -> &[T] {
        &self.metric[..n]
    }

    #[inline(always)]
    fn get(&self, i: usize) -> Move<T> {
        Move { u: self.u[i], lean: self.lean[i], metric: self.metric[i] }
    }

    #[inline(always)]
    fn set(&mut self, i: usize, step: Move<T>) {
        (self.u[i], self.lean[i], self.metric[i]) = (step.u, step.lean, step.metric);
    }
}

/// What the loop of a rule reads of a tile.
pub(crate) struct Given<'a, T> {
    pub(crate) x: &'a [T],
    pub(crate) g: &'a [T],
}

/// Runs the loop of a rule over a tile.
pub(crate) fn update<T: Real, R: Rule<T>>(
    level: Level,
    rule: R,
    given: Given<'_, T>,
    state: &mut [&mut [T]],
    (moves, keep): (&mut Moves<T>, Keep),
) {
    let n = given.x.len();
    match keep {
        Keep::Moves if !R::PLAIN => run::<T, R, true>(level, rule, given, state, moves),
        _ => run::<T, R, false>(level, rule, given, state, moves),
    }
    if R::PLAIN && keep == Keep::Moves {
        moves.complete(n);
    }
}

#[inline(always)]
fn run<T: Real, R: Rule<T>, const MOVES: bool>(
    level: Level,
    rule: R,
    Given { x, g }: Given<'_, T>,
    state: &mut [&mut [T]],
    moves: &mut Moves<T>,
) {
    vectorize(
        level,
        #[inline(always)]
        || {
            let n = x.len().min(TILE);
            let g = &g[..n];
            let mut state = R::State::columns(state, n);
            for i in 0..n {
                let (step, next) = rule.update(x[i], g[i], R::State::read(&state, i));
                next.write(&mut state, i);
                if MOVES {
                    moves.set(i, step);
                } else {
                    moves.u[i] = step.u;
                }
            }
        },
    );
}

/// The loops of a law over a tile, and what a pipeline needs to know of any law.
pub(crate) trait TiledLaw<T: Real>: Sync {
    fn couples(&self) -> bool;

    fn settles(&self) -> bool;

    /// Returns what the law asks for of the moves.
    fn keeps(&self) -> Keep;

    /// Returns whether the law leaves weights alone by its first column.
    fn rests(&self) -> bool;

    /// Writes couple(scaling(g), d) to `out`.
    fn couple(&self, level: Level, scaling: Scaling<T>, g: &[T], d: &[T], out: &mut [T]);

    /// Replaces d by settle(d).
    fn settle(&self, level: Level, d: &mut [T], g: &[T], moves: &Moves<T>, rate: T, columns: &mut [&mut [T]]);

    /// Writes rate·u + drift(d) to `out`; `seen` is d and g as law and rule see them.
    fn displacement(&self, level: Level, seen: (&[T], &[T]), moves: &Moves<T>, rate: T, columns: &mut [&mut [T]], out: &mut [T]);
}

impl<T: Real, L: Law<T>> TiledLaw<T> for L {
    fn couples(&self) -> bool {
        L::COUPLES
    }

    fn settles(&self) -> bool {
        L::SETTLES
    }

    fn keeps(&self) -> Keep {
        if L::ASKS { Keep::Moves } else { Keep::Directions }
    }

    fn rests(&self) -> bool {
        L::RESTS
    }

    fn couple(&self, level: Level, scaling: Scaling<T>, g: &[T], d: &[T], out: &mut [T]) {
        if !L::COUPLES {
            return self::scaling(level, scaling, g, out);
        }
        vectorize(
            level,
            #[inline(always)]
            || {
                let (n, law) = (out.len(), *self);
                let (g, d) = (&g[..n], &d[..n]);
                for i in 0..n {
                    out[i] = law.couple(scaling.apply(g[i]), d[i]);
                }
            },
        );
    }

    fn settle(&self, level: Level, d: &mut [T], g: &[T], moves: &Moves<T>, rate: T, columns: &mut [&mut [T]]) {
        if !L::SETTLES {
            return descend_all(level, d, moves, rate);
        }
        vectorize(
            level,
            #[inline(always)]
            || {
                let (n, law) = (d.len().min(TILE), *self);
                let (d, g) = (&mut d[..n], &g[..n]);
                let mut columns = L::Columns::columns(columns, n);
                for i in 0..n {
                    let (weight, next) = law.settle(d[i], g[i], moves.get(i), rate, L::Columns::read(&columns, i));
                    d[i] = weight;
                    if L::WRITES {
                        next.write(&mut columns, i);
                    }
                }
            },
        );
    }

    fn displacement(
        &self,
        level: Level,
        (d, g): (&[T], &[T]),
        moves: &Moves<T>,
        rate: T,
        columns: &mut [&mut [T]],
        out: &mut [T],
    ) {
        vectorize(
            level,
            #[inline(always)]
            || {
                let (n, law) = (out.len().min(TILE), *self);
                let (d, g) = (&d[..n], &g[..n]);
                let columns = L::Columns::columns(columns, n);
                for i in 0..n {
                    let step = moves.get(i);
                    out[i] = step.u * rate + law.drift(d[i], g[i], step, rate, L::Columns::read(&columns, i));
                }
            },
        );
    }
}

/// Writes scaling(g) to `out`.
fn scaling<T: Real>(level: Level, scaling: Scaling<T>, g: &[T], out: &mut [T]) {
    vectorize(
        level,
        #[inline(always)]
        || {
            for (out, &g) in out.iter_mut().zip(g) {
                *out = scaling.apply(g);
            }
        },
    );
}

/// Replaces x by x − rate·u.
pub(crate) fn descend_all<T: Real>(level: Level, x: &mut [T], moves: &Moves<T>, rate: T) {
    vectorize(
        level,
        #[inline(always)]
        || {
            let n = x.len().min(TILE);
            let (x, u) = (&mut x[..n], &moves.u[..n]);
            for (x, &u) in x.iter_mut().zip(u) {
                *x = descend(*x, Move::along(u), rate);
            }
        },
    );
}

/// Writes x − a to `d`.
pub(crate) fn distance<T: Real>(level: Level, x: &[T], a: &[T], d: &mut [T]) {
    vectorize(
        level,
        #[inline(always)]
        || {
            for ((d, &x), &a) in d.iter_mut().zip(x).zip(a) {
                *d = x - a;
            }
        },
    );
}

/// Writes a + d to `x`.
pub(crate) fn restore<T: Real>(level: Level, x: &mut [T], a: &[T], d: &[T]) {
    vectorize(
        level,
        #[inline(always)]
        || {
            for ((x, &a), &d) in x.iter_mut().zip(a).zip(d) {
                *x = a + d;
            }
        },
    );
}

/// Replaces the chosen numbers of x, each by what `with` says of its place.
pub(crate) fn replace<T: Real>(level: Level, chosen: &[bool; TILE], x: &mut [T], with: impl Fn(usize) -> T) {
    vectorize(
        level,
        #[inline(always)]
        || {
            let n = x.len().min(TILE);
            let (x, chosen) = (&mut x[..n], &chosen[..n]);
            for i in 0..n {
                x[i] = if chosen[i] { with(i) } else { x[i] };
            }
        },
    );
}

/// Replaces denormal numbers by 0 of their sign; a NaN stays.
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
