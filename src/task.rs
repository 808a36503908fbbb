//! The work order of one parameter: its columns, its rule and its law, and how they are joined.
//!
//! Rule and law are chosen once per parameter. The pairs that most steps are made of run
//! in one fused loop; all others run through a pipeline of short loops over tiles, which
//! gives the same bits.

#![expect(clippy::indexing_slicing, reason = "tiles are within the weights, and every column is as long")]

use std::fmt::{self, Debug};
use std::ops::Range;

use crate::decay::AnyLaw;
use crate::float::Real;
use crate::kernel::column::{MAX_COLUMNS, Short};
use crate::kernel::reduce::{self, Pass, TileSum};
use crate::kernel::tile::{self, Given, Keep, Scratch};
use crate::kernel::{Level, Move, Scaling, SquareSum, TILE, descend};

mod fused;
mod look;
mod mask;
mod seen;
#[cfg(test)]
mod tests;

pub(crate) use fused::{AnyRule, Fused};
pub(crate) use look::Look;
pub(crate) use mask::Mask;
use seen::Seen;

/// Scratch memory for one thread.
pub(crate) struct Desk<T> {
    // Boxed, as it is tens of kilobytes, and an engine with a desk is moved.
    tile: Box<Scratch<T>>,
    /// Memory for looks at whole parameters, kept at the length that the largest parameter needs.
    pub(crate) sums: Vec<f64>,
    pub(crate) room: Vec<T>,
}

impl<T: Real> Default for Desk<T> {
    fn default() -> Self {
        Self { tile: Box::new(Scratch::new()), sums: Vec::new(), room: Vec::new() }
    }
}

impl<T> Desk<T> {
    /// Makes room for so many sums and numbers in all.
    pub(crate) fn reserve(&mut self, (sums, room): (usize, usize)) {
        self.sums.reserve_exact(sums.saturating_sub(self.sums.len()));
        self.room.reserve_exact(room.saturating_sub(self.room.len()));
    }
}

impl<T> Debug for Desk<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Desk")
    }
}

/// A copy has as much memory, so that its steps need not allocate either.
impl<T: Real> Clone for Desk<T> {
    fn clone(&self) -> Self {
        let (sums, room) = (Vec::with_capacity(self.sums.capacity()), Vec::with_capacity(self.room.capacity()));
        Self { sums, room, ..Self::default() }
    }
}

/// What becomes of state that is smaller than the smallest normal number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denormals {
    Keep,
    /// It becomes 0 of its sign.
    Flush,
}

/// How one parameter is updated: x ← settle(x, u), where the rule's direction u is
/// multiplied by `rate`.
#[derive(Debug)]
pub(crate) struct Task<'a, T> {
    pub(crate) level: Level,
    pub(crate) scaling: Scaling<T>,
    pub(crate) denormals: Denormals,
    pub(crate) rule: &'a dyn AnyRule<T>,
    pub(crate) rate: T,
    pub(crate) law: &'a AnyLaw<T>,
    pub(crate) x: &'a mut [T],
    pub(crate) g: &'a [T],
    /// The rule's columns with a number for each weight; the rest is empty.
    pub(crate) state: [&'a mut [T]; MAX_COLUMNS],
    /// The rule's columns with fewer numbers, which it reads behind the others.
    pub(crate) short: Short<'a, T>,
    /// What the decay pulls towards; empty when that is 0.
    pub(crate) anchor: &'a [T],
    /// The weights that decay never touches.
    pub(crate) mask: Mask<'a>,
    /// The law's own column, if it has one.
    pub(crate) own: &'a mut [T],
    /// What the law has worked out for this step, which it reads behind its own column.
    pub(crate) beside: Short<'a, T>,
    /// The first weight, among all of the parameter.
    pub(crate) start: usize,
}

impl<'a, T: Real> Task<'a, T> {
    /// Returns what the gradient that the rule sees is worked out from.
    pub(crate) fn seen(&self) -> Seen<'a, T> {
        let Self { level, scaling, law, g, anchor, mask, start, .. } = *self;
        Seen { level, scaling, law, g, anchor, mask, start }
    }

    /// Updates the weights and their state.
    pub(crate) fn run(&mut self, desk: &mut Desk<T>) {
        let done = self.is_unmasked()
            && match self.denormals {
                Denormals::Keep => self.run_fused(0..self.x.len()),
                // A tile's state is still in the first cache when it is flushed.
                Denormals::Flush => tiles(self.x.len()).all(|tile| {
                    let done = self.run_fused(tile.clone());
                    if done {
                        self.state.iter_mut().for_each(|column| tile::flush(self.level, part(column, &tile)));
                    }
                    done
                }),
            };
        if !done {
            self.run_tiled(desk);
        }
    }

    /// Updates a part in one loop, if the rule and the law have one: returns whether they have.
    fn run_fused(&mut self, of: Range<usize>) -> bool {
        let Self { level, scaling, rate, law, rule, .. } = *self;
        let state = &mut self.state.each_mut().map(|column| part(column, &of));
        let anchor = if self.anchor.is_empty() { &[] } else { &self.anchor[of.clone()] };
        rule.fused(law, Fused { level, scaling, rate, x: &mut self.x[of.clone()], g: &self.g[of], anchor, state })
    }

    /// Returns whether the law acts on all weights.
    fn is_unmasked(&self) -> bool {
        self.mask.is_none() || matches!(self.law, AnyLaw::Free(_))
    }

    /// Returns whether the law acts on all weights, and on these themselves, not on a distance from an
    /// anchor.
    fn is_plain(&self) -> bool {
        self.anchor.is_empty() && self.is_unmasked() || matches!(self.law, AnyLaw::Free(_))
    }

    /// Updates the weights and their state tile by tile.
    pub(crate) fn run_tiled(&mut self, desk: &mut Desk<T>) {
        for tile in tiles(self.x.len()) {
            self.run_tile(tile, &mut desk.tile);
        }
    }

    fn run_tile(&mut self, tile: Range<usize>, scratch: &mut Scratch<T>) {
        let Scratch { d, g, moves, spread, .. } = scratch;
        let level = self.level;
        let d = &mut d[..tile.len()];
        let g = self.seen().gradient(&self.x[tile.clone()], tile.clone(), d, g);
        let place = self.start + tile.start;
        let mut state = self.state.each_mut().map(|column| part(column, &tile));
        spread_behind(&mut state, self.short, place, tile.len(), spread);
        self.rule.update(level, Given { x: &self.x[tile.clone()], g }, &mut state, (moves, self.law.tiled().keeps()));
        if self.denormals == Denormals::Flush {
            state.iter_mut().for_each(|column| tile::flush(level, column));
        }
        self.settle_tile(tile, scratch);
    }

    /// Writes the weights of a tile whose moves are worked out.
    fn settle_tile(&mut self, tile: Range<usize>, scratch: &mut Scratch<T>) {
        let (n, place) = (tile.len(), self.start + tile.start);
        let (level, law, rate) = (self.level, self.law.tiled(), self.rate);
        let Scratch { d, g, moves, beside, r, own, .. } = scratch;
        let g = if self.seen().is_given() { &self.g[tile.clone()] } else { &g[..n] };
        let x = &mut self.x[tile.clone()];
        let mut columns: [&mut [T]; MAX_COLUMNS] = [part(self.own, &tile), &mut [], &mut [], &mut []];
        spread_behind(&mut columns, self.beside, place, n, beside);
        let spared = self.mask.spared(law, (place, n), &columns);
        let before = (&mut r[..n], &mut own[..columns[0].len()]);
        if spared.is_some() {
            before.0.copy_from_slice(x);
            before.1.copy_from_slice(columns[0]);
        }
        if self.anchor.is_empty() || !law.settles() {
            law.settle(level, x, g, moves, rate, &mut columns);
        } else {
            let d = &mut d[..n];
            law.settle(level, d, g, moves, rate, &mut columns);
            tile::restore(level, x, &self.anchor[tile], d);
        }
        if let Some(spared) = spared {
            // The update without decay; what the law keeps of these weights rests.
            tile::replace(level, &spared, x, |i| descend(before.0[i], Move::along(moves.u[i]), rate));
            tile::replace(level, &spared, columns[0], |i| before.1[i]);
        }
    }

    /// Returns Σx² and Σr² of the displacement r = rate·u + decay that `run` would make, without
    /// writing anything.
    pub(crate) fn measure(&self, desk: &mut Desk<T>) -> [SquareSum; 2] {
        let (mut x, mut r) = (TileSum::new(), TileSum::new());
        for tile in tiles(self.x.len()) {
            // Beside each other, as both are in the cache then.
            x.add_squares(self.level, &self.x[tile.clone()], Pass::First);
            r.add_squares(self.level, self.displacement(tile, &mut desk.tile), Pass::First);
        }
        [
            reduce::completed(self.level, x.sum(), self.x),
            SquareSum::of::<T>(r.sum(), self.x.len(), |pass| self.squares(Self::displacement, pass, desk)),
        ]
    }

    /// Returns Σu² of the directions that `run` would move along, without writing anything.
    pub(crate) fn directions(&self, desk: &mut Desk<T>) -> SquareSum {
        let first = self.squares(Self::direction, Pass::First, desk);
        SquareSum::of::<T>(first, self.x.len(), |pass| self.squares(Self::direction, pass, desk))
    }

    /// Returns Σv of the second moments that `run` would divide by, without writing anything; √v is
    /// what a metric is above `floor`. In the plain metric it is 1.
    pub(crate) fn moments(&self, floor: f64, desk: &mut Desk<T>) -> SquareSum {
        if self.rule.is_plain() {
            #[expect(clippy::cast_precision_loss, reason = "a number of weights")]
            return SquareSum::plain(self.x.len() as f64);
        }
        let mut sum = TileSum::new();
        for tile in tiles(self.x.len()) {
            self.moves(tile.clone(), &mut desk.tile, Keep::Moves);
            sum.fold(
                self.level,
                desk.tile.moves.metric(tile.len()),
                #[inline(always)]
                |sum, metric: T| {
                    let root = metric.widen() - floor;
                    root.mul_add(root, sum)
                },
            );
        }
        SquareSum::plain(sum.sum())
    }

    /// Returns the sum of the squares of what `of` works out tile by tile.
    fn squares(&self, of: for<'s> fn(&Self, Range<usize>, &'s mut Scratch<T>) -> &'s [T], pass: Pass, desk: &mut Desk<T>) -> f64 {
        let mut sum = TileSum::new();
        tiles(self.x.len()).for_each(|tile| sum.add_squares(self.level, of(self, tile, &mut desk.tile), pass));
        sum.sum()
    }

    /// Returns the gradient of a tile as the rule sees it.
    pub(crate) fn gradient<'s>(&'s self, tile: Range<usize>, desk: &'s mut Desk<T>) -> &'s [T] {
        let Scratch { d, g, .. } = &mut *desk.tile;
        self.seen().gradient(&self.x[tile.clone()], tile.clone(), &mut d[..tile.len()], g)
    }

    /// Returns the directions of a tile, of which nothing is written.
    fn direction<'s>(&self, tile: Range<usize>, scratch: &'s mut Scratch<T>) -> &'s [T] {
        let n = tile.len();
        self.moves(tile, scratch, Keep::Directions);
        &scratch.moves.u[..n]
    }

    /// Works out the moves of a tile, of which nothing is written.
    fn moves(&self, tile: Range<usize>, scratch: &mut Scratch<T>, keep: Keep) {
        let Scratch { d, g, moves, spread, copies, .. } = scratch;
        let n = tile.len();
        let gradient = self.seen().gradient(&self.x[tile.clone()], tile.clone(), &mut d[..n], g);
        let mut state: [&mut [T]; MAX_COLUMNS] = Default::default();
        for ((state, column), copy) in state.iter_mut().zip(&self.state).zip(copies) {
            *state = copied(column, &tile, copy);
        }
        spread_behind(&mut state, self.short, self.start + tile.start, n, spread);
        self.rule.update(self.level, Given { x: &self.x[tile], g: gradient }, &mut state, (moves, keep));
    }

    /// Returns the displacement of a tile, of which nothing is written.
    fn displacement<'s>(&self, tile: Range<usize>, scratch: &'s mut Scratch<T>) -> &'s [T] {
        let n = tile.len();
        if self.rule.displaced(self, &tile, &mut scratch.r) {
            return &scratch.r[..n];
        }
        self.moves(tile.clone(), scratch, self.law.tiled().keeps());
        let Scratch { d, g, moves, beside, own, r, .. } = scratch;
        let gradient = if self.seen().is_given() { &self.g[tile.clone()] } else { &g[..n] };
        let mut columns: [&mut [T]; MAX_COLUMNS] = [copied(self.own, &tile, own), &mut [], &mut [], &mut []];
        spread_behind(&mut columns, self.beside, self.start + tile.start, n, beside);
        let at = if self.anchor.is_empty() { &self.x[tile.clone()] } else { &d[..n] };
        let spared = self.mask.spared(self.law.tiled(), (self.start + tile.start, n), &columns);
        self.law.tiled().displacement(self.level, (at, gradient), moves, self.rate, &mut columns, &mut r[..n]);
        if let Some(spared) = spared {
            tile::replace(self.level, &spared, &mut r[..n], |i| moves.u[i] * self.rate);
        }
        &r[..n]
    }

    /// Cuts the task at weight n, into two that together do the same.
    pub(crate) fn split_at(self, n: usize) -> (Self, Self) {
        let (x, right_x) = self.x.split_at_mut(n);
        let (g, right_g) = self.g.split_at(n);
        let (anchor, right_anchor) = self.anchor.split_at(n.min(self.anchor.len()));
        let (own, right_own) = cut(self.own, n);
        let (mut state, mut right_state) = (self.state, <[&mut [T]; MAX_COLUMNS]>::default());
        for (left, right) in state.iter_mut().zip(&mut right_state) {
            (*left, *right) = cut(std::mem::take(left), n);
        }
        let left = Self { x, g, anchor, own, state, ..self };
        let right = Self {
            x: right_x,
            g: right_g,
            anchor: right_anchor,
            own: right_own,
            state: right_state,
            start: left.start + n,
            ..left
        };
        (left, right)
    }
}

/// Cuts a column, if there is one.
fn cut<T>(column: &mut [T], n: usize) -> (&mut [T], &mut [T]) {
    column.split_at_mut(n.min(column.len()))
}

/// Returns the tiles of n weights.
pub(crate) fn tiles(n: usize) -> impl Iterator<Item = Range<usize>> {
    (0..n).step_by(TILE).map(move |at| at..n.min(at + TILE))
}

/// Returns the part of a column, if there is one.
fn part<'s, T>(column: &'s mut [T], tile: &Range<usize>) -> &'s mut [T] {
    if column.is_empty() { &mut [] } else { &mut column[tile.clone()] }
}

/// Returns a copy of the part of a column, if there is one.
fn copied<'s, T: Copy>(column: &[T], tile: &Range<usize>, copy: &'s mut [T; TILE]) -> &'s mut [T] {
    if column.is_empty() {
        return &mut [];
    }
    let copy = &mut copy[..tile.len()];
    copy.copy_from_slice(&column[tile.clone()]);
    copy
}

/// Puts the short columns behind those with a number for each weight, spread over the n weights
/// from `place` on.
fn spread_behind<'s, T: Copy>(
    state: &mut [&'s mut [T]; MAX_COLUMNS],
    short: Short<'_, T>,
    place: usize,
    n: usize,
    scratch: &'s mut [[T; TILE]],
) {
    let behind = state.iter_mut().filter(|column| column.is_empty());
    for ((column, spread), scratch) in behind.zip(short.columns()).zip(scratch) {
        *column = &mut scratch[..n];
        spread.fill(place, column);
    }
}
