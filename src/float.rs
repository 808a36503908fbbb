//! The element types, `f32` and `f64`, behind one sealed trait.

use std::fmt::{Debug, Display};

/// The type of a weight: `f32` or `f64`.
///
/// Sealed, so that operations can be added without breaking anybody: every kernel of this crate is compiled for these two types inside the
/// crate itself. It has no methods, so that it hides none of another trait's in generic code.
///
/// Code that is generic over the type of the weights takes a `dyn Optimizer<T>`, or names the optimizers that it builds:
///
/// ```
/// use wane::{Adam, AdamW, Algorithm, Error, Float, Optimizer};
///
/// fn train<T: Float>(optimizer: &mut dyn Optimizer<T>, weights: &mut [T], grads: &[T]) -> Result<(), Error> {
///     optimizer.step_slice(weights, grads).map(|_| ())
/// }
///
/// fn adamw<T: Float>(lr: f64) -> Result<Box<dyn Optimizer<T>>, Error>
/// where
///     Adam: Algorithm<T>,
/// {
///     Ok(Box::new(AdamW::new(lr).build()?))
/// }
///
/// train(&mut *adamw(0.1)?, &mut [1.0_f64, 2.0], &[0.5, 0.5])?;
/// # Ok::<(), Error>(())
/// ```
pub trait Float: sealed::Sealed + Copy + Debug + Display + Default + PartialOrd + Send + Sync + 'static {}

impl Float for f32 {}
impl Float for f64 {}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// What the kernels need of a float: `num_traits::Float`, and the two conversions to and from `f64`.
pub trait Real: Float + num_traits::Float {
    /// The largest finite value, in `f64`.
    const LARGEST: f64;
    /// `x` rounded once to this type.
    fn of(x: f64) -> Self;
    /// The same value as an `f64`, exactly.
    fn widen(self) -> f64;
}

impl Real for f32 {
    const LARGEST: f64 = Self::MAX as f64;
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the one place where a scalar is rounded to the element type")]
    fn of(x: f64) -> Self {
        x as Self
    }
    #[inline(always)]
    fn widen(self) -> f64 {
        f64::from(self)
    }
}

impl Real for f64 {
    const LARGEST: Self = Self::MAX;
    #[inline(always)]
    fn of(x: f64) -> Self {
        x
    }
    #[inline(always)]
    fn widen(self) -> f64 {
        self
    }
}

/// `x` held within [−bound, bound]; a NaN stays a NaN, which `min` and `max` would turn into a number.
#[inline(always)]
pub(crate) fn clamp<T: Real>(x: T, bound: T) -> T {
    let x = if x > bound { bound } else { x };
    if x < -bound { -bound } else { x }
}

/// −1, 0 or 1 as `x` is negative, zero or positive; a NaN stays a NaN, and a zero keeps its sign.
#[inline(always)]
pub(crate) fn sign<T: Real>(x: T) -> T {
    if x > T::zero() || x < T::zero() { T::one().copysign(x) } else { x }
}
