//! The kernel: the contracts of a coordinate, and the loops that touch elements. It knows the CPU,
//! and neither optimizers nor decays. Rules and laws are plain scalar Rust, inlined into its loops.

#![expect(
    clippy::indexing_slicing,
    reason = "columns are cut to one length before each loop, which the compiler then checks once"
)]

pub(crate) mod column;
mod contract;
pub(crate) mod divide;
pub(crate) mod level;
pub(crate) mod matmul;
pub(crate) mod reduce;
mod sweep;
pub(crate) mod threads;
pub(crate) mod tile;

pub(crate) use contract::{Law, Move, Moved, Notes, Numbers, Rule, Scaling, Whole, descend};
pub(crate) use divide::Divisor;
pub use level::Level;
pub(crate) use level::vectorize;
pub(crate) use reduce::SquareSum;
pub(crate) use sweep::{Zero, displace, sweep};
pub(crate) use tile::{Moves, TILE, TiledLaw};
