//! The rules: each optimizer's own update, which knows nothing of decay, groups, threads or vector instructions.

mod adam;
mod lamb;
mod lion;
mod sgd;

pub use adam::{Adam, AdamW};
pub(crate) use lamb::Trust;
pub use lamb::{Lamb, TrustRatio};
pub use lion::Lion;
pub use sgd::Sgd;

use std::fmt::{Debug, Display};

use crate::error::Result;
use crate::float::Real;
use crate::kernel::Job;
use crate::optimizer::Optimizer;
use crate::settings::Recipe;

/// One coordinate of an optimizer: the gradient and N numbers of state in, the move and the new state out.
///
/// The new weight is x − rate·u. Only correctly rounded operations may be used (+, −, ×, ÷, `sqrt`, `mul_add`, comparisons).
pub(crate) trait Rule<T: Real, const N: usize>: Copy {
    fn update(&self, g: T, state: [T; N]) -> (Move<T>, [T; N]);
}

/// Where a rule moves a weight.
#[derive(Clone, Copy)]
pub(crate) struct Move<T> {
    /// The direction u, which the rate multiplies. A rule may have multiplied it by its rate already.
    pub(crate) u: T,
    /// Any number with the sign of the direction, which is still there where the rate has made 0 of u.
    pub(crate) lean: T,
}

impl<T: Copy> Move<T> {
    #[inline(always)]
    pub(crate) fn along(u: T) -> Self {
        Self { u, lean: u }
    }
}

/// An optimizer's options, and how they become a rule: what a file in this folder implements.
pub trait Formula: Clone + Debug + Display + PartialEq + Send + Sync + 'static {
    /// The scalars of one step, worked out in f64 and rounded once per group and distinct step count.
    type Scalars<T: Real>: Copy + Debug + Send + Sync;

    /// Checks that every option is in its range.
    fn check(&self) -> Result<()>;

    /// The names of the state columns, PyTorch's where it has them.
    fn columns(&self) -> &'static [&'static str];

    /// Returns the scalars at learning rate `lr` for a parameter's update number `t`, which counts from 1.
    fn scalars<T: Real>(&self, lr: f64, t: u64) -> Result<Self::Scalars<T>>;

    /// Returns bounds on what a step can make, when no gradient that the parameter has seen was larger than `g`.
    fn reach<T: Real>(&self, scalars: &Self::Scalars<T>, g: f64) -> Reach;

    /// Picks the rule and runs it.
    fn sweep<T: Real>(&self, scalars: &Self::Scalars<T>, job: Job<'_, T>);

    /// Returns the factor on the whole displacement of this parameter, or none where no norm is looked at.
    fn trust<T: Real>(&self, _scalars: &Self::Scalars<T>, _job: &Job<'_, T>) -> Option<Trust> {
        None
    }
}

/// Upper bounds on absolute values.
#[derive(Clone, Copy, Debug)]
pub struct Reach {
    /// Of every number in the state, and of those on the way to the displacement.
    pub(crate) state: f64,
    /// Of rate·u.
    pub(crate) displacement: f64,
}

/// An engine, compiled inside this crate for one formula and each type of the weights.
///
/// Without it the loops would be instantiated in the crate that calls them, and a debug build there would run 300 times
/// slower than a release build.
pub trait Compiled: Formula {
    fn start_f32(recipe: Recipe<Self>) -> Result<Box<dyn Optimizer<f32>>>;
    fn start_f64(recipe: Recipe<Self>) -> Result<Box<dyn Optimizer<f64>>>;
}

macro_rules! compiled {
    ($formula:ty) => {
        impl $crate::rule::Compiled for $formula {
            fn start_f32(
                recipe: $crate::settings::Recipe<Self>,
            ) -> $crate::error::Result<Box<dyn $crate::optimizer::Optimizer<f32>>> {
                Ok(Box::new($crate::engine::Engine::new(recipe)?))
            }
            fn start_f64(
                recipe: $crate::settings::Recipe<Self>,
            ) -> $crate::error::Result<Box<dyn $crate::optimizer::Optimizer<f64>>> {
                Ok(Box::new($crate::engine::Engine::new(recipe)?))
            }
        }
    };
}
pub(crate) use compiled;

/// An optimizer of this crate by its name: the bound for code that is generic over the optimizer.
///
/// Several names may stand for one formula at different defaults: [`AdamW`] and [`Lamb`] are [`Adam`]'s formula.
///
/// ```
/// use wane::{Adam, Algorithm, Decay, Error, Optimizer, Settings, Sgd};
///
/// fn with_decay<A: Algorithm>(settings: Settings<A>) -> Result<Box<dyn Optimizer<f32>>, Error> {
///     Ok(settings.weight_decay(Decay::decoupled(0.1)).build()?.into())
/// }
///
/// let mut optimizers = [with_decay(Sgd::new(0.1))?, with_decay(Adam::new(1e-3))?];
/// for optimizer in &mut optimizers {
///     optimizer.step_slice(&mut [1.0, 2.0], &[0.1, -0.1])?;
/// }
/// # Ok::<(), Error>(())
/// ```
pub trait Algorithm: sealed::Sealed + Clone + Debug + Send + Sync + 'static {
    /// The options and equations behind the name.
    #[doc(hidden)]
    type Formula: Compiled;

    /// The name as tables show it.
    const NAME: &'static str;
}

/// Gives names to a formula.
macro_rules! algorithm {
    ($($name:ident: $formula:ty = $text:literal),+) => {$(
        impl $crate::rule::sealed::Sealed for $name {}
        impl $crate::rule::Algorithm for $name {
            type Formula = $formula;
            const NAME: &'static str = $text;
        }
    )+};
}
pub(crate) use algorithm;

pub(crate) mod sealed {
    pub trait Sealed {}
}
