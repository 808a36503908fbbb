//! The laws: what a decay does to one coordinate, one file each, and the list of all of them.

mod ada;
mod average;
mod cautious;
mod coupled;
mod metric;
mod proximal;
mod rows;
mod shrink;

pub(crate) use ada::AdaDecay;
pub(crate) use average::TowardsAverage;
pub(crate) use cautious::Cautious;
pub(crate) use coupled::{CoupledElastic, CoupledL2};
pub(crate) use metric::MetricThreshold;
pub(crate) use proximal::Proximal;
pub(crate) use rows::RowLasso;
pub(crate) use shrink::Shrink;

use super::Anchor;
use super::step_decay::StepDecay;
use crate::float::Real;
use crate::kernel::{Law, TiledLaw, Whole};

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
    TowardsAverage(TowardsAverage<T>),
    Cautious(Cautious<T>),
    Proximal(Proximal<T>),
    AdaDecay(AdaDecay<T>),
    Metric(MetricThreshold<T>),
    Rows(RowLasso),
}

impl<T: Real> AnyLaw<T> {
    /// Returns the law of an effect, which pulls to this anchor.
    pub(crate) fn of(effect: StepDecay, anchor: Anchor) -> Self {
        match effect {
            StepDecay::Free => Self::Free(Free),
            StepDecay::Coupled { l1: 0.0, l2 } => Self::CoupledL2(CoupledL2::new(l2)),
            StepDecay::Coupled { l1, l2 } => Self::CoupledElastic(CoupledElastic::new(l1, l2)),
            StepDecay::Shrink(share) => match anchor {
                Anchor::Average { beta } => Self::TowardsAverage(TowardsAverage::new(share, beta)),
                _ => Self::Shrink(Shrink::new(share)),
            },
            StepDecay::Cautious(share) => Self::Cautious(Cautious::new(share)),
            StepDecay::Proximal { before, threshold, after } => Self::Proximal(Proximal::new(before, threshold, after)),
            StepDecay::AdaDecay { share, alpha } => Self::AdaDecay(AdaDecay::new(share, alpha)),
            StepDecay::Metric { threshold } => Self::Metric(MetricThreshold::new(threshold)),
            StepDecay::Rows { threshold } => Self::Rows(RowLasso::new(threshold)),
        }
    }

    /// Whether the law looks at a whole parameter before its tiles are worked on.
    pub(crate) fn looks(&self) -> bool {
        matches!(self, Self::AdaDecay(_) | Self::Rows(_))
    }

    /// Returns the law for a parameter that it has looked at. `rows` becomes the law's column, a
    /// number for each row, if it has one.
    pub(crate) fn prepare(self, whole: &mut dyn Whole<T>, rows: &mut Vec<T>) -> Self {
        match self {
            Self::AdaDecay(law) => Self::AdaDecay(law.prepare(whole)),
            Self::Rows(law) => {
                law.prepare(whole, rows);
                self
            }
            other => other,
        }
    }

    /// Returns the law's loops.
    pub(crate) fn tiled(&self) -> &dyn TiledLaw<T> {
        match self {
            Self::Free(law) => law,
            Self::CoupledL2(law) => law,
            Self::CoupledElastic(law) => law,
            Self::Shrink(law) => law,
            Self::TowardsAverage(law) => law,
            Self::Cautious(law) => law,
            Self::Proximal(law) => law,
            Self::AdaDecay(law) => law,
            Self::Metric(law) => law,
            Self::Rows(law) => law,
        }
    }
}
