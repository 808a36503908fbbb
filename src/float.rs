//! The element types, `f32` and `f64`, behind one sealed trait.

use std::fmt::{Debug, Display};

use crate::error::{Result, in_range};

/// The type of a weight: `f32` or `f64`.
///
/// Sealed, so that operations can be added without breaking anybody: every kernel of this crate is
/// compiled for these two types inside the crate itself. Its two methods have names that
/// `num_traits` does not use, so generic code may use both traits.
///
/// `T: Float` is all that code generic over the type of the weights needs:
///
/// ```
/// use wane::{AdamW, Error, Float, Optimizer, Sgd};
///
/// fn optimizer<T: Float>(name: &str, lr: f64) -> Result<Box<dyn Optimizer<T>>, Error> {
///     Ok(match name {
///         "sgd" => Sgd::new(lr).momentum(0.9).build()?.into(),
///         _ => AdamW::new(lr).build()?.into(),
///     })
/// }
///
/// fn distance<T: Float>(x: &[T]) -> f64 {
///     x.iter().map(|x| x.widen().powi(2)).sum::<f64>().sqrt()
/// }
///
/// let mut w = [1.0_f32, 2.0];
/// optimizer("adamw", 0.1)?.step_slice(&mut w, &[0.5, f32::of(0.5)])?;
/// assert!(distance(&w) < 5.0_f64.sqrt());
/// # Ok::<(), Error>(())
/// ```
pub trait Float: sealed::Pick + Copy + Debug + Display + Default + PartialOrd + Into<f64> + Send + Sync + 'static {
    /// Returns `x`, rounded once to this type.
    #[must_use]
    fn of(x: f64) -> Self;

    /// Returns the same number as an `f64`, exactly.
    #[must_use]
    fn widen(self) -> f64;
}

impl Float for f32 {
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the one place where a number is rounded to f32")]
    fn of(x: f64) -> Self {
        x as Self
    }
    #[inline(always)]
    fn widen(self) -> f64 {
        f64::from(self)
    }
}

impl Float for f64 {
    #[inline(always)]
    fn of(x: f64) -> Self {
        x
    }
    #[inline(always)]
    fn widen(self) -> f64 {
        self
    }
}

pub(crate) mod sealed {
    use std::borrow::Cow;

    use super::Float;
    use crate::state::Numbers;

    /// The way from code that is generic over the weights' type to what was compiled for it
    /// inside this crate.
    pub trait Pick: Sized + Clone {
        fn pick<C: Cases>(cases: C) -> C::Of<Self>
        where
            Self: Float;

        /// Makes numbers of state out of numbers of this type.
        fn wrap(numbers: Cow<'_, [Self]>) -> Numbers<'_>;

        /// Returns numbers of state if they are of this type.
        fn unwrap<'a>(numbers: Numbers<'a>) -> Option<Cow<'a, [Self]>>;

        /// Returns a look at numbers of state if they are of this type.
        fn look<'a>(numbers: &'a Numbers<'_>) -> Option<&'a [Self]>;
    }

    /// Something that is there for each type of the weights.
    pub trait Cases {
        type Of<T: Float>;

        fn f32(self) -> Self::Of<f32>;
        fn f64(self) -> Self::Of<f64>;
    }

    macro_rules! picked {
        ($T:ident, $Variant:ident) => {
            impl Pick for $T {
                fn pick<C: Cases>(cases: C) -> C::Of<Self> {
                    cases.$T()
                }

                fn wrap(numbers: Cow<'_, [Self]>) -> Numbers<'_> {
                    Numbers::$Variant(numbers)
                }

                fn unwrap<'a>(numbers: Numbers<'a>) -> Option<Cow<'a, [Self]>> {
                    if let Numbers::$Variant(numbers) = numbers { Some(numbers) } else { None }
                }

                fn look<'a>(numbers: &'a Numbers<'_>) -> Option<&'a [Self]> {
                    if let Numbers::$Variant(numbers) = numbers { Some(numbers) } else { None }
                }
            }
        };
    }

    picked!(f32, F32);
    picked!(f64, F64);
}
pub(crate) use sealed::Cases;

/// What the kernels need of a float: `num_traits::Float`, and its limits.
pub(crate) trait Real: Float + num_traits::Float {
    /// Whether its squares are exact in `f64`.
    const IS_SHORT: bool;
    /// The largest finite value, in `f64`.
    const LARGEST: f64;
    /// The distance from 1 to the next number, in `f64`.
    const EPS: f64;
    /// The type's name.
    const NAME: &'static str;
    /// What a number must be, so that it is neither infinite nor lost in this type.
    const RANGE: &'static str;
}

impl Real for f32 {
    const IS_SHORT: bool = true;
    const LARGEST: f64 = Self::MAX as f64;
    const EPS: f64 = Self::EPSILON as f64;
    const NAME: &'static str = "f32";
    const RANGE: &'static str = "0, or between 1.4e-45 and 3.4e38: a number of the weights' type, f32";
}

impl Real for f64 {
    const IS_SHORT: bool = false;
    const LARGEST: Self = Self::MAX;
    const EPS: Self = Self::EPSILON;
    const NAME: &'static str = "f64";
    const RANGE: &'static str = "0, or between 4.9e-324 and 1.8e308: a number of the weights' type, f64";
}

/// Rounds a scalar to the weights' type. It is an error where that makes it infinite, or makes 0
/// of something else.
///
/// Settings and what is made of them go through here or through [`faded`] before a kernel sees
/// them, and nowhere else.
pub(crate) fn rounded<T: Real>(name: &'static str, value: f64) -> Result<T> {
    let near = T::of(value);
    in_range(name, value, near.is_finite() && (value == 0.0 || !near.is_zero()), T::RANGE)?;
    Ok(near)
}

/// Returns a scalar that a schedule has brought down: what is too small for the weights' type is 0,
/// the end of every fading schedule. Infinity is an error as in [`rounded`].
pub(crate) fn faded<T: Real>(name: &'static str, value: f64) -> Result<f64> {
    let near = T::of(value);
    in_range(name, value, near.is_finite(), T::RANGE)?;
    Ok(if near.is_zero() { 0.0 } else { value })
}

/// Returns what really goes of a share that a kernel removes by a multiplication with 1 − s.
pub(crate) fn removed<T: Float>(share: f64) -> f64 {
    1.0 - T::of(1.0 - share).widen()
}

/// Rounds a share that is kept from step to step, which must stay below 1.
pub(crate) fn kept<T: Real>(name: &'static str, value: f64) -> Result<T> {
    let near = rounded::<T>(name, value)?;
    in_range(name, value, near < T::one(), "below 1 in the weights' type too")?;
    Ok(near)
}

/// Returns `x` held within [−bound, bound]. A NaN stays a NaN; `min` and `max` would
/// make it a number.
#[inline(always)]
pub(crate) fn clamp<T: Real>(x: T, bound: T) -> T {
    let x = if x > bound { bound } else { x };
    if x < -bound { -bound } else { x }
}

/// Returns −1, 0 or 1 as `x` is negative, zero or positive. A NaN stays a NaN, and a
/// zero keeps its sign.
#[inline(always)]
pub(crate) fn sign<T: Real>(x: T) -> T {
    if x > T::zero() || x < T::zero() { T::one().copysign(x) } else { x }
}
