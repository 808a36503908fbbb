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
use crate::float::{Float, Real};
use crate::kernel::Job;
use crate::param::Param;
use crate::report::Report;
use crate::stepper::Stepper;

/// One coordinate of an optimizer: the gradient and N numbers of state in, the direction u and the new state out.
///
/// The new weight is x − rate·u. Only correctly rounded operations may be used (+, −, ×, ÷, `sqrt`, `mul_add`, comparisons).
pub(crate) trait Rule<T: Real, const N: usize>: Copy {
    fn update(&self, g: T, state: [T; N]) -> (T, [T; N]);
}

/// An optimizer's options, and how they become a rule: what a file in this folder implements.
pub trait Formula: Clone + Debug + Display + PartialEq + Send + Sync + 'static {
    /// The scalars of one step in f64, worked out once per group and distinct step count.
    type Scalars: Copy + Debug + Send + Sync;

    /// Is every option in its range?
    fn check(&self) -> Result<()>;

    /// The names of the state columns, PyTorch's where it has them.
    fn columns(&self) -> &'static [&'static str];

    /// The scalars at learning rate `lr` for a parameter's update number `t`, which counts from 1.
    fn scalars(&self, lr: f64, t: u64) -> Self::Scalars;

    /// Those numbers, by name, that have no upper bound of their own and must fit into the weights' type.
    fn unbounded(&self, scalars: &Self::Scalars) -> [(&'static str, f64); 2];

    /// Picks the rule and runs it.
    fn sweep<T: Real>(&self, scalars: &Self::Scalars, job: Job<'_, T>);

    /// The factor on the whole displacement of this parameter, or none where no norm is looked at.
    fn trust<T: Real>(&self, _scalars: &Self::Scalars, _job: &Job<'_, T>) -> Option<Trust> {
        None
    }
}

/// A step, compiled inside this crate for one optimizer and one element type.
///
/// Without it the loops would be instantiated in the crate that calls them, and a debug build there would run 300 times
/// slower than a release build.
pub trait Compiled<T: Float>: Formula {
    fn step(stepper: &mut Stepper<Self, T>, params: &mut [Param<'_, T>], factor: f64) -> Result<Report>;
    fn register(stepper: &mut Stepper<Self, T>, params: &[Param<'_, T>]) -> Result<()>;
}

macro_rules! compiled {
    ($formula:ty: $($float:ty),+) => {$(
        impl $crate::rule::Compiled<$float> for $formula {
            #[inline(never)]
            fn step(
                stepper: &mut $crate::stepper::Stepper<Self, $float>,
                params: &mut [$crate::param::Param<'_, $float>],
                factor: f64,
            ) -> $crate::error::Result<$crate::report::Report> {
                stepper.advance(params, factor)
            }

            #[inline(never)]
            fn register(
                stepper: &mut $crate::stepper::Stepper<Self, $float>,
                params: &[$crate::param::Param<'_, $float>],
            ) -> $crate::error::Result<()> {
                stepper.enrol(params)
            }
        }
    )+};
}
pub(crate) use compiled;

/// An optimizer of this crate, for weights of type `T`: the bound for code that is generic over the optimizer.
///
/// ```
/// use wane::{Adam, Algorithm, Decay, Error, Optimizer, Settings, Sgd};
///
/// fn with_decay<A: Algorithm<f32>>(settings: Settings<A>) -> Result<Box<dyn Optimizer<f32>>, Error> {
///     Ok(Box::new(settings.weight_decay(Decay::decoupled(0.1)).build()?))
/// }
///
/// let mut optimizers = [with_decay(Sgd::new(0.1))?, with_decay(Adam::new(1e-3))?];
/// for optimizer in &mut optimizers {
///     optimizer.step_slice(&mut [1.0, 2.0], &[0.1, -0.1])?;
/// }
/// # Ok::<(), Error>(())
/// ```
pub trait Algorithm<T: Float>: Compiled<T> {}

impl<T: Float, A: Compiled<T>> Algorithm<T> for A {}
