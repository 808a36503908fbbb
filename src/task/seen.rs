//! The gradient as the rule sees it.

#![expect(clippy::indexing_slicing, reason = "tiles are within the weights, and every column is as long")]

use std::ops::Range;

use super::Mask;
use crate::decay::AnyLaw;
use crate::float::Real;
use crate::kernel::tile;
use crate::kernel::{Level, Scaling, TILE};

/// What becomes of the gradient before the rule sees it.
#[derive(Clone, Copy)]
pub(crate) struct Seen<'a, T> {
    pub(super) level: Level,
    pub(super) scaling: Scaling<T>,
    pub(super) law: &'a AnyLaw<T>,
    pub(super) g: &'a [T],
    pub(super) anchor: &'a [T],
    pub(super) mask: Mask<'a>,
    pub(super) start: usize,
}

impl<'a, T: Real> Seen<'a, T> {
    /// Returns whether the rule sees the gradient as it was given.
    pub(super) fn is_given(&self) -> bool {
        !self.law.tiled().couples() && self.scaling.is_plain()
    }

    /// Returns the gradient of a tile, whose weights are `x`, as the rule sees it; `d` becomes the
    /// distance from the anchor, if there is one.
    pub(crate) fn gradient<'t>(&self, x: &[T], tile: Range<usize>, d: &mut [T], out: &'t mut [T; TILE]) -> &'t [T]
    where
        'a: 't,
    {
        let Self { level, scaling, law, anchor, .. } = *self;
        let (g, out) = (&self.g[tile.clone()], &mut out[..tile.len()]);
        if !anchor.is_empty() {
            tile::distance(level, x, &anchor[tile.clone()], d);
        }
        if self.is_given() {
            return g;
        }
        law.tiled().couple(level, scaling, g, if anchor.is_empty() { x } else { d }, out);
        if law.tiled().couples()
            && let Some(spared) = self.mask.tile(self.start + tile.start, tile.len())
        {
            tile::replace(level, &spared, out, |i| scaling.apply(g[i]));
        }
        out
    }
}
