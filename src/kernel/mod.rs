//! The kernel: the loops that touch elements. Rules and laws are plain scalar Rust, inlined into one generic loop.

pub(crate) mod level;
pub(crate) mod reduce;
pub(crate) mod sweep;

pub use level::Level;
pub(crate) use level::vectorize;
pub(crate) use reduce::SquareSum;
pub(crate) use sweep::{Denormals, Gain, Job, flush};
