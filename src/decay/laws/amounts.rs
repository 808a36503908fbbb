//! The amounts of a law that has one: the share of a weight that it removes beside the update.

use std::marker::PhantomData;

use super::{AnyLaw, Effect};
use crate::decay::Anchor;
use crate::decay::share::ShrinkFraction;
use crate::float::{Float, Real, removed};

/// A place whose law is made of a share alone.
pub(crate) trait OfShare: Copy + PartialEq {
    /// Returns the law that removes this share, which pulls to this anchor.
    fn law<T: Real>(share: ShrinkFraction, anchor: Anchor) -> AnyLaw<T>;
}

/// The share that is removed in a place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Amounts<P> {
    share: ShrinkFraction,
    place: PhantomData<P>,
}

impl<P> Amounts<P> {
    pub(crate) fn of(share: ShrinkFraction) -> Self {
        Self { share, place: PhantomData }
    }
}

impl<P: OfShare> Effect for Amounts<P> {
    fn said(self) -> Vec<(&'static str, f64)> {
        vec![("s", self.share())]
    }

    fn times(self, trust: f64) -> Self {
        Self { share: self.share.times(trust), ..self }
    }

    fn share(self) -> f64 {
        self.share.removed()
    }

    fn removes<T: Float>(self) -> [f64; 2] {
        [self.share(), removed::<T>(self.share())]
    }

    fn law<T: Real>(self, anchor: Anchor) -> AnyLaw<T> {
        P::law(self.share, anchor)
    }
}
