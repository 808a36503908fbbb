//! f32 and f64 behind one trait, so that every test is written once.

use wane::{Error, Optimizer};

use super::build::Recipe;

pub(crate) trait Element: wane::Float {
    /// The name in the fixtures.
    const NAME: &'static str;
    /// Hex digits of one number.
    const DIGITS: usize;
    /// The distance from 1 to the next number.
    const EPSILON: f64;
    fn from_hex(digits: &str) -> Self;
    fn hex(self) -> String;
    /// Equal bits, or both NaN.
    fn same(self, other: Self) -> bool;
    fn rounded(x: f64) -> Self;
    fn wide(self) -> f64;
    fn build(recipe: Recipe) -> Result<Box<dyn Optimizer<Self>>, Error>;
}

macro_rules! element {
    ($float:ident, $bits:ident) => {
        impl Element for $float {
            const NAME: &'static str = stringify!($float);
            const DIGITS: usize = 2 * size_of::<$float>();
            const EPSILON: f64 = $float::EPSILON as f64;

            fn from_hex(digits: &str) -> Self {
                Self::from_bits($bits::from_str_radix(digits, 16).expect("hex digits"))
            }
            fn hex(self) -> String {
                format!("{:#x}", self.to_bits())
            }
            fn same(self, other: Self) -> bool {
                self.to_bits() == other.to_bits() || (self.is_nan() && other.is_nan())
            }
            fn rounded(x: f64) -> Self {
                num_traits::cast(x).expect("a float")
            }
            fn wide(self) -> f64 {
                self.into()
            }
            fn build(recipe: Recipe) -> Result<Box<dyn Optimizer<Self>>, Error> {
                Ok(match recipe {
                    Recipe::Sgd(settings) => Box::new(settings.build()?),
                    Recipe::Adam(settings) => Box::new(settings.build()?),
                    Recipe::AdamW(settings) => Box::new(settings.build()?),
                    Recipe::Lamb(settings) => Box::new(settings.build()?),
                    Recipe::Lion(settings) => Box::new(settings.build()?),
                })
            }
        }
    };
}

element!(f32, u32);
element!(f64, u64);
