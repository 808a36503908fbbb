//! The laws: what a decay does to one coordinate, one file each, and the list of all of them.

mod cautious;
mod coupled;
mod proximal;
mod shrink;

pub(crate) use cautious::Cautious;
pub(crate) use coupled::{CoupledElastic, CoupledL2};
pub(crate) use proximal::Proximal;
pub(crate) use shrink::Shrink;

use super::effect::Effect;
use crate::float::Real;
use crate::kernel::{Law, TiledLaw};

/// No decay.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Free;

impl<T: Real> Law<T> for Free {
    type Columns = [T; 0];
}

/// Any law, with its scalars in the weights' type. The list of all of them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum AnyLaw<T> {
    Free(Free),
    CoupledL2(CoupledL2<T>),
    CoupledElastic(CoupledElastic<T>),
    Shrink(Shrink<T>),
    Cautious(Cautious<T>),
    Proximal(Proximal<T>),
}

impl<T: Real> AnyLaw<T> {
    /// Returns the law of an effect.
    pub(crate) fn of(effect: Effect) -> Self {
        match effect {
            Effect::Free => Self::Free(Free),
            Effect::Coupled { l1, l2 } if l1 == 0.0 => Self::CoupledL2(CoupledL2::new(l2)),
            Effect::Coupled { l1, l2 } => Self::CoupledElastic(CoupledElastic::new(l1, l2)),
            Effect::Shrink(share) => Self::Shrink(Shrink::new(share)),
            Effect::Cautious(share) => Self::Cautious(Cautious::new(share)),
            Effect::Proximal { before, threshold, after } => Self::Proximal(Proximal::new(before, threshold, after)),
        }
    }

    /// Returns the law's loops.
    pub(crate) fn tiled(&self) -> &dyn TiledLaw<T> {
        match self {
            Self::Free(law) => law,
            Self::CoupledL2(law) => law,
            Self::CoupledElastic(law) => law,
            Self::Shrink(law) => law,
            Self::Cautious(law) => law,
            Self::Proximal(law) => law,
        }
    }
}
