//! f32 and f64 behind one trait, so that every test is written once.

use wane::{Optimizer, Result};

use super::Recipe;

/// An element type, as the tests see it.
pub(crate) trait Element: wane::Float + num_traits::Float + std::fmt::LowerExp {
    /// Its name in the fixtures.
    const NAME: &'static str;
    /// The hex digits of one number.
    const DIGITS: usize = 2 * size_of::<Self>();
    /// The distance from 1 to the next number.
    const EPS: f64;
    /// The largest number.
    const HUGE: f64;
    /// The smallest number above 0.
    const TINY: f64;
    /// `x` rounded once.
    fn near(x: f64) -> Self;
    /// The same number.
    fn exact(self) -> f64;
    fn bits(self) -> u64;
    fn from_hex(digits: &str) -> Self;
    fn build(recipe: &dyn Recipe) -> Result<Box<dyn Optimizer<Self>>>;

    /// Its bits; one NaN is as good as another.
    fn pattern(self) -> u64 {
        if self.is_nan() { u64::MAX } else { self.bits() }
    }
}

macro_rules! element {
    ($float:ident, $bits:ident, $build:ident) => {
        impl Element for $float {
            const NAME: &'static str = stringify!($float);
            const EPS: f64 = $float::EPSILON as f64;
            const HUGE: f64 = $float::MAX as f64;
            const TINY: f64 = $float::from_bits(1) as f64;
            fn near(x: f64) -> Self {
                num_traits::cast(x).expect("a float")
            }
            fn exact(self) -> f64 {
                self.into()
            }
            fn bits(self) -> u64 {
                self.to_bits().into()
            }
            fn from_hex(digits: &str) -> Self {
                Self::from_bits($bits::from_str_radix(digits, 16).expect("hex digits"))
            }
            fn build(recipe: &dyn Recipe) -> Result<Box<dyn Optimizer<Self>>> {
                recipe.$build()
            }
        }
    };
}

element!(f32, u32, build_f32);
element!(f64, u64, build_f64);

/// Makes a test for each element type of properties that are generic over it.
macro_rules! for_f32_and_f64 {
    ($($property:ident),+ $(,)?) => {
        mod in_f32 {
            $(#[test] fn $property() { super::$property::<f32>(); })+
        }
        mod in_f64 {
            $(#[test] fn $property() { super::$property::<f64>(); })+
        }
    };
}
pub(crate) use for_f32_and_f64;
