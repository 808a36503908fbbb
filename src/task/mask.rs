//! The weights of a parameter that its decay leaves alone.

use crate::float::Real;
use crate::kernel::column::{Extent, MAX_COLUMNS, Matrices, Spread};
use crate::kernel::{TILE, TiledLaw};

/// Which weights of a tile are left alone.
pub(crate) type Spared = [bool; TILE];

/// The weights that decay never touches, by a flag for each weight or row; none where nothing is lent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mask<'a>(Option<Spread<'a, bool>>);

impl<'a> Mask<'a> {
    /// Returns the mask of a parameter of these axes.
    pub(crate) fn new(flags: Option<&'a [bool]>, of: Matrices) -> Self {
        let extent = |n| if n == of.len(Extent::Weights) { Extent::Weights } else { Extent::First };
        Self(flags.map(|flags| Spread::new(flags, of, extent(flags.len()))))
    }

    pub(crate) fn is_none(self) -> bool {
        self.0.is_none()
    }

    /// Returns which of the n weights from `place` on, of all of the parameter, are under the mask.
    pub(crate) fn tile(self, place: usize, n: usize) -> Option<Spared> {
        self.0.map(|flags| {
            let mut spared = [false; TILE];
            flags.fill(place, &mut spared[..n]);
            spared
        })
    }

    /// Returns which of these weights a law leaves alone beside the update: those under the mask, and
    /// those where the law itself rests.
    pub(crate) fn spared<T: Real>(
        self,
        law: &dyn TiledLaw<T>,
        (place, n): (usize, usize),
        columns: &[&mut [T]; MAX_COLUMNS],
    ) -> Option<Spared> {
        if !law.settles() {
            return None;
        }
        let under = self.tile(place, n);
        if !law.rests() {
            return under;
        }
        let mut spared = under.unwrap_or([false; TILE]);
        spared.iter_mut().zip(&*columns[0]).for_each(|(spared, number)| *spared |= *number == T::zero());
        Some(spared)
    }
}
