//! Rules that look at a whole matrix before they move a weight of it.

mod adafactor;
mod muon;

pub use adafactor::Adafactor;
pub use muon::{AdjustLr, Muon};
