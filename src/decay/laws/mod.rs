//! The laws: what a decay does to one coordinate, one file each, and the lists of all of them.
//!
//! A file holds, in this order: the place where the law acts, with its word and numbers, what it
//! refuses, and what a share amounts to there ([`AtPlace`]); the amounts of one step, in f64
//! ([`Effect`]); and the loop body, with its scalars in the weights' type
//! ([`Law`](crate::kernel::Law)). A law that a place shares with others has no place of its own.

mod ada;
mod amounts;
mod average;
mod cautious;
mod constrained;
mod coupled;
mod exact;
mod exponential;
mod free;
mod huber;
mod hyperball;
mod interval;
mod metric;
mod p_norm;
mod places;
mod proximal;
mod rows;
mod selective;
mod sets;
mod shrink;
mod spectral;
mod sphere;
mod touched;
mod tuned;

use std::fmt;

pub(super) use average::check as check_anchor;
pub(super) use constrained::{Afterwards, columns as columns_of_constraint, effect as constrained};
pub(super) use sets::refuses as refused_by_set;
pub(super) use touched::effect as in_touched_rows;
pub(crate) use touched::paid;
pub(super) use tuned::effect as tuned;

use places::AtPlace;

use super::{Anchor, Penalty, Place};
use crate::error::Result;
use crate::float::{Float, Real, faded, rounded};
use crate::kernel::{Law, Notes, TiledLaw, Whole};
use crate::number::Number;

/// What a decay amounts to in one step, in f64, the same for all parameters of a group.
pub(crate) trait Effect: Copy + PartialEq {
    /// Returns the amounts that act, by name: the share s of a weight, the threshold θ, or the
    /// strengths λ and λ₁ in the gradient.
    fn said(self) -> Vec<(&'static str, f64)>;

    /// Returns the same with other amounts, where a kernel multiplies or compares with them. (A share
    /// is kept as 1 − s, where a small one may be lost: that is PyTorch's order.)
    fn map(self, _change: &dyn Fn(f64) -> Result<f64>) -> Result<Self> {
        Ok(self)
    }

    /// Returns whether nothing is left of it.
    fn is_nothing(self) -> bool {
        false
    }

    /// Returns the effect on a displacement that is `trust` times as long: what is coupled stays
    /// in the gradient.
    fn times(self, _trust: f64) -> Self {
        self
    }

    /// Returns the strengths of the penalty in the gradient, L1 and L2.
    fn coupled(self) -> [f64; 2] {
        [0.0; 2]
    }

    /// Returns the largest share of a weight that is removed, which must be in [0, 1).
    fn share(self) -> f64 {
        0.0
    }

    /// Returns the share if it is out of its range, and that range.
    fn refused(self) -> Option<(f64, &'static str)> {
        let share = self.share();
        (!(0.0..1.0).contains(&share)).then_some((share, "[0, 1)"))
    }

    /// Returns the share of a weight that is to go, and what really goes in the weights' type: of a
    /// number near 1 that a kernel multiplies with, few digits may be left.
    fn removes<T: Float>(self) -> [f64; 2] {
        [0.0; 2]
    }

    /// Returns the law, which pulls to this anchor.
    fn law<T: Real>(self, anchor: Anchor) -> AnyLaw<T>;
}

/// The list of laws: the amounts of each in a step, and its loops.
macro_rules! laws {
    ($($Effect:ident($amounts:ty) => $($Law:ident($law:ty)),+;)+) => {
        /// What a decay amounts to in this step: any law, by its amounts.
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub(crate) enum StepDecay {
            $($Effect($amounts)),+
        }

        impl StepDecay {
            fn said(self) -> Vec<(&'static str, f64)> {
                match self {
                    $(Self::$Effect(amounts) => amounts.said()),+
                }
            }

            fn map(self, change: &dyn Fn(f64) -> Result<f64>) -> Result<Self> {
                match self {
                    $(Self::$Effect(amounts) => {
                        let amounts = amounts.map(change)?;
                        Ok(if amounts.is_nothing() { Self::default() } else { Self::$Effect(amounts) })
                    }),+
                }
            }

            /// Returns the effect on a displacement that is `trust` times as long.
            pub(crate) fn times(self, trust: f64) -> Self {
                match self {
                    $(Self::$Effect(amounts) => Self::$Effect(amounts.times(trust))),+
                }
            }

            /// Returns the strengths of the penalty in the gradient, L1 and L2.
            pub(crate) fn coupled(self) -> [f64; 2] {
                match self {
                    $(Self::$Effect(amounts) => amounts.coupled()),+
                }
            }

            /// Returns the largest share of a weight that is removed, which must be in [0, 1).
            pub(crate) fn share(self) -> f64 {
                match self {
                    $(Self::$Effect(amounts) => amounts.share()),+
                }
            }

            /// Returns the share if it is out of its range, and that range.
            pub(crate) fn refused(self) -> Option<(f64, &'static str)> {
                match self {
                    $(Self::$Effect(amounts) => amounts.refused()),+
                }
            }

            fn removes<T: Float>(self) -> [f64; 2] {
                match self {
                    $(Self::$Effect(amounts) => amounts.removes::<T>()),+
                }
            }
        }

        /// Any law, with its scalars in the weights' type.
        #[derive(Clone, Copy, Debug)]
        pub(crate) enum AnyLaw<T> {
            $($($Law($law)),+),+
        }

        impl<T: Real> AnyLaw<T> {
            /// Returns the law of an effect, which pulls to this anchor.
            pub(crate) fn of(effect: StepDecay, anchor: Anchor) -> Self {
                match effect {
                    $(StepDecay::$Effect(amounts) => amounts.law(anchor)),+
                }
            }

            /// Whether the law looks at a whole parameter before its tiles are worked on.
            pub(crate) fn looks(&self) -> bool {
                match self {
                    $($(Self::$Law(_) => <$law as Law<T>>::LOOKS),+),+
                }
            }

            /// Returns the law for a parameter that it has looked at.
            pub(crate) fn prepare(self, whole: &mut dyn Whole<T>, notes: Notes<'_, T>) -> Self {
                match self {
                    $($(Self::$Law(law) => {
                        let law = law.prepare(whole, notes);
                        if Law::<T>::rests(&law) { Self::Free(free::Free) } else { Self::$Law(law) }
                    }),+),+
                }
            }

            /// Returns the longest way that the law moves a weight beside the update and beside
            /// shrinking it.
            pub(crate) fn reach(&self) -> f64 {
                match self {
                    $($(Self::$Law(law) => Law::<T>::reach(law)),+),+
                }
            }

            /// Returns the law's loops.
            pub(crate) fn tiled(&self) -> &dyn TiledLaw<T> {
                match self {
                    $($(Self::$Law(law) => law),+),+
                }
            }
        }
    };
}

laws! {
    Free(free::Free) => Free(free::Free);
    Coupled(coupled::Amounts) => CoupledL2(coupled::CoupledL2<T>), CoupledElastic(coupled::CoupledElastic<T>);
    Shrink(amounts::Amounts<shrink::Beside>) => Shrink(shrink::Shrink<T>), TowardsAverage(average::TowardsAverage<T>);
    Exact(exact::Amounts) => Exact(exact::Exact<T>);
    Cautious(amounts::Amounts<cautious::WhereItAgrees>) => Cautious(cautious::Cautious<T>);
    Proximal(proximal::Amounts) => Proximal(proximal::Proximal<T>);
    AdaDecay(ada::Amounts) => AdaDecay(ada::AdaDecay<T>);
    Selective(selective::Selective<f64>) => Selective(selective::Selective<T>);
    Metric(metric::Amounts) => Metric(metric::MetricThreshold<T>);
    CoupledHuber(huber::Coupled) => CoupledHuber(huber::CoupledHuber<T>);
    Huber(huber::Amounts) => Huber(huber::Huber<T>);
    CoupledPNorm(p_norm::Coupled) => CoupledPNorm(p_norm::CoupledPNorm<T>);
    PNorm(p_norm::Amounts) => PNorm(p_norm::PNorm<T>);
    Slices(rows::SliceLasso) => Slices(rows::SliceLasso);
    Touched(touched::Amounts) => Touched(touched::Amounts);
    Constrained(constrained::Amounts) => Constrained(constrained::Constrained<T>);
    Tuned(tuned::Amounts) => TunedShrink(tuned::Tuned<T, shrink::Shrink<T>>), TunedExact(tuned::Tuned<T, exact::Exact<T>>);
    Sphere(sets::Amounts<sphere::Radius>) =>
        BesideSphere(sets::Beside<T, sphere::Sphere<T>>), AfterSphere(sets::After<T, sphere::Sphere<T>>),
        OntoSphere(sets::Wall<sphere::Sphere<T>>);
    Interval(sets::Amounts<interval::Bound>) =>
        BesideInterval(sets::Beside<T, interval::Interval<T>>), AfterInterval(sets::After<T, interval::Interval<T>>),
        OntoInterval(sets::Wall<interval::Interval<T>>);
    Spectral(sets::Amounts<spectral::Ball>) =>
        BesideSpectral(sets::Beside<T, spectral::Largest<T>>), AfterSpectral(sets::After<T, spectral::Largest<T>>),
        OntoSpectral(sets::Wall<spectral::Largest<T>>);
    Hyperball(hyperball::Amounts) => Hyperball(hyperball::Hyperball<T>);
}

/// Returns why a penalty in a place does not pull to this anchor, if it does not.
pub(super) fn refused_by_anchor(anchor: Anchor, penalty: Penalty, place: Place) -> Option<&'static str> {
    average::refuses(anchor, penalty, place).or_else(|| p_norm::refuses(anchor, penalty, place))
}

/// What errors call a decay's amounts.
const WEIGHT_DECAY: &str = "weight decay";

impl StepDecay {
    /// Checks that no number that a kernel multiplies or compares with is infinite, or 0 instead of
    /// something else, in the weights' type.
    pub(crate) fn check<T: Real>(self) -> Result<()> {
        self.map(&|amount| rounded::<T>(WEIGHT_DECAY, amount).map(|_| amount)).map(|_| ())
    }

    /// Returns the same with amounts of 0 where a schedule, or a rate under one, has made them too
    /// small for the weights' type.
    pub(crate) fn faded<T: Real>(self) -> Result<Self> {
        self.map(&|amount| faded::<T>(WEIGHT_DECAY, amount))
    }
}

/// How far off what a step removes may be, as a part of what it is to remove.
const TOLERATED: f64 = 0.01;

impl StepDecay {
    /// Returns whether weights that no update moves are moved by it all the same. What is coupled is a part of the update,
    /// and selective decay takes back what that adds.
    pub(crate) fn acts_alone(self) -> bool {
        let beside = self.coupled() == [0.0; 2] && !matches!(self, Self::Selective(_));
        beside && self.said().into_iter().any(|(_, amount)| amount != 0.0)
    }

    /// Returns what a step really removes of a weight, where that is not what it says.
    pub(crate) fn misses<T: Float>(self) -> Option<f64> {
        let [share, removed] = self.removes::<T>();
        ((removed - share).abs() > TOLERATED * share).then_some(removed)
    }
}

impl Default for StepDecay {
    fn default() -> Self {
        Self::Free(free::Free)
    }
}

/// Shows what acts in a step.
impl fmt::Display for StepDecay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = self.said().into_iter().filter(|(_, amount)| *amount != 0.0);
        let said: Vec<_> = said.map(|(name, amount)| format!("{name} = {}", Number::rounded(amount))).collect();
        match self {
            Self::Free(_) => f.write_str("none"),
            _ => f.write_str(&said.join(", ")),
        }
    }
}
